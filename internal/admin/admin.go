// Package admin is Trent's own administration, served like any other service: signed, authorised and audited.
package admin

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/trent-kms/trent/internal/api"
	trentapi "github.com/trent-kms/trent/internal/api/trent"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/clock"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
)

// Config is what a Service tells and does.
type Config struct {
	Store   *store.Cached
	Clock   *clock.Clock
	Dev     bool
	Version string
	Engine  string   // memory, bbolt, etcd
	Regions []string // nil: any
	Started time.Time
	// Account is the account whose principals administer; empty, as in development, means any.
	Account string
	// Ready says whether the server can serve.
	Ready func(context.Context) bool
	// Advanced is called after the clock was advanced, so that what has become due happens now. It must not block.
	Advanced func()

	// Services keeps the services that may speak for others.
	Services Services

	// Decisions is what explains and rehearses decisions.
	Decisions Decisions

	// What a development server can do with its whole state. Shelf outlives the Service.
	Shelf *Shelf
	// Reset empties the server, and Restore makes records its state; both end the Service that they are called from.
	// Restore fails with ErrSnapshot, and changes nothing, if the records are no state of a development server.
	Reset   func(context.Context) error
	Restore func(context.Context, []store.Put) error
	// Snapshot returns the state, in the form that Restore takes.
	Snapshot func(context.Context) ([]store.Record, error)
}

// Service implements the operations. Safe for concurrent use.
type Service struct {
	Config
	thinking chan struct{} // held by those who search the audit log or try out policies
	queues   sync.Map      // account → chan struct{}, held by the one of an account who is thinking, or next
}

// New returns a Service.
func New(c Config) *Service { return &Service{Config: c, thinking: make(chan struct{}, maxThinking)} }

// Operations is the service's table.
func (s *Service) Operations() []service.Operation {
	return append(slices.Concat(s.stateOperations(), s.serviceOperations(), s.decisionOperations()),
		service.Define(service.Row[trentapi.AdvanceClockRequest, trentapi.AdvanceClockResponse, deployment]{
			Name: "AdvanceClock", Resolve: target[trentapi.AdvanceClockRequest](s), Handle: s.advanceClock,
			LogAnswer: func(out *trentapi.AdvanceClockResponse, _ deployment) []byte { return out.AppendAudit(nil) },
		}),
		service.Define(service.Row[trentapi.GetStatusRequest, trentapi.GetStatusResponse, deployment]{
			Name: "GetStatus", ReadOnly: true, Resolve: target[trentapi.GetStatusRequest](s), Handle: s.getStatus,
		}),
	)
}

// deployment is what administration acts on: the whole of it, which belongs to one account.
type deployment struct{ account string }

// Access is the operation's own action, on everything.
func (d deployment) Access(c *service.Call) []authz.Access {
	account := d.account
	if account == "" {
		account = c.Caller.Account
	}
	return []authz.Access{{Action: "trent:" + c.Operation, Resource: "*", Account: account}}
}

func target[In any](s *Service) func(context.Context, *service.Call, *In) (deployment, error) {
	return func(context.Context, *service.Call, *In) (deployment, error) { return deployment{s.Account}, nil }
}

func (s *Service) getStatus(ctx context.Context, c *service.Call, _ *trentapi.GetStatusRequest, _ deployment) (*trentapi.GetStatusResponse, error) {
	mode := trentapi.ModeProduction
	if s.Dev {
		mode = trentapi.ModeDev
	}
	return &trentapi.GetStatusResponse{
		Version: &s.Version, Mode: &mode, Now: &c.Now, ClockOffset: new(s.Clock.Offset().String()), Store: &s.Engine,
		Ready: new(s.Ready(ctx)), Regions: s.Regions, StartTime: &s.Started,
	}, nil
}

// advanceClock moves the domain clock forward, for good: what has been deleted by time stays deleted after a restart.
func (s *Service) advanceClock(ctx context.Context, c *service.Call, in *trentapi.AdvanceClockRequest, _ deployment) (*trentapi.AdvanceClockResponse, error) {
	if !s.Dev {
		return nil, api.NewError("UnsupportedOperationException", 400, "The clock can be advanced on a development server only.")
	}
	d, err := ParseDuration(*in.Duration)
	if err != nil {
		return nil, api.ValidationException("%s", err.Error())
	}
	offset, err := s.addOffset(ctx, d)
	if err != nil {
		return nil, err
	}
	s.Advanced()
	return &trentapi.AdvanceClockResponse{Now: new(s.Clock.Now()), Offset: new(offset.String())}, nil
}

// maxOffset bounds the whole offset: a century, which Go's durations and every date format hold.
const (
	maxDays   = 100 * 365
	maxOffset = maxDays * 24 * time.Hour
)

// ParseDuration reads a duration of Go's form (12h30m) or whole days (30d). Only forward: at least 1ns.
func ParseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n int64
		n, err = strconv.ParseInt(days, 10, 64)
		d = time.Duration(max(0, min(n, maxDays+1))) * 24 * time.Hour
	}
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("duration %q is not a positive number of days (30d) or hours, minutes and seconds (12h30m)", s)
	}
	if d > maxOffset {
		return 0, fmt.Errorf("duration %q is longer than 36500d", s)
	}
	return d, nil
}

// clockKey is where the offset is stored.
const clockKey = "trent/clock"

// clockRecord is the stored offset.
type clockRecord struct {
	Version int   `json:"v"`
	Offset  int64 `json:"offset_ns"` // nanoseconds
}

const recordVersion = 1

// addOffset stores the new offset, then advances.
func (s *Service) addOffset(ctx context.Context, d time.Duration) (time.Duration, error) {
	stored, revision, err := readOffset(ctx, s.Store)
	if err != nil {
		return 0, err
	}
	if stored+d > maxOffset {
		return 0, api.ValidationException("The clock cannot be more than 36500d ahead; it is %s ahead.", stored)
	}
	value, err := json.Marshal(clockRecord{Version: recordVersion, Offset: int64(stored + d)})
	if err != nil {
		return 0, err
	}
	_, err = s.Store.Commit(ctx, store.Txn{
		Checks: []store.Check{{Key: clockKey, Revision: revision}}, Puts: []store.Put{{Key: clockKey, Value: value}},
	})
	if err != nil {
		return 0, err
	}
	return s.Clock.Advance(d), nil
}

// RestoreClock sets a new clock to the stored offset.
func RestoreClock(ctx context.Context, st store.Store, c *clock.Clock) error {
	stored, _, err := readOffset(ctx, st)
	if err != nil || stored == 0 {
		return err
	}
	c.Advance(stored)
	return nil
}

func readOffset(ctx context.Context, st store.Store) (time.Duration, int64, error) {
	r, err := st.Get(ctx, clockKey)
	if err != nil || r.Revision == 0 {
		return 0, 0, err
	}
	offset, err := decodeOffset(r.Value)
	return offset, r.Revision, err
}

func decodeOffset(value []byte) (time.Duration, error) {
	var c clockRecord
	if err := json.Unmarshal(value, &c, json.RejectUnknownMembers(true)); err != nil || c.Version != recordVersion || c.Offset < 0 || c.Offset > int64(maxOffset) {
		return 0, fmt.Errorf("admin: damaged or newer clock record (version %d, offset %d)", c.Version, c.Offset)
	}
	return time.Duration(c.Offset), nil
}
