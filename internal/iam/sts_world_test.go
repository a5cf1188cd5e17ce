package iam

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	stsapi "github.com/trent-kms/trent/internal/api/sts"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/clock"
	"github.com/trent-kms/trent/internal/hsm"
	"github.com/trent-kms/trent/internal/hsm/root"
	"github.com/trent-kms/trent/internal/material"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/store/memory"
	"github.com/trent-kms/trent/internal/wire"
	"github.com/trent-kms/trent/internal/wire/sigv4"
)

// Two accounts are enough for every rule.
const (
	home   = "111122223333"
	abroad = "444455556666"
)

// stsWorld is IAM and STS in process, from the signature to the store.
type stsWorld struct {
	t        testing.TB
	s        *Service
	clock    *clock.Clock
	pipeline *service.Pipeline
	store    store.Store
	openHSM  func() *hsm.HSM
	fetch    func(ctx context.Context, url string, thumbprints []string) ([]byte, error)

	mu      sync.Mutex
	events  []map[string]any
	secrets []string // that no audit record may show
	log     bytes.Buffer
}

// lent is a store that outlives a node.
type lent struct{ store.Store }

func (lent) Close() error { return nil }

// newDeployment returns what opens the hsm of a new deployment, once for each node.
func newDeployment(t testing.TB) (open func() *hsm.HSM) {
	t.Helper()
	r := root.New()
	domain, err := hsm.Create(t.Context(), r, "test")
	if err != nil {
		t.Fatal(err)
	}
	return func() *hsm.HSM {
		h, err := hsm.Open(t.Context(), hsm.Config{Root: r, Deployment: "test", Domain: domain})
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
}

func newSTSWorld(t testing.TB) *stsWorld {
	t.Helper()
	w := &stsWorld{t: t, clock: new(clock.Clock), store: memory.New(), openHSM: newDeployment(t)}
	w.start()
	t.Cleanup(func() {
		for _, e := range w.events {
			b, _ := json.Marshal(e)
			for _, secret := range w.secrets {
				if bytes.Contains(b, []byte(secret)) {
					t.Errorf("an audit record shows a secret: %s", b)
				}
			}
		}
	})
	return w
}

// start begins a node's life, the first or another.
func (w *stsWorld) start() {
	w.t.Helper()
	cached := store.NewCached(lent{w.store})
	w.t.Cleanup(func() { cached.Close() })
	w.s = New(Config{
		Store: cached, HSM: w.openHSM(), Clock: w.clock, Dev: true,
		Fetch: func(ctx context.Context, url string, thumbprints []string) ([]byte, error) {
			return w.fetch(ctx, url, thumbprints)
		},
	})
	verifier, err := sigv4.New(sigv4.Config{Lookup: w.s.Lookup})
	if err != nil {
		w.t.Fatal(err)
	}
	query := func(version string) wire.Protocol { return wire.Query{Version: version, Namespace: "urn:test"} }
	w.pipeline = service.New(service.Config{
		Services: []service.Service{
			{Name: "sts", Source: "sts.amazonaws.com", Protocol: query(stsapi.Version), Table: w.s.STS(), API: stsapi.Operations()},
			{Name: "iam", Source: "iam.amazonaws.com", Protocol: query(iamapi.Version), Table: w.s.IAM(), API: iamapi.Operations()},
		},
		Verifier: verifier, Authorizer: authz.New(w.s), Clock: w.clock, Audit: w.record, Log: slog.New(slog.NewTextHandler(&w.log, nil)),
	})
}

func (w *stsWorld) record(_ context.Context, e *audit.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var m map[string]any
	err := json.Unmarshal(e.AppendJSON(nil), &m)
	w.events = append(w.events, m)
	return err
}

// event returns the last audit record.
func (w *stsWorld) event() map[string]any {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.events[len(w.events)-1]
}

// stsUser is somebody with credentials. Without any, its requests are not signed.
type stsUser struct {
	*stsWorld
	id, secret, token string
}

// rootOf is the root user of an account, with its key of a development server.
func (w *stsWorld) rootOf(account string) stsUser { return stsUser{w, account, DevSecret, ""} }

// user makes a user who may do what the statements allow.
func (w *stsWorld) user(account, name, policyText string) stsUser {
	w.t.Helper()
	r := w.rootOf(account)
	r.must("CreateUser", "UserName", name)
	if policyText != "" {
		r.must("PutUserPolicy", "UserName", name, "PolicyName", "p", "PolicyDocument", policyText)
	}
	a := r.must("CreateAccessKey", "UserName", name)
	return stsUser{w, a.get("AccessKeyId"), a.get("SecretAccessKey"), ""}
}

// role makes a role and returns its ARN.
func (w *stsWorld) role(account, name, trust string, more ...string) string {
	w.t.Helper()
	return w.rootOf(account).must("CreateRole", append([]string{"RoleName", name, "AssumeRolePolicyDocument", trust}, more...)...).get("Arn")
}

// stsAnswer is what came back.
type stsAnswer struct {
	t      testing.TB
	status int
	body   string
	values map[string][]string // by element
}

func (a stsAnswer) get(element string) string {
	a.t.Helper()
	if len(a.values[element]) == 0 {
		a.t.Fatalf("no %s in %s", element, a.body)
	}
	return a.values[element][0]
}

// fails checks the code of an error, and what its text contains.
func (a stsAnswer) fails(code, message string) {
	a.t.Helper()
	got := ""
	if len(a.values["Code"]) > 0 {
		got = a.values["Code"][0] + ": " + a.values["Message"][0]
	}
	if !strings.HasPrefix(got, code+": ") || !strings.Contains(got, message) {
		a.t.Errorf("got %d %q, want %s: %s", a.status, got, code, message)
	}
}

// as is the session that an answer has the credentials of.
func (a stsAnswer) as(w *stsWorld) stsUser {
	a.t.Helper()
	u := stsUser{w, a.get("AccessKeyId"), a.get("SecretAccessKey"), a.get("SessionToken")}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.secrets = append(w.secrets, u.secret, u.token)
	return u
}

// must is do for what must succeed.
func (u stsUser) must(action string, parameters ...string) stsAnswer {
	u.t.Helper()
	a := u.do(action, parameters...)
	if a.status != http.StatusOK {
		u.t.Fatalf("%s: %d %s\n%s", action, a.status, a.body, &u.log)
	}
	return a
}

func (u stsUser) do(action string, parameters ...string) stsAnswer {
	u.t.Helper()
	sts := slices.Contains([]string{"AssumeRole", "AssumeRoleWithWebIdentity", "GetAccessKeyInfo", "GetCallerIdentity", "GetFederationToken", "GetSessionToken"}, action)
	form, scope := url.Values{"Action": {action}, "Version": {iamapi.Version}}, "iam"
	if sts {
		scope = "sts"
		form.Set("Version", stsapi.Version)
	}
	for i := 0; i < len(parameters); i += 2 {
		form.Set(parameters[i], parameters[i+1])
	}
	body := form.Encode()
	r := httptest.NewRequestWithContext(u.t.Context(), http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if u.id != "" {
		credential := sigv4.Credential{AccessKeyID: u.id, Secret: material.Take([]byte(u.secret)), SessionToken: u.token}
		if err := sigv4.Sign(r, []byte(body), credential, "us-east-1", scope, time.Now()); err != nil {
			u.t.Fatal(err)
		}
	}
	rec := httptest.NewRecorder()
	u.pipeline.ServeHTTP(rec, r)
	return parseAnswer(u.t, rec)
}

func parseAnswer(t testing.TB, rec *httptest.ResponseRecorder) stsAnswer {
	t.Helper()
	a := stsAnswer{t: t, status: rec.Code, body: rec.Body.String(), values: map[string][]string{}}
	d := xml.NewDecoder(strings.NewReader(a.body))
	element := ""
	for {
		token, err := d.Token()
		if err == io.EOF {
			return a
		}
		if err != nil {
			t.Fatalf("%v in %s", err, a.body)
		}
		switch x := token.(type) {
		case xml.StartElement:
			element = x.Name.Local
		case xml.CharData:
			if element != "" {
				a.values[element] = append(a.values[element], string(x))
			}
		case xml.EndElement:
			element = ""
		}
	}
}

// Policies, short enough to be read in a test.

func allowing(resource string, actions ...string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["%s"],"Resource":"%s"}]}`, strings.Join(actions, `","`), resource)
}

// trusting is a trust policy for principals of AWS, with more members of its statement, as JSON.
func trusting(principal string, more ...string) string {
	return trustStatement(`{"AWS":"`+principal+`"}`, []string{"sts:AssumeRole"}, more...)
}

// trustingAll is trusting for tags and source identities too.
func trustingAll(principal string, more ...string) string {
	return trustStatement(`{"AWS":"`+principal+`"}`, []string{"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"}, more...)
}

func trustStatement(principal string, actions []string, more ...string) string {
	members := append([]string{`"Effect":"Allow"`, `"Principal":` + principal, `"Action":["` + strings.Join(actions, `","`) + `"]`}, more...)
	return `{"Version":"2012-10-17","Statement":[{` + strings.Join(members, ",") + `}]}`
}

func arnOfUser(account, name string) string { return "arn:aws:iam::" + account + ":user/" + name }
func accountARN(account string) string      { return "arn:aws:iam::" + account + ":root" }

var everything = allowing("*", "*")

// alice is a user of the home account who may do everything, and dev a role that trusts her account.
func (w *stsWorld) alice() stsUser { w.t.Helper(); return w.user(home, "alice", everything) }

func (w *stsWorld) dev(more ...string) string {
	w.t.Helper()
	return w.role(home, "dev", trustingAll(accountARN(home)), more...)
}

func (u stsUser) assume(role string, more ...string) stsAnswer {
	u.t.Helper()
	return u.do("AssumeRole", append([]string{"RoleArn", role, "RoleSessionName", "session"}, more...)...)
}

// put writes a record past the service, as who has the store in hand can.
func (w *stsWorld) put(path string, value []byte) {
	w.t.Helper()
	if _, err := w.s.Store.Commit(w.t.Context(), store.Txn{Puts: []store.Put{{Key: path, Value: value}}}); err != nil {
		w.t.Fatal(err)
	}
}
