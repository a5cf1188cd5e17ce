package sigv4

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// newServer verifies every request and answers what it found.
func newServer(t *testing.T) *httptest.Server {
	t.Helper()
	v := newVerifier(t, Config{})
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			_, err = v.Verify(r.Context(), r, body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		fmt.Fprintf(w, "%s target=%s", r.Proto, r.Header.Get("X-Amz-Target"))
	}))
	t.Cleanup(s.Close)
	return s
}

// HTTP/1.1 and HTTP/2 hand the same request to Verify, with Content-Length among the signed headers, as the SDK for Go
// does it.
func TestVerifyBehindRealServers(t *testing.T) {
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		s := newServer(t)
		s.EnableHTTP2 = proto == "HTTP/2.0"
		s.StartTLS()
		body := `{"KeyId":"alias/a"}`
		r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Date", "20150830T123600Z")
		r.Header.Set("X-Amz-Target", "TrentService.DescribeKey")
		r.Header.Set("Content-Length", itoa(len(body)))
		ref := example()
		ref.signed = []string{"content-length", "host", "x-amz-date", "x-amz-target"}
		ref.sign(r, []byte(body))
		if got, want := do(t, s, r), proto+" target=TrentService.DescribeKey"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func do(t *testing.T, s *httptest.Server, r *http.Request) string {
	t.Helper()
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Bytes that two readers of one request might take for different things. Each starts from a request with a valid
// signature over target "good"; none may be answered as anything else.
func TestSmuggling(t *testing.T) {
	s := newServer(t)
	s.Start()
	host := s.Listener.Addr().String()
	r, err := http.NewRequest("POST", s.URL+"/", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "good")
	if err := Sign(r, []byte("{}"), credential(exampleKey, exampleSecret), "eu-central-1", "kms", exampleTime()); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	valid := b.String()
	const ok, forbidden, bad = "200", "403", "400"
	for _, tt := range []struct{ name, old, new, status string }{
		{"as it is", "", "", ok},
		{"absolute-form", "POST / ", "POST http://" + host + "/ ", forbidden},
		{"absolute-form, other host", "POST / ", "POST http://other/ ", forbidden},
		{"two slashes", "POST / ", "POST // ", ok}, // normalised; the path says nothing to the services
		{"dot segments", "POST / ", "POST /a/.. ", ok},
		{"encoded dot segments", "POST / ", "POST /a/%2e%2e ", forbidden},
		{"encoded slash", "POST / ", "POST /%2f ", forbidden},
		{"empty query", "POST / ", "POST /? ", ok},
		{"empty pairs", "POST / ", "POST /?&& ", ok},
		{"fragment", "POST / ", "POST /#a ", forbidden},
		{"query", "POST / ", "POST /?X-Amz-Target=bad ", forbidden},
		{"two hosts", "Host:", "Host: other\r\nHost:", bad},
		{"host and spaces", "Host: ", "Host:  \t ", ok},
		{"space before the colon", "X-Amz-Target:", "X-Amz-Target :", bad},
		{"space before the name", "X-Amz-Target:", " X-Amz-Target:", forbidden}, // continues the line before
		{"two targets, bad first", "X-Amz-Target:", "X-Amz-Target: bad\r\nX-Amz-Target:", forbidden},
		{"two targets, bad last", "X-Amz-Target: good", "X-Amz-Target: good\r\nX-Amz-Target: bad", forbidden},
		{"target in another case", "X-Amz-Target:", "x-AMZ-target:", ok},
		{"target in another case, twice", "X-Amz-Target: good", "X-Amz-Target: good\r\nx-amz-target: bad", forbidden},
		{"target with an underscore", "X-Amz-Target: good", "X-Amz-Target: good\r\nX_Amz_Target: bad", ok},
		{"target folded over lines", "X-Amz-Target: good", "X-Amz-Target: good\r\n bad", forbidden},
		{"target folded before", "X-Amz-Target: good", "X-Amz-Target:\r\n good", ok},
		{"target with a bare CR", "X-Amz-Target: good", "X-Amz-Target: good\rbad", bad},
		{"target with NUL", "X-Amz-Target: good", "X-Amz-Target: good\x00", bad},
		{"non-ASCII name", "X-Amz-Target:", "X-Amz-Tärget: bad\r\nX-Amz-Target:", bad},
		{"Kelvin sign for k", "X-Amz-Target:", "X-Amz-To\u212aen: bad\r\nX-Amz-Target:", bad},
		{"value with a no-break space", "X-Amz-Target: good", "X-Amz-Target: good\u00a0", forbidden},
		{"two lengths", "Content-Length: 2", "Content-Length: 2\r\nContent-Length: 3", bad},
		{"length and chunks, body without", "Content-Length: 2\r\n", "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", forbidden},
		{"length and chunks, body in chunks", "\r\n\r\n{}", "\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", ok}, // the body is what was signed
		{"longer body", "Content-Length: 2", "Content-Length: 3", forbidden},
		{"shorter body", "Content-Length: 2", "Content-Length: 1", forbidden},
		{"method override", "X-Amz-Target:", "X-Http-Method-Override: GET\r\nX-Amz-Target:", ok}, // nobody reads it
		{"another method", "POST", "PUT", forbidden},
		{"another authorization", "Authorization:", "Authorization: x\r\nAuthorization:", forbidden},
	} {
		if strings.Count(valid, tt.old) == 0 {
			t.Fatalf("%s: no %q", tt.name, tt.old)
		}
		wire := strings.Replace(valid, tt.old, tt.new, 1)
		status, answer := exchange(t, host, wire+strings.Repeat("x", strings.Count(tt.name, "longer")))
		if status != tt.status {
			t.Errorf("%s: got %s %q, want %s", tt.name, status, answer, tt.status)
		}
		if status == ok && answer != "HTTP/1.1 target=good" {
			t.Errorf("%s: got %q", tt.name, answer)
		}
	}
}

// exchange sends raw bytes and returns the status and the body of the first answer.
func exchange(t *testing.T, addr, wire string) (status, body string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, wire); err != nil {
		t.Fatal(err)
	}
	// No more will come: a server that waits for the rest of a body must not wait for ever.
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return itoa(resp.StatusCode), string(b)
}
