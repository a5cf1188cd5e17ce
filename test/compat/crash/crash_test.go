// Package crash kills the built server while programs write through the AWS SDK, starts it again, and looks whether
// everything that was acknowledged is there, and nothing is half there.
package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/test/internal/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const (
	writers       = 8
	roundsPerLife = 4   // of one data directory, so that what has to be checked stays small
	maxCalls      = 160 // of a round, before the kill
)

// rounds is how often the server is killed: TRENT_CRASH_ROUNDS, or few.
func rounds(t *testing.T) int {
	t.Helper()
	text := os.Getenv("TRENT_CRASH_ROUNDS")
	if text == "" {
		return 8
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("TRENT_CRASH_ROUNDS is %q", text)
	}
	return n
}

func TestKillDuringWrites(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var acknowledged, checked int
	todo := rounds(t)
	for todo > 0 {
		l := newLife(t, random)
		for range min(todo, roundsPerLife) {
			todo--
			l.round(t)
			if t.Failed() {
				t.FailNow()
			}
		}
		acknowledged += len(l.acknowledged)
		checked += l.checked
		if err := l.server.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d rounds; %d calls acknowledged; %d facts checked", rounds(t), acknowledged, checked)
	if acknowledged < 20*rounds(t) || checked < acknowledged {
		t.Fatalf("only %d calls acknowledged and %d facts checked", acknowledged, checked)
	}
}

// life is one data directory, with the programs that write to it.
type life struct {
	dir     string
	server  *harness.Server
	profile harness.Profile
	random  *rand.Rand
	writers []*writer

	mu           sync.Mutex
	acknowledged map[string]string // request id → operation
	checked      int
}

func newLife(t *testing.T, random *rand.Rand) *life {
	t.Helper()
	l := &life{dir: t.TempDir(), random: random, acknowledged: map[string]string{}}
	l.server = harness.Start(t, "--data-dir", l.dir)
	var err error
	if l.profile, err = harness.ReadProfile(l.dir); err != nil {
		t.Fatal(err)
	}
	for i := range writers {
		l.writers = append(l.writers, &writer{life: l, name: fmt.Sprint("writer-", i), random: rand.New(rand.NewPCG(random.Uint64(), 0))})
	}
	return l
}

func (l *life) client(h aws.HTTPClient) *kms.Client {
	return kms.NewFromConfig(aws.Config{
		Region: l.profile.Region, BaseEndpoint: aws.String(l.server.URL), RetryMaxAttempts: 1, HTTPClient: h,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: l.profile.AccessKeyID, SecretAccessKey: l.profile.SecretAccessKey}, nil
		}),
	})
}

// round lets the writers write until the server is killed, starts it again, and checks everything.
func (l *life) round(t *testing.T) {
	t.Helper()
	k := newKiller(l.server, l.random)
	c := l.client(k)
	var all sync.WaitGroup
	for _, w := range l.writers {
		all.Go(func() { w.write(t, c) })
	}
	all.Wait()
	k.client.CloseIdleConnections()
	k.kill() // in case that the server ended by itself, which is an error
	if k.err != nil {
		t.Fatal(k.err)
	}
	l.server = l.server.Restart(t)
	transport := &http.Transport{MaxIdleConnsPerHost: writers}
	defer transport.CloseIdleConnections()
	c = l.client(&http.Client{Transport: transport})
	for _, w := range l.writers {
		all.Go(func() { w.check(t, c) })
	}
	all.Wait()
	l.checkWhole(t, c)
	l.checkAudit(t)
}

// fact counts what was checked.
func (l *life) fact() {
	l.mu.Lock()
	l.checked++
	l.mu.Unlock()
}

// killer is an HTTP client that kills the server at the n-th request: when it has been sent, or when its answer has
// come. The other writers' requests are anywhere then.
type killer struct {
	server   *harness.Server
	client   *http.Client
	at       int64
	atAnswer bool
	requests atomic.Int64
	once     sync.Once
	err      error // of the kill
}

func newKiller(s *harness.Server, random *rand.Rand) *killer {
	return &killer{
		server: s, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: writers}, Timeout: time.Minute},
		at: 2*writers + random.Int64N(maxCalls), atAnswer: random.IntN(2) == 0,
	}
}

func (k *killer) Do(r *http.Request) (*http.Response, error) {
	if k.requests.Add(1) != k.at {
		return k.client.Do(r)
	}
	if k.atAnswer {
		response, err := k.client.Do(r)
		k.kill()
		return response, err
	}
	trace := &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { k.kill() }}
	return k.client.Do(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
}

// kill returns when the server is dead.
func (k *killer) kill() { k.once.Do(func() { k.err = k.server.Kill() }) }

// checkAudit reads the log, which checks its chain, and looks for every acknowledged call.
func (l *life) checkAudit(t *testing.T) {
	t.Helper()
	found := map[string]bool{}
	err := audit.Read(filepath.Join(l.dir, "audit"), func(line []byte) error {
		var e struct{ RequestID, EventName, ErrorCode string }
		if err := json.Unmarshal(line, &e); err != nil {
			return err
		}
		operation, ours := l.acknowledged[e.RequestID]
		switch {
		case !ours: // a check, or a call whose answer the kill took away
		case found[e.RequestID]:
			t.Errorf("%s %s is in the audit log twice", operation, e.RequestID)
		case e.EventName != operation || e.ErrorCode != "":
			t.Errorf("%s %s is in the audit log as %s %s", operation, e.RequestID, e.EventName, e.ErrorCode)
		}
		found[e.RequestID] = true
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for id, operation := range l.acknowledged {
		l.checked++
		if !found[id] {
			t.Errorf("%s %s was acknowledged and is not in the audit log", operation, id)
		}
	}
}
