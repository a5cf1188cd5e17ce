package admin

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/trent-kms/trent/internal/api"
	trentapi "github.com/trent-kms/trent/internal/api/trent"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/policy"
)

// Bounds of one call of ReplayPolicy.
const (
	maxReplayTime = 20 * time.Second // less than clients wait
	maxChanges    = 1000
	maxSessions   = 20_000 // whose beginnings are remembered
	// longestSession is how long before a call its session can have begun (STS API Reference, GetFederationToken).
	longestSession = 36 * time.Hour
)

// errEnough ends a replay before the end of the log.
var errEnough = errors.New("admin: enough")

// replayPolicy decides the recorded calls on a key under its present policy and under a new one, and tells which change.
func (s *Service) replayPolicy(ctx context.Context, c *service.Call, in *trentapi.ReplayPolicyRequest) (*trentapi.ReplayPolicyResponse, error) {
	key, _, err := s.ownKey(ctx, c, *in.KeyId)
	if err != nil {
		return nil, err
	}
	p, err := parsed(policy.Key, *in.Policy)
	if err != nil {
		return nil, err
	}
	r := &replay{service: s, viewer: s.viewer(c), key: key, policy: p, from: time.Time{}, until: c.Now, stop: time.Now().Add(maxReplayTime)}
	if in.StartTime != nil {
		r.from = *in.StartTime
	}
	if in.EndTime != nil {
		r.until = *in.EndTime
	}
	if r.until.Before(r.from) {
		return nil, api.ValidationException("EndTime is before StartTime.")
	}
	done, err := s.think(ctx, c)
	if err != nil {
		return nil, err
	}
	defer done()
	return r.run(ctx)
}

// replay goes through the log once for the sessions that began, and once for the calls on the key.
type replay struct {
	service     *Service
	viewer      string
	key         string
	policy      *policy.Policy
	from, until time.Time
	stop        time.Time // by the clock on the wall
	sessions    map[string]*audit.Record
	examined    int32
	last        time.Time
	changes     []trentapi.Change
}

func (r *replay) run(ctx context.Context) (*trentapi.ReplayPolicyResponse, error) {
	r.sessions, r.changes = make(map[string]*audit.Record), []trentapi.Change{}
	log := r.service.Decisions.Log
	since := r.from
	if !since.IsZero() {
		since = since.Add(-longestSession)
	}
	err := log.Walk(ctx, since, r.until, []byte(`"eventSource":"sts.amazonaws.com"`), r.remember)
	if err == nil {
		err = log.Walk(ctx, r.from, r.until, []byte(r.key), func(x *audit.Record) error { return r.try(ctx, x) })
	}
	enough := errors.Is(err, errEnough)
	if err != nil && !enough {
		return nil, err
	}
	out := &trentapi.ReplayPolicyResponse{Examined: &r.examined, Changes: r.changes, Truncated: &enough}
	if enough && !r.last.IsZero() {
		out.ExaminedUntil = &r.last
	}
	return out, nil
}

// remember keeps what a session began with.
func (r *replay) remember(x *audit.Record) error {
	var given struct {
		Credentials struct {
			AccessKeyID string `json:"accessKeyId"`
		} `json:"credentials"`
	}
	if x.Response.Kind() != '{' || json.Unmarshal(x.Response, &given) != nil || given.Credentials.AccessKeyID == "" {
		return nil
	}
	if len(r.sessions) >= maxSessions || time.Now().After(r.stop) {
		return errEnough
	}
	r.sessions[given.Credentials.AccessKeyID] = &audit.Record{Name: x.Name, Source: x.Source, Parameters: x.Parameters, Identity: x.Identity}
	return nil
}

func (r *replay) issued(_ context.Context, accessKeyID string) (*audit.Record, error) {
	return r.sessions[accessKeyID], nil
}

// try decides one call twice.
func (r *replay) try(ctx context.Context, x *audit.Record) error {
	if len(r.changes) >= maxChanges || time.Now().After(r.stop) {
		return errEnough
	}
	r.last = x.Time
	if !r.concerns(x) {
		return nil
	}
	r.examined++
	questions, _, err := r.service.recall(ctx, x, r.issued)
	if err != nil || len(questions) == 0 {
		return err
	}
	account := questions[0].Request.Caller.Account
	foreign := r.viewer != "" && account != "" && account != r.viewer // a service has no policies of its own
	for i := range questions {
		questions[i].ResourceSide = foreign // what other accounts' policies say is not the viewer's to try out
	}
	before, err := r.decide(ctx, questions)
	if isGone(err) {
		return nil // whoever it was cannot come back
	} else if err != nil {
		return err
	}
	for i := range questions {
		if a := questions[i].Access; a.Resource == r.key && a.Policy != nil && a.Action != "kms:RetireGrant" {
			a.Policy = r.policy
		}
	}
	after, err := r.decide(ctx, questions)
	if err != nil || before.allowed == after.allowed || foreign && before.allowed && wasDenied(x) {
		return err // what the caller's own account denied stays denied
	}
	return r.report(ctx, x, before, after, questions)
}

// wasDenied says whether a call was refused for want of a permission.
func wasDenied(x *audit.Record) bool {
	return slices.ContainsFunc(x.Authorized, func(d audit.Authorized) bool { return !d.Allowed })
}

// concerns says whether a policy of the key had a say in a call.
func (r *replay) concerns(x *audit.Record) bool {
	for _, d := range x.Authorized {
		if d.Resource == r.key {
			return true
		}
	}
	return false
}

// outcome is how a whole call was decided: denied is the decision that did it, if one did.
type outcome struct {
	allowed bool
	denied  int
}

func (r *replay) decide(ctx context.Context, questions []authz.Question) (outcome, error) {
	for i, q := range questions {
		d, err := r.service.Decisions.Explainer.Decide(ctx, q)
		if err != nil || !d.Allowed {
			return outcome{denied: i}, err
		}
	}
	return outcome{allowed: true}, nil
}

// report writes down a call that would change. The questions have the new policy.
func (r *replay) report(ctx context.Context, x *audit.Record, before, after outcome, questions []authz.Question) error {
	at := after.denied
	if after.allowed {
		at = before.denied
	}
	questions[at].Viewer = r.viewer
	e, err := r.service.Decisions.Explainer.Explain(ctx, questions[at])
	if err != nil {
		return err
	}
	reason := e.Rule
	if questions[at].ResourceSide && after.allowed {
		reason = "The key's policy or a grant lets it in. Account " + questions[at].Request.Caller.Account + " has to allow it too."
	}
	words := map[bool]string{true: "allowed", false: "denied"}
	principal := questions[at].Request.Caller.ARN
	r.changes = append(r.changes, trentapi.Change{
		RequestId: &x.RequestID, EventTime: &x.Time, Principal: &principal, Action: &questions[at].Access.Action,
		Before: new(words[before.allowed]), After: new(words[after.allowed]), Reason: &reason,
	})
	return nil
}
