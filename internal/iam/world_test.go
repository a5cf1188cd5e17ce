package iam_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trent-kms/trent/internal/api"
	iamapi "github.com/trent-kms/trent/internal/api/iam"
	stsapi "github.com/trent-kms/trent/internal/api/sts"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/clock"
	"github.com/trent-kms/trent/internal/hsm"
	"github.com/trent-kms/trent/internal/hsm/root"
	"github.com/trent-kms/trent/internal/iam"
	"github.com/trent-kms/trent/internal/material"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/store/memory"
	"github.com/trent-kms/trent/internal/wire"
	"github.com/trent-kms/trent/internal/wire/sigv4"
)

// Two accounts are enough for every rule.
const (
	account = "111122223333"
	other   = "444455556666"
)

// world is IAM and STS in process, from the signature to the store. Every answer is held against the API model, and every
// audit record against the secrets that were handed out.
type world struct {
	t       testing.TB
	iam     *iam.Service
	store   *store.Cached
	faults  *faultyStore
	clock   *clock.Clock
	hsm     *hsm.HSM
	handler http.Handler

	mu      sync.Mutex
	events  []string // audit records
	secrets []string
	faulty  bool // status 500 is expected
	crooked bool // the records no longer agree
	seen    map[string]bool
}

func newWorld(t testing.TB) *world { return newWorldWith(t, func(*iam.Config) {}) }

// newWorldWith is newWorld with other settings.
func newWorldWith(t testing.TB, change func(*iam.Config)) *world {
	t.Helper()
	w := &world{t: t, clock: new(clock.Clock), hsm: newHSM(t), seen: map[string]bool{}}
	w.faults = &faultyStore{Store: memory.New()}
	w.store = store.NewCached(w.faults)
	c := iam.Config{Store: w.store, HSM: w.hsm, Dev: true, Clock: w.clock}
	change(&c)
	w.iam = iam.New(c)
	w.handler = w.pipeline(w.iam)
	t.Cleanup(func() {
		if !w.crooked {
			w.holdRecords()
		}
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
		w.holdAudit()
	})
	return w
}

// pipeline serves a service's tables.
func (w *world) pipeline(s *iam.Service) http.Handler {
	verifier, err := sigv4.New(sigv4.Config{Lookup: s.Lookup})
	if err != nil {
		w.t.Fatal(err)
	}
	return service.New(service.Config{
		Services: []service.Service{
			{Name: "iam", Source: "iam.amazonaws.com", Protocol: wire.Query{Version: iamapi.Version, Namespace: "https://iam.amazonaws.com/doc/2010-05-08/"}, Table: s.IAM(), API: iamapi.Operations(), Global: true},
			{Name: "sts", Source: "sts.amazonaws.com", Protocol: wire.Query{Version: stsapi.Version, Namespace: "https://sts.amazonaws.com/doc/2011-06-15/"}, Table: s.STS(), API: stsapi.Operations()},
		},
		Verifier: verifier, Authorizer: authz.New(s), Forward: s.Forward, Clock: w.clock, Audit: w.audit,
		Log: slog.New(slog.NewTextHandler(w.t.Output(), nil)),
	})
}

func newHSM(t testing.TB) *hsm.HSM {
	t.Helper()
	r := root.New()
	domain, err := hsm.Create(t.Context(), r, "test")
	if err != nil {
		t.Fatal(err)
	}
	h, err := hsm.Open(t.Context(), hsm.Config{Root: r, Deployment: "test", Domain: domain})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (w *world) audit(_ context.Context, e *audit.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, string(e.AppendJSON(nil)))
	return nil
}

// holdAudit tests that no secret was written down.
func (w *world) holdAudit() {
	for _, event := range w.events {
		for _, secret := range w.secrets {
			if strings.Contains(event, secret) {
				w.t.Errorf("an audit record shows a secret: %s", event)
			}
		}
	}
}

// principal signs requests.
type principal struct {
	*world
	account    string
	credential sigv4.Credential
}

// root is the root user of an account.
func (w *world) root(account string) principal {
	return principal{w, account, sigv4.Credential{AccessKeyID: account, Secret: material.Take([]byte(iam.DevSecret))}}
}

func (p principal) arn(resource string) string { return "arn:aws:iam::" + p.account + ":" + resource }

// request is a request of the API.
type request interface {
	api.Input
	AppendJSON([]byte) []byte
}

// answer is what came back.
type answer struct {
	operation     string
	status        int
	body          string
	code, message string // of an error
}

func (a answer) ok() bool { return a.status == http.StatusOK }

// operationOf names the operation of a request by its type.
func operationOf(in request) string {
	return strings.TrimSuffix(reflect.TypeOf(in).Elem().Name(), "Request")
}

// send signs and sends a request and holds the answer against the API model.
func (p principal) send(in request) answer {
	p.t.Helper()
	name, version := "iam", iamapi.Version
	if strings.HasSuffix(reflect.TypeOf(in).Elem().PkgPath(), "/sts") {
		name, version = "sts", stsapi.Version
	}
	form := "Action=" + operationOf(in) + "&Version=" + version + formOf(in)
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	if err := sigv4.Sign(r, []byte(form), p.credential, "us-east-1", name, time.Now()); err != nil {
		p.t.Error(err)
	}
	rec := httptest.NewRecorder()
	p.handler.ServeHTTP(rec, r)
	a := answer{operation: operationOf(in), status: rec.Code, body: rec.Body.String()}
	if !a.ok() {
		e := readXML(p.t, a.body).child("Error")
		a.code, a.message = e.child("Code").text, e.child("Message").text
	}
	p.hold(a, name)
	p.holdRecord(a, rec.Header().Get("X-Amzn-Requestid"))
	return a
}

// holdRecord tests that a call's audit record has the error that the caller got. Where nobody could be let in there is none.
func (w *world) holdRecord(a answer, requestID string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, event := range slices.Backward(w.events) {
		if !strings.Contains(event, requestID) {
			continue
		}
		var e struct{ ErrorCode, ErrorMessage string }
		if err := json.Unmarshal([]byte(event), &e); err != nil || e.ErrorCode != a.code || e.ErrorMessage != a.message {
			w.t.Errorf("%s answered %q %q, its record says %q %q", a.operation, a.code, a.message, e.ErrorCode, e.ErrorMessage)
		}
		return
	}
	if a.code != "InvalidClientTokenId" && a.code != "SignatureDoesNotMatch" && a.status < 500 {
		w.t.Errorf("%s: %s has no record", a.operation, a.code)
	}
}

// hold tests that an error is one that the operation may answer.
func (w *world) hold(a answer, service string) {
	w.t.Helper()
	w.mu.Lock()
	w.seen[a.operation+" "+a.code] = true
	faulty := w.faulty
	w.mu.Unlock()
	switch {
	case a.ok(), service != "iam":
	case a.status >= 500 && !faulty:
		w.t.Errorf("%s failed: %s: %s", a.operation, a.code, a.message)
	case !mayAnswer(w.t, a):
		w.t.Errorf("%s answered %d %s (%s), which its model does not have", a.operation, a.status, a.code, a.message)
	}
}

// common are the errors that every operation may answer without its model saying so.
var common = []string{"AccessDenied", "ValidationError", "InvalidClientTokenId", "InternalFailure", "SignatureDoesNotMatch"}

// model is the file that the API is generated from, as far as errors go.
type model struct {
	Operations []struct {
		Name   string
		Errors []string
	}
	Errors []struct {
		Name, Code string
		Status     int
	}
}

var loadModel = sync.OnceValues(func() (*model, error) {
	text, err := os.ReadFile("../api/model/iam.json")
	m := new(model)
	return m, errors.Join(err, json.Unmarshal(text, m))
})

// modeled returns the codes that an operation may answer.
func modeled(t testing.TB, operation string) []string {
	t.Helper()
	m, err := loadModel()
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, o := range m.Operations {
		for _, e := range m.Errors {
			if o.Name == operation && slices.Contains(o.Errors, e.Name) {
				codes = append(codes, e.Code)
			}
		}
	}
	return codes
}

// notModeled are errors that AWS answers although its model does not say so.
var notModeled = map[string]string{
	"CreateRole":           "NoSuchEntity", // of the boundary
	"GetAccessKeyLastUsed": "NoSuchEntity",
	"CreateGroup":          "InvalidInput",
}

func mayAnswer(t testing.TB, a answer) bool {
	t.Helper()
	return slices.Contains(common, a.code) || slices.Contains(modeled(t, a.operation), a.code) || notModeled[a.operation] == a.code
}

// do sends a request that must succeed, and returns the answer.
func do[Out any](p principal, in request) *Out {
	p.t.Helper()
	a := p.must(in)
	out := new(Out)
	root := readXML(p.t, a.body)
	if root.name != a.operation+"Response" {
		p.t.Errorf("%s answers %s", a.operation, root.name)
	}
	fill(p.t, reflect.ValueOf(out).Elem(), root.child(a.operation+"Result"))
	return out
}

// must sends a request that must succeed.
func (p principal) must(in request) answer {
	p.t.Helper()
	a := p.send(in)
	if !a.ok() {
		p.t.Fatalf("%s: %s: %s", a.operation, a.code, a.message)
	}
	return a
}

// refused sends a request that must be answered with an error: its code, and its whole text.
func (p principal) refused(in request, code, message string) {
	p.t.Helper()
	a := p.send(in)
	if a.code != code || a.message != message {
		p.t.Errorf("%s: got %d %q %q, want %q %q", a.operation, a.status, a.code, a.message, code, message)
	}
}

// refusedAs is refused for errors whose text is ours to choose.
func (p principal) refusedAs(in request, code string) {
	p.t.Helper()
	a := p.send(in)
	if a.code != code {
		p.t.Errorf("%s: got %d %q %q, want %q", a.operation, a.status, a.code, a.message, code)
	}
}

func (w *world) setFaulty(faulty bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faulty = faulty
}

// What nearly every test begins with.

const (
	allowAll  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	allowRead = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:Get*","iam:List*"],"Resource":"*"}]}`
	denyAll   = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`
)

// trusts is the trust policy of a role that a principal may assume.
func trusts(principal string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":"sts:AssumeRole"}]}`
}

func (p principal) createUser(name string) *iamapi.User {
	p.t.Helper()
	return do[iamapi.CreateUserResponse](p, &iamapi.CreateUserRequest{UserName: &name}).User
}

func (p principal) createGroup(name string) *iamapi.Group {
	p.t.Helper()
	return do[iamapi.CreateGroupResponse](p, &iamapi.CreateGroupRequest{GroupName: &name}).Group
}

func (p principal) createRole(name string) *iamapi.Role {
	p.t.Helper()
	return do[iamapi.CreateRoleResponse](p, &iamapi.CreateRoleRequest{RoleName: &name, AssumeRolePolicyDocument: new(trusts(p.account))}).Role
}

// createPolicy returns the ARN of a new managed policy.
func (p principal) createPolicy(name, document string) string {
	p.t.Helper()
	return *do[iamapi.CreatePolicyResponse](p, &iamapi.CreatePolicyRequest{PolicyName: &name, PolicyDocument: &document}).Policy.Arn
}

// as returns a user with a new access key.
func (p principal) as(name string) principal {
	p.t.Helper()
	return p.with(do[iamapi.CreateAccessKeyResponse](p, &iamapi.CreateAccessKeyRequest{UserName: &name}).AccessKey)
}

func (p principal) putUserPolicy(user, name, document string) {
	p.t.Helper()
	p.must(&iamapi.PutUserPolicyRequest{UserName: &user, PolicyName: &name, PolicyDocument: &document})
}

// whoAmI is the ARN of the caller, as STS tells it.
func (p principal) whoAmI() string {
	p.t.Helper()
	return *do[stsapi.GetCallerIdentityResponse](p, &stsapi.GetCallerIdentityRequest{}).Arn
}

// node is another node over the same store.
func (w *world) node() *world {
	w.t.Helper()
	n := &world{t: w.t, faults: w.faults, clock: w.clock, seen: map[string]bool{}, hsm: w.hsm}
	n.store = store.NewCached(unclosed{w.faults})
	n.iam = iam.New(iam.Config{Store: n.store, HSM: w.hsm, Dev: true, Clock: w.clock})
	n.handler = n.pipeline(n.iam)
	w.t.Cleanup(func() {
		if err := n.store.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return n
}

// unclosed is a store that another node closes.
type unclosed struct{ store.Store }

func (unclosed) Close() error { return nil }
