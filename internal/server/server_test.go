package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/hsm"
	"github.com/trent-kms/trent/internal/hsm/root"
	"github.com/trent-kms/trent/internal/iam"
	"github.com/trent-kms/trent/internal/material"
	"github.com/trent-kms/trent/internal/server"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/store/memory"
	"github.com/trent-kms/trent/internal/wire/sigv4"
)

// kept is a store that outlives the servers on it.
type kept struct{ store.Store }

func (kept) Close() error { return nil }

// site is a place where servers are started one after the other, or side by side.
type site struct {
	t     *testing.T
	store store.Store
	root  root.Root
	keys  []iam.AccessKey // handed to the administrator, in order
	mu    sync.Mutex
}

func newSite(t *testing.T) *site { return &site{t: t, store: memory.New(), root: root.New()} }

func (s *site) config() server.Config {
	return server.Config{
		Store: kept{s.store}, Engine: "memory", Root: s.root, Version: "test", Regions: []string{"us-east-1"},
		Audit: audit.Config{Dir: s.t.TempDir(), Sync: audit.SyncOS}, Log: slog.New(slog.DiscardHandler),
		Administrator: func(_ string, k iam.AccessKey) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.keys = append(s.keys, k)
			return nil
		},
		Withdraw: func(id string) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.keys = slices.DeleteFunc(s.keys, func(k iam.AccessKey) bool { return k.ID == id })
			return nil
		},
	}
}

func (s *site) start(change func(*server.Config)) (*server.Server, error) {
	c := s.config()
	if change != nil {
		change(&c)
	}
	return server.New(s.t.Context(), c)
}

func (s *site) must(change func(*server.Config)) *server.Server {
	s.t.Helper()
	srv, err := s.start(change)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			s.t.Error(err)
		}
	})
	return srv
}

func dev(c *server.Config) { c.Dev, c.Regions = true, nil }

func devKey(id string) sigv4.Credential {
	return sigv4.Credential{AccessKeyID: id, Secret: material.Take([]byte("test"))}
}

// post sends one signed JSON request and returns the status and the answer's members.
func post(t *testing.T, srv *server.Server, k sigv4.Credential, region, service, target, body string) (int, map[string]any) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("X-Amz-Target", target)
	if err := sigv4.Sign(r, []byte(body), k, region, service, time.Now()); err != nil {
		t.Fatal(err)
	}
	return do(t, srv, r)
}

func do(t *testing.T, srv *server.Server, r *http.Request) (int, map[string]any) {
	t.Helper()
	w := httptest.NewRecorder()
	srv.Handler().ServeHTTP(w, r)
	m := map[string]any{}
	if w.Body.Len() > 0 && w.Body.Bytes()[0] == '{' {
		if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil {
			t.Fatalf("%v in %s", err, w.Body)
		}
	} else {
		m["text"] = w.Body.String()
	}
	return w.Code, m
}

func listKeys(t *testing.T, srv *server.Server, k sigv4.Credential) (int, map[string]any) {
	t.Helper()
	return post(t, srv, k, "us-east-1", "kms", "TrentService.ListKeys", "{}")
}

func TestFirstStartMakesTheAdministratorOnce(t *testing.T) {
	s := newSite(t)
	srv := s.must(nil)
	if len(s.keys) != 1 {
		t.Fatalf("%d administrators' keys", len(s.keys))
	}
	admin := sigv4.Credential{AccessKeyID: s.keys[0].ID, Secret: s.keys[0].Secret}
	if status, answer := listKeys(t, srv, admin); status != 200 {
		t.Fatalf("the administrator got %d %v", status, answer)
	}
	again := s.must(nil)
	if len(s.keys) != 1 || again.Account() != srv.Account() {
		t.Errorf("second start: %d keys, account %s, want 1 and %s", len(s.keys), again.Account(), srv.Account())
	}
	if status, answer := listKeys(t, again, admin); status != 200 {
		t.Errorf("after a restart the administrator got %d %v", status, answer)
	}
}

func TestDevelopmentCredentialsAreUnknownInProduction(t *testing.T) {
	srv := newSite(t).must(nil)
	for _, id := range []string{"test", "000000000000", "111122223333"} {
		if status, answer := listKeys(t, srv, devKey(id)); status != 400 || answer["__type"] != "UnrecognizedClientException" {
			t.Errorf("%s got %d %v", id, status, answer)
		}
	}
}

func TestDevelopmentKnowsEveryAccount(t *testing.T) {
	srv := newSite(t).must(dev)
	for id, account := range map[string]string{"test": "000000000000", "111122223333": "111122223333"} {
		status, answer := post(t, srv, devKey(id), "mars-north-1", "kms", "TrentService.CreateKey", "{}")
		m, _ := answer["KeyMetadata"].(map[string]any)
		if status != 200 || m["AWSAccountId"] != account {
			t.Errorf("%s got %d %v", id, status, answer)
		}
	}
	wrong := sigv4.Credential{AccessKeyID: "111122223333", Secret: material.Take([]byte("Test"))}
	if _, answer := listKeys(t, srv, wrong); answer["__type"] != "InvalidSignatureException" {
		t.Errorf("wrong secret got %v", answer)
	}
	withToken := devKey("111122223333")
	withToken.SessionToken = "token"
	if _, answer := listKeys(t, srv, withToken); answer["__type"] != "UnrecognizedClientException" {
		t.Errorf("an invented session token got %v", answer)
	}
}

func TestModesDoNotOpenEachOthersData(t *testing.T) {
	s := newSite(t)
	s.must(nil)
	if _, err := s.start(dev); !errors.Is(err, server.ErrMode) {
		t.Errorf("development on production data: %v", err)
	}
	s = newSite(t)
	s.must(dev)
	if _, err := s.start(nil); !errors.Is(err, server.ErrMode) {
		t.Errorf("production on development data: %v", err)
	}
}

func TestAnotherRootKeyIsRefused(t *testing.T) {
	s := newSite(t)
	s.must(nil)
	if _, err := s.start(func(c *server.Config) { c.Root = root.New() }); !errors.Is(err, hsm.ErrRoot) {
		t.Errorf("got %v, want ErrRoot", err)
	}
}

func TestNewerDeploymentIsRefused(t *testing.T) {
	s := newSite(t)
	if _, err := s.store.Commit(t.Context(), store.Txn{Puts: []store.Put{{Key: "trent/deployment", Value: []byte(`{"v":2,"more":true}`)}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.start(nil); !errors.Is(err, store.ErrNewerFormat) {
		t.Errorf("got %v, want ErrNewerFormat", err)
	}
}

func TestNodesThatStartTogetherAgree(t *testing.T) {
	s := newSite(t)
	var wg sync.WaitGroup
	nodes := make([]*server.Server, 8)
	for i := range nodes {
		wg.Go(func() { nodes[i], _ = s.start(nil) })
	}
	wg.Wait()
	working := 0
	for _, n := range nodes {
		if n == nil || n.Account() != nodes[0].Account() {
			t.Fatal("a node failed or is of another deployment")
		}
		for _, k := range s.keys {
			if status, _ := listKeys(t, n, sigv4.Credential{AccessKeyID: k.ID, Secret: k.Secret}); status == 200 {
				working++
			}
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(s.keys) != 1 {
		t.Errorf("%d administrators' keys were kept, want 1", len(s.keys))
	}
	if working != len(nodes) {
		t.Errorf("%d log-ins worked, want one administrator's key on each of %d nodes", working, len(nodes))
	}
}

func TestNoDeploymentWithoutKeptCredentials(t *testing.T) {
	s := newSite(t)
	full := errors.New("disk full")
	if _, err := s.start(func(c *server.Config) {
		c.Administrator = func(string, iam.AccessKey) error { return full }
	}); !errors.Is(err, full) {
		t.Fatalf("got %v", err)
	}
	if exists, err := server.Empty(t.Context(), s.store); !exists || err != nil {
		t.Errorf("a deployment exists (%v) that nobody can enter", err)
	}
}

func TestClockOfADevelopmentServerSurvivesRestart(t *testing.T) {
	s := newSite(t)
	srv := s.must(dev)
	advance := func(srv *server.Server, d string) (int, map[string]any) {
		return post(t, srv, devKey("test"), "us-east-1", "trent", "TrentAdmin.AdvanceClock", `{"Duration":"`+d+`"}`)
	}
	if status, answer := advance(srv, "30d"); status != 200 || answer["Offset"] != "720h0m0s" {
		t.Fatalf("got %d %v", status, answer)
	}
	if status, answer := post(t, s.must(dev), devKey("test"), "us-east-1", "trent", "TrentAdmin.GetStatus", `{}`); status != 200 || answer["ClockOffset"] != "720h0m0s" {
		t.Errorf("after a restart: %d %v", status, answer)
	}
	for _, d := range []string{"", "0d", "-1h", "1", "d", "1y", "36501d", "9999999999999d", "99999999999999999999d", "1h 2m"} {
		if status, answer := advance(srv, d); status != 400 || answer["__type"] != "ValidationException" {
			t.Errorf("%q: got %d %v", d, status, answer)
		}
	}
	if status, answer := advance(srv, "36500d"); status != 400 {
		t.Errorf("over a century in all: got %d %v", status, answer)
	}
}

func TestAdministrationBelongsToTheAdministrator(t *testing.T) {
	s := newSite(t)
	srv := s.must(nil)
	admin := sigv4.Credential{AccessKeyID: s.keys[0].ID, Secret: s.keys[0].Secret}
	if status, answer := post(t, srv, admin, "us-east-1", "trent", "TrentAdmin.GetStatus", `{}`); status != 200 || answer["Mode"] != "production" {
		t.Errorf("status: %d %v", status, answer)
	}
	if status, answer := post(t, srv, admin, "us-east-1", "trent", "TrentAdmin.AdvanceClock", `{"Duration":"1d"}`); status != 400 || answer["__type"] != "UnsupportedOperationException" {
		t.Errorf("moving production's clock: %d %v", status, answer)
	}
}

func TestCallerIdentity(t *testing.T) {
	srv := newSite(t).must(dev)
	form := url.Values{"Action": {"GetCallerIdentity"}, "Version": {"2011-06-15"}}.Encode()
	ask := func(sign bool) (int, string) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		if sign {
			if err := sigv4.Sign(r, []byte(form), devKey("111122223333"), "us-east-1", "sts", time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		status, m := do(t, srv, r)
		text, _ := m["text"].(string)
		return status, text
	}
	status, text := ask(true)
	for _, want := range []string{
		"<Account>111122223333</Account>", "<Arn>arn:aws:iam::111122223333:root</Arn>", "<UserId>111122223333</UserId>", "<RequestId>",
		`xmlns="https://sts.amazonaws.com/doc/2011-06-15/"`,
	} {
		if status != 200 || !strings.Contains(text, want) {
			t.Errorf("got %d %s, want %s", status, text, want)
		}
	}
	if status, text := ask(false); status != 403 || !strings.Contains(text, "<Code>MissingAuthenticationToken</Code>") {
		t.Errorf("unsigned: got %d %s", status, text)
	}
}

func TestHealth(t *testing.T) {
	s := newSite(t)
	srv := s.must(dev)
	for _, path := range []string{"/healthz", "/readyz"} {
		if status, answer := do(t, s.must(dev), httptest.NewRequest(http.MethodGet, path, nil)); status != 200 {
			t.Errorf("%s: %d %v", path, status, answer)
		}
	}
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	if status, _ := do(t, srv, httptest.NewRequest(http.MethodGet, "/readyz", nil)); status != http.StatusServiceUnavailable {
		t.Errorf("without its store: %d", status)
	}
}

// TestServeDrains holds a request's body back, tells the server to stop, and sends the rest: the answer still comes.
func TestServeDrains(t *testing.T) {
	srv := newSite(t).must(dev)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ctx, nil, server.Listener{Listener: l}) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	body := `{"NumberOfBytes":1}`
	r, err := http.NewRequest(http.MethodPost, "http://"+l.Addr().String()+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "TrentService.GenerateRandom")
	if err := sigv4.Sign(r, []byte(body), devKey("test"), "us-east-1", "kms", time.Now()); err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Expect", "100-continue")
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		t.Fatal(err)
	}
	head, rest := wire.Bytes()[:wire.Len()-len(body)], wire.Bytes()[wire.Len()-len(body):]
	if _, err := conn.Write(head); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, len("HTTP/1.1 100 Continue\r\n\r\n"))
	if _, err := io.ReadFull(conn, line); err != nil || !bytes.Contains(line, []byte("100 Continue")) {
		t.Fatalf("%q, %v", line, err)
	}
	stop()
	if _, err := conn.Write(rest); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 200 OK")) {
		t.Errorf("got %q, %v", answer, err)
	}
	if err := <-ended; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// rewrite changes the stored deployment record as somebody would who can write to the store.
func (s *site) rewrite(from, to string) {
	s.t.Helper()
	r, err := s.store.Get(s.t.Context(), "trent/deployment")
	if err != nil || !bytes.Contains(r.Value, []byte(from)) {
		s.t.Fatalf("no %s in %s, %v", from, r.Value, err)
	}
	value := bytes.Replace(r.Value, []byte(from), []byte(to), 1)
	if _, err := s.store.Commit(s.t.Context(), store.Txn{Puts: []store.Put{{Key: r.Key, Value: value}}}); err != nil {
		s.t.Fatal(err)
	}
}

func TestDeploymentCannotBeChangedInTheStore(t *testing.T) {
	s := newSite(t)
	account := s.must(nil).Account()
	s.rewrite(`"account":"`+account+`"`, `"account":"666666666666"`)
	if _, err := s.start(nil); !errors.Is(err, hsm.ErrWrapped) {
		t.Errorf("another administrator: %v", err)
	}
	s.rewrite(`"account":"666666666666"`, `"account":"`+account+`","dev":true`)
	if _, err := s.start(dev); !errors.Is(err, hsm.ErrWrapped) {
		t.Errorf("production turned into development: %v", err)
	}
	s.rewrite(`,"dev":true`, `,"extra":1`)
	if _, err := s.start(nil); err == nil {
		t.Error("an unknown member was accepted")
	}
}

func TestRecordsWithoutDeploymentAreNotJoinedByOthers(t *testing.T) {
	s := newSite(t)
	s.must(nil)
	if _, err := s.store.Commit(t.Context(), store.Txn{Deletes: []string{"trent/deployment"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.start(nil); !errors.Is(err, server.ErrNoDeployment) || len(s.keys) != 1 {
		t.Errorf("got %v and %d administrators", err, len(s.keys))
	}
}

func TestProductionHasTheRealTime(t *testing.T) {
	s := newSite(t)
	s.must(nil)
	if _, err := s.store.Commit(t.Context(), store.Txn{Puts: []store.Put{{Key: "trent/clock", Value: []byte(`{"v":1,"offset_ns":3456000000000000}`)}}}); err != nil {
		t.Fatal(err)
	}
	srv := s.must(nil)
	admin := sigv4.Credential{AccessKeyID: s.keys[0].ID, Secret: s.keys[0].Secret}
	if _, answer := post(t, srv, admin, "us-east-1", "trent", "TrentAdmin.GetStatus", `{}`); answer["ClockOffset"] != "0s" {
		t.Errorf("clock ahead by %v", answer["ClockOffset"])
	}
}

func TestDamagedClockIsRefused(t *testing.T) {
	for _, value := range []string{`{"v":1,"offset_ns":-1}`, `{"v":1,"offset_ns":9000000000000000000}`, `{"v":2}`, `x`} {
		s := newSite(t)
		s.must(dev)
		if _, err := s.store.Commit(t.Context(), store.Txn{Puts: []store.Put{{Key: "trent/clock", Value: []byte(value)}}}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.start(dev); err == nil {
			t.Errorf("%s was accepted", value)
		}
	}
}

// A page on the web can make a name of its own point to this machine, and knows a development server's credentials.
func TestDevelopmentAnswersToLocalNamesOnly(t *testing.T) {
	srv := newSite(t).must(dev)
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4599}
	for host, want := range map[string]int{
		"127.0.0.1:4599": 200, "127.0.0.1": 200, "localhost:4599": 200, "[::1]:4599": 200, "kms.localhost": 200,
		"evil.example": 403, "evil.example:4599": 403, "127.0.0.1.evil.example": 403, "localhost.evil.example": 403, "10.0.0.1": 403, "": 403,
	} {
		r := httptest.NewRequest(http.MethodGet, "/healthz", nil)
		r.Host = host
		if status, _ := do(t, srv, r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(local)))); status != want {
			t.Errorf("Host %q: got %d, want %d", host, status, want)
		}
	}
}

func TestCookiesAreRefused(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}"))
	r.Header.Set("Cookie", "a=b")
	if status, _ := do(t, newSite(t).must(dev), r); status != http.StatusBadRequest {
		t.Errorf("got %d", status)
	}
}

// hiding is a store that another node fills between the first look for a deployment and the next.
type hiding struct {
	store.Store
	once sync.Once
}

func (h *hiding) Get(ctx context.Context, key string) (r store.Record, err error) {
	h.once.Do(func() { r = store.Record{Key: key} })
	if r.Key != "" {
		return r, nil
	}
	return h.Store.Get(ctx, key)
}

func TestNodeThatComesSecondByAMomentJoins(t *testing.T) {
	s := newSite(t)
	first := s.must(nil)
	second := s.must(func(c *server.Config) { c.Store = &hiding{Store: c.Store} })
	if second.Account() != first.Account() || len(s.keys) != 1 {
		t.Errorf("accounts %s and %s, %d administrators", first.Account(), second.Account(), len(s.keys))
	}
}
