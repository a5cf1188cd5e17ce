//go:build linux

package load

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trent-kms/trent/internal/material"
	"github.com/trent-kms/trent/internal/wire/sigv4"
)

func TestQuantilesAreWithinABucket(t *testing.T) {
	var h, other Histogram
	for i := range 1000 {
		d := time.Duration(i+1) * 10 * time.Microsecond
		if i%2 == 0 {
			h.Add(d)
		} else {
			other.Add(d)
		}
	}
	h.Merge(&other)
	for q, want := range map[float64]time.Duration{0: 10 * time.Microsecond, 0.5: 5 * time.Millisecond, 0.99: 9900 * time.Microsecond, 1: 10 * time.Millisecond} {
		if got := h.Quantile(q); got < want-want/50 || got > want+want/50 {
			t.Errorf("quantile %g: got %s, want about %s", q, got, want)
		}
	}
	var empty Histogram
	if got := empty.Quantile(0.5); got != 0 {
		t.Errorf("of nothing: got %s", got)
	}
}

func TestBucketsHaveNoGaps(t *testing.T) {
	previous := 0
	for d := time.Duration(0); d <= longest; d += max(1, d/256) {
		i := bucket(d)
		if i >= buckets || i < previous || i > previous+1 {
			t.Fatalf("%s: bucket %d after %d, of %d", d, i, previous, buckets)
		}
		if low := lowest(i); low > d || d-low > d/half {
			t.Fatalf("%s is in the bucket of %s", d, low)
		}
		previous = i
	}
}

func TestParse(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Type: x\r\nContent-Length: 5\r\n\r\nhello"
	for n := range len(ok) {
		if body, complete, err := parse([]byte(ok[:n])); complete || err != nil {
			t.Fatalf("after %d bytes: %q, %t, %v", n, body, complete, err)
		}
	}
	if body, complete, err := parse([]byte(ok)); string(body) != "hello" || !complete || err != nil {
		t.Fatalf("got %q, %t, %v", body, complete, err)
	}
	for name, answer := range map[string]string{
		"another status": "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno",
		"too much":       ok + "!",
		"no length":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"a bad length":   "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
	} {
		if body, complete, err := parse([]byte(answer)); complete || err == nil {
			t.Errorf("%s: got %q, %t, %v", name, body, complete, err)
		}
	}
}

// serve starts a server and returns its address.
func serve(t *testing.T, h http.HandlerFunc) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func open(t *testing.T, addr string, n int) *Group {
	t.Helper()
	g, err := Open(addr, n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

func post(body string) []byte {
	return fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func TestRunCountsEveryAnswer(t *testing.T) {
	for _, spin := range []bool{false, true} {
		var mu sync.Mutex
		served, seen := 0, map[string]bool{}
		addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			mu.Lock()
			defer mu.Unlock()
			served++
			seen[string(b)] = true
			w.Write(b)
		})
		var requests [][]byte
		for i := range 100 {
			requests = append(requests, post(fmt.Sprint(i)))
		}
		g := open(t, addr, 7)
		g.Spin = spin
		for range 2 { // connections are kept
			r, err := g.Run(t.Context(), requests, 100*time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			mu.Lock()
			// What each connection had under way at the end is not counted.
			if r.Requests == 0 || r.Requests > served || r.Requests < served-7 || r.Latency.Quantile(1) > 100*time.Millisecond {
				t.Errorf("counted %d of %d requests, the longest took %s", r.Requests, served, r.Latency.Quantile(1))
			}
			served = 0
			mu.Unlock()
		}
		mu.Lock()
		if len(seen) != 100 {
			t.Errorf("%d different requests were sent, want 100", len(seen))
		}
		mu.Unlock()
	}
}

func TestEachSendsEveryRequestOnce(t *testing.T) {
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	const count = 250
	var got []string
	err := open(t, addr, 8).Each(t.Context(), count,
		func(i int) ([]byte, error) { return post(fmt.Sprintf("%03d", i)), nil },
		func(i int, body []byte) error {
			if want := fmt.Sprintf("%03d", i); string(body) != want {
				t.Errorf("request %s got the answer %s", want, body)
			}
			got = append(got, string(body))
			return nil
		})
	slices.Sort(got)
	if got = slices.Compact(got); err != nil || len(got) != count {
		t.Errorf("%d different answers of %d, %v", len(got), count, err)
	}
}

func TestFailuresAreErrors(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"an error status": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) },
		"a hang-up":       func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"a long answer":   func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 1<<20)) },
	} {
		if _, err := open(t, serve(t, h), 2).Run(t.Context(), [][]byte{post("")}, time.Minute); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	for _, addr := range []string{addr, "localhost:80", "[::1]:80"} {
		if _, err := Open(addr, 1); err == nil {
			t.Errorf("%s: no error", addr)
		}
	}
}

// A request must be one that a server of ours accepts: signed, with its length, and nothing after its body.
func TestRequestVerifies(t *testing.T) {
	cred := sigv4.Credential{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", Secret: material.Take([]byte("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"))}
	v, err := sigv4.New(sigv4.Config{Lookup: func(context.Context, string, string) (sigv4.Credential, error) { return cred, nil }})
	if err != nil {
		t.Fatal(err)
	}
	b, err := Signer{cred, "eu-central-1"}.Request("ListKeys", []byte("{}"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	sent := bufio.NewReader(bytes.NewReader(b))
	r, err := http.ReadRequest(sent)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || string(body) != "{}" || sent.Buffered() != 0 || r.Header.Get("X-Amz-Target") != "TrentService.ListKeys" {
		t.Errorf("got body %q, target %q, %d bytes left, %v", body, r.Header.Get("X-Amz-Target"), sent.Buffered(), err)
	}
	if signed, err := v.Verify(t.Context(), r, body); err != nil || signed.Region != "eu-central-1" || signed.Service != "kms" {
		t.Errorf("got %+v, %v", signed, err)
	}
}
