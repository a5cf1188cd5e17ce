package org_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
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
	orgapi "github.com/trent-kms/trent/internal/api/organizations"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/clock"
	"github.com/trent-kms/trent/internal/iam/org"
	"github.com/trent-kms/trent/internal/material"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/store/memory"
	"github.com/trent-kms/trent/internal/wire"
	"github.com/trent-kms/trent/internal/wire/sigv4"
	"github.com/trent-kms/trent/policy"
)

const (
	boss     = "111122223333" // has the organization
	stranger = "999988887777" // has none
)

// world is the service in process, from the signature to the store. Who signs with a name that is no account is a user of
// it, with the policy that the test has given it. Every answer is held against the API model.
type world struct {
	t       testing.TB
	org     *org.Service
	store   *store.Cached
	clock   *clock.Clock
	handler http.Handler

	mu       sync.Mutex
	users    map[string]user
	policies map[string]*policy.Policy
	decided  []byte         // authorization of the last call
	codes    map[string]int // answered
	faulty   bool           // status 500 is expected
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldWith(t, org.Config{})
}

// newWorldWith is newWorld with other settings; the store, and that all accounts exist, come by default.
func newWorldWith(t testing.TB, c org.Config) *world {
	t.Helper()
	if c.Store == nil {
		c.Store = store.NewCached(memory.New())
		t.Cleanup(func() { c.Store.Close() })
	}
	if c.Own == nil {
		c.Own = func(string) bool { return true }
	}
	s, err := org.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, org: s, store: c.Store, clock: new(clock.Clock), users: map[string]user{}, policies: map[string]*policy.Policy{}, codes: map[string]int{},
	}
	verifier, err := sigv4.New(sigv4.Config{Lookup: w.lookup})
	if err != nil {
		t.Fatal(err)
	}
	w.handler = service.New(service.Config{
		Services: []service.Service{{
			Name: orgapi.Service, Source: "organizations.amazonaws.com", Protocol: wire.JSON{TargetPrefix: orgapi.TargetPrefix},
			Table: s.Operations(), API: orgapi.Operations(), Global: true,
		}},
		Verifier: verifier, Authorizer: authz.New(w), Clock: w.clock, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Audit: w.audit,
	})
	return w
}

var secret = material.Take([]byte("test"))

func (w *world) lookup(_ context.Context, id, _ string) (sigv4.Credential, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := caller.RootOf(id, id)
	if u, ok := w.users[id]; ok {
		c = caller.Caller{Type: caller.User, Account: u.account, ARN: "arn:aws:iam::" + u.account + ":user/" + id, Name: id, ID: "AIDA" + id, AccessKeyID: id}
	}
	return sigv4.Credential{AccessKeyID: id, Secret: secret, Caller: c}, nil
}

// Identity implements authz.Directory.
func (w *world) Identity(_ context.Context, c *caller.Caller) (*authz.Identity, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := w.policies[c.Name]; p != nil {
		return &authz.Identity{Policies: []authz.Attached{{Name: "p", Policy: p}}}, nil
	}
	return nil, nil
}

// Membership implements authz.Directory.
func (w *world) Membership(ctx context.Context, account string) (*authz.Membership, error) {
	return w.org.Membership(ctx, account)
}

func (w *world) audit(_ context.Context, e *audit.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.decided = bytes.Clone(e.Authorization)
	if bytes.Contains(e.RequestParameters, []byte("@")) || bytes.Contains(e.ResponseElements, []byte("@")) {
		w.t.Errorf("the record of %s has an email address: %s %s", e.Name, e.RequestParameters, e.ResponseElements)
	}
	return nil
}

// user is a principal: the root user of an account, or one that is called by a name.
type user struct {
	*world
	account, key string
}

func (w *world) as(account string) user { return user{w, account, account} }

// named returns an IAM user of an account with one identity policy.
func (w *world) named(account, name, document string) user {
	w.t.Helper()
	p, err := policy.Parse(policy.Identity, document)
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	u := user{w, account, name}
	w.users[name], w.policies[name] = u, p
	return u
}

// request is a request of the API: it can be sent.
type request interface {
	api.Input
	AppendJSON([]byte) []byte
}

// answer is what came back.
type answer struct {
	operation     string
	status        int
	body          []byte
	code, message string // of an error
}

func (u user) send(in request) answer {
	u.t.Helper()
	return u.post(strings.TrimSuffix(reflect.TypeOf(in).Elem().Name(), "Request"), in.AppendJSON(nil))
}

func (u user) post(operation string, body []byte) answer {
	u.t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	r.Header.Set("X-Amz-Target", orgapi.TargetPrefix+"."+operation)
	if err := sigv4.Sign(r, body, sigv4.Credential{AccessKeyID: u.key, Secret: secret}, "us-east-1", orgapi.Service, time.Now()); err != nil {
		u.t.Error(err)
	}
	recorder := httptest.NewRecorder()
	u.handler.ServeHTTP(recorder, r)
	a := answer{operation: operation, status: recorder.Code, body: recorder.Body.Bytes()}
	if a.status != http.StatusOK {
		var e struct {
			Type    string `json:"__type"`
			Message string `json:"message"`
		}
		if err := json.Unmarshal(a.body, &e); err != nil || e.Type == "" {
			u.t.Errorf("%s: the error body is %s", operation, a.body)
		}
		a.code, a.message = e.Type, e.Message
	}
	u.hold(a)
	return a
}

// hold tests what every answer must keep.
func (u user) hold(a answer) {
	u.t.Helper()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.codes[a.code]++
	at := slices.IndexFunc(orgapi.Operations(), func(o api.OperationInfo) bool { return o.Name == a.operation })
	switch {
	case at < 0:
	case a.code == "":
		holdOutput(u.t, a, orgapi.Operations()[at].NewOutput())
	case a.status == http.StatusInternalServerError:
		if !u.faulty {
			u.t.Errorf("%s failed: %s: %s", a.operation, a.code, a.message)
		}
	case a.status != http.StatusBadRequest || !slices.Contains(modeled(u.t)[a.operation], a.code) && a.code != "ValidationException":
		u.t.Errorf("%s answered %d %s (%s), which its model does not have", a.operation, a.status, a.code, a.message)
	}
}

func holdOutput(t testing.TB, a answer, out api.Output) {
	t.Helper()
	if _, none := out.(*api.Empty); none {
		if len(a.body) != 0 {
			t.Errorf("%s has no output, but the body is %s", a.operation, a.body)
		}
		return
	}
	if err := api.Decode(a.body, out.(api.Shape)); err != nil || bytes.Contains(a.body, []byte(":null")) {
		t.Errorf("%s: %v: %s", a.operation, err, a.body)
	}
}

// modeled returns the errors that each operation may answer, by the model.
var modeled = func() func(testing.TB) map[string][]string {
	load := sync.OnceValues(func() (map[string][]string, error) {
		b, err := os.ReadFile("../../api/model/organizations.json")
		if err != nil {
			return nil, err
		}
		var model struct {
			Operations []struct {
				Name   string
				Errors []string
			}
		}
		err = json.Unmarshal(b, &model)
		all := map[string][]string{}
		for _, o := range model.Operations {
			all[o.Name] = o.Errors
		}
		return all, err
	})
	return func(t testing.TB) map[string][]string {
		all, err := load()
		if err != nil || len(all) < 30 {
			t.Fatalf("%d operations, %v", len(all), err)
		}
		return all
	}
}()

// do sends a request that must succeed, and returns the answer.
func do[Out any, P interface {
	*Out
	api.Shape
}](u user, in request) *Out {
	u.t.Helper()
	a := u.send(in)
	out := P(new(Out))
	if a.status != http.StatusOK {
		u.t.Fatalf("%s: %s: %s", a.operation, a.code, a.message)
	}
	if err := api.Decode(a.body, out); err != nil {
		u.t.Fatal(err)
	}
	return (*Out)(out)
}

// done is do for an operation without an answer.
func (u user) done(in request) {
	u.t.Helper()
	if a := u.send(in); a.status != http.StatusOK {
		u.t.Fatalf("%s: %s: %s", a.operation, a.code, a.message)
	}
}

// refused sends a request that must fail with a code.
func (u user) refused(code string, in request) string {
	u.t.Helper()
	a := u.send(in)
	if a.code != code {
		u.t.Errorf("%s: got %q %q, want %s", a.operation, a.code, a.message, code)
	}
	return a.message
}

// The things that tests make.

const (
	allowAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	denyKMS  = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"kms:*","Resource":"*"}]}`
	denyRCP  = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*"}]}`

	scp, rcp = orgapi.PolicyTypeServiceControlPolicy, orgapi.PolicyTypeResourceControlPolicy
	fullSCP  = "p-FullAWSAccess"
	fullRCP  = "p-RCPFullAWSAccess"
)

// founded makes an organization and returns its management account, its id and its root's.
func founded(w *world) (u user, organization, root string) {
	w.t.Helper()
	u = w.as(boss)
	o := do[orgapi.CreateOrganizationResponse](u, &orgapi.CreateOrganizationRequest{}).Organization
	return u, *o.Id, *do[orgapi.ListRootsResponse](u, &orgapi.ListRootsRequest{}).Roots[0].Id
}

func (u user) createAccount(name string) string {
	u.t.Helper()
	s := do[orgapi.CreateAccountResponse](u, &orgapi.CreateAccountRequest{Email: new(name + "@example.com"), AccountName: &name}).CreateAccountStatus
	if *s.State != orgapi.CreateAccountStateSucceeded {
		u.t.Fatalf("creating %s: %s", name, *s.FailureReason)
	}
	return *s.AccountId
}

func (u user) createUnit(parent, name string) string {
	u.t.Helper()
	return *do[orgapi.CreateOrganizationalUnitResponse](u, &orgapi.CreateOrganizationalUnitRequest{ParentId: &parent, Name: &name}).OrganizationalUnit.Id
}

func (u user) createPolicy(t orgapi.PolicyType, name, content string) string {
	u.t.Helper()
	in := &orgapi.CreatePolicyRequest{Type: &t, Name: &name, Content: &content, Description: new("")}
	return *do[orgapi.CreatePolicyResponse](u, in).Policy.PolicySummary.Id
}

func (u user) enable(root string, types ...orgapi.PolicyType) {
	u.t.Helper()
	for _, t := range types {
		do[orgapi.EnablePolicyTypeResponse](u, &orgapi.EnablePolicyTypeRequest{RootId: &root, PolicyType: &t})
	}
}

func (u user) disable(root string, t orgapi.PolicyType) {
	u.t.Helper()
	do[orgapi.DisablePolicyTypeResponse](u, &orgapi.DisablePolicyTypeRequest{RootId: &root, PolicyType: &t})
}

func (u user) attach(policy, target string) {
	u.t.Helper()
	u.done(&orgapi.AttachPolicyRequest{PolicyId: &policy, TargetId: &target})
}

func (u user) detach(policy, target string) {
	u.t.Helper()
	u.done(&orgapi.DetachPolicyRequest{PolicyId: &policy, TargetId: &target})
}

func (u user) move(account, from, to string) {
	u.t.Helper()
	u.done(&orgapi.MoveAccountRequest{AccountId: &account, SourceParentId: &from, DestinationParentId: &to})
}

// attached lists the ids of the policies of a target.
func (u user) attached(t orgapi.PolicyType, target string) []string {
	u.t.Helper()
	var ids []string
	for _, p := range do[orgapi.ListPoliciesForTargetResponse](u, &orgapi.ListPoliciesForTargetRequest{TargetId: &target, Filter: &t}).Policies {
		ids = append(ids, *p.Id)
	}
	return ids
}

// records returns the keys and values of the store.
func (w *world) records() map[string]string {
	w.t.Helper()
	page, err := w.store.Range(context.Background(), "iam/org/", "", 1<<20)
	if err != nil {
		w.t.Fatal(err)
	}
	all := map[string]string{}
	for _, r := range page.Records {
		all[r.Key] = string(r.Value)
	}
	return all
}

// keys are the sorted keys under a prefix.
func (w *world) keys(prefix string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(w.records())), func(k string) bool { return !strings.HasPrefix(k, prefix) })
}

// overwrite changes records behind the service's back, as a store might that cannot be trusted.
func (w *world) overwrite(puts ...store.Put) {
	w.t.Helper()
	if _, err := w.store.Commit(context.Background(), store.Txn{Puts: puts}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) membership(account string) *authz.Membership {
	w.t.Helper()
	m, err := w.org.Membership(context.Background(), account)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

// names are the policies of each level, without what their ARNs have in common.
func names(levels [][]authz.Attached) [][]string {
	var all [][]string
	for _, level := range levels {
		var ids []string
		for _, a := range level {
			ids = append(ids, a.Name[strings.LastIndex(a.Name, "/")+1:])
		}
		all = append(all, ids)
	}
	return all
}

var errNoRole = errors.New("no role today")

// touch writes a record again, so that what was made of it is old.
func (w *world) touch(key, value string) { w.overwrite(store.Put{Key: key, Value: []byte(value)}) }

// untilCached waits until the store's watch has begun, before which nothing is remembered.
func (w *world) untilCached(account string) {
	for testing.AllocsPerRun(1, func() { w.membership(account) }) > 0 {
	}
}
