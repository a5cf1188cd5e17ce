package fetch

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// provider is an identity provider's web server with a certificate that nobody trusts.
func provider(t *testing.T, handler http.HandlerFunc) (*httptest.Server, []string) {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // that we do not trust it is no news
	s.StartTLS()
	t.Cleanup(s.Close)
	sum := sha1.Sum(s.Certificate().Raw)
	return s, []string{hex.EncodeToString(sum[:])}
}

func TestDocument(t *testing.T) {
	s, thumbprints := provider(t, func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"Authorization", "Cookie", "Accept-Encoding", "Referer"} {
			if r.Header.Get(name) != "" {
				t.Errorf("%s was sent", name)
			}
		}
		w.Write([]byte(`{"keys":[]}`))
	})
	got, err := New(true).Get(t.Context(), s.URL+"/keys", thumbprints)
	if err != nil || string(got) != `{"keys":[]}` {
		t.Errorf("got %q, %v", got, err)
	}
}

// A certificate that is not trusted otherwise is let in by its thumbprint alone, and only for the name that is in it.
func TestThumbprintLetsAServerIn(t *testing.T) {
	s, thumbprints := provider(t, func(http.ResponseWriter, *http.Request) {})
	u, _ := url.Parse(s.URL)
	tests := []struct {
		name        string
		url         string
		thumbprints []string
		ok          bool
	}{
		{"its own", s.URL, thumbprints, true},
		{"its own among others", s.URL, append([]string{strings.Repeat("0", 40)}, thumbprints...), true},
		{"none", s.URL, nil, false},
		{"another", s.URL, []string{strings.Repeat("0", 40)}, false},
		{"upper case, which is not stored", s.URL, []string{strings.ToUpper(thumbprints[0])}, false},
		{"another name of the server", "https://localhost:" + u.Port(), thumbprints, false},
	}
	for _, test := range tests {
		_, err := New(true).Get(t.Context(), test.url, test.thumbprints)
		if (err == nil) != test.ok {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// A connection that one account's thumbprints have let in does not serve another account's request.
func TestThumbprintsOfOneRequestDoNotHelpAnother(t *testing.T) {
	s, thumbprints := provider(t, func(http.ResponseWriter, *http.Request) {})
	c := New(true)
	for range 3 {
		if _, err := c.Get(t.Context(), s.URL, thumbprints); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Get(t.Context(), s.URL, nil); err == nil {
			t.Fatal("let in without a thumbprint")
		}
	}
}

func TestRefusedURLs(t *testing.T) {
	tests := []struct {
		url string
		dev bool
	}{
		{"", true}, {"https://", true}, {"https:///path", true}, {"ftp://example.com/", true}, {"file:///etc/passwd", true},
		{"gopher://example.com", true}, {"//example.com/keys", true}, {"https://user@example.com/", true}, {"https://user:secret@example.com/", true},
		{"http://example.com/", false}, {"http://127.0.0.1/", false}, {"https://exa mple.com/", true}, {"https://%zz/", true}, {"\x7f", true},
	}
	for _, test := range tests {
		if _, err := New(test.dev).Get(t.Context(), test.url, nil); !errors.Is(err, ErrURL) {
			t.Errorf("%q: %v", test.url, err)
		}
	}
}

func TestRefusedAddresses(t *testing.T) {
	tests := []struct {
		scheme, address string
		production, dev bool // allowed
	}{
		{"https", "192.0.2.1:443", true, true},
		{"https", "10.1.2.3:8443", true, true},
		{"https", "[2001:db8::1]:443", true, true},
		{"https", "[fd12::1]:443", true, true},
		{"http", "192.0.2.1:80", false, false},
		{"http", "127.0.0.1:80", false, true},
		{"http", "[::1]:80", false, true},
		{"https", "127.0.0.1:443", false, true},
		{"https", "127.8.8.8:443", false, true},
		{"https", "[::ffff:127.0.0.1]:443", false, true},
		{"https", "169.254.169.254:443", false, false},
		{"http", "169.254.169.254:80", false, false},
		{"https", "[::ffff:169.254.169.254]:443", false, false},
		{"https", "[fe80::1%eth0]:443", false, false},
		{"https", "[fd00:ec2::254]:443", false, false},
		{"https", "[fd20:ce::254]:443", false, false},
		{"https", "100.100.100.200:443", false, false},
		{"https", "168.63.129.16:443", false, false},
		{"https", "192.0.0.192:443", false, false},
		{"https", "0.0.0.0:443", false, false},
		{"https", "0.1.2.3:443", false, false},
		{"https", "255.255.255.255:443", false, false},
		{"https", "[64:ff9b::a9fe:a9fe]:443", false, false}, // NAT64 to 169.254.169.254
		{"https", "[64:ff9b::c000:201]:443", true, true},    // and to 192.0.2.1
		{"https", "[64:ff9b::7f00:1]:443", false, true},
		{"https", "[2002:7f00:1::]:443", false, true}, // 6to4 to 127.0.0.1
		{"https", "[2002:a9fe:a9fe::1]:443", false, false},
		{"https", "[::169.254.169.254]:443", false, false},
		{"https", "[::]:443", false, false},
		{"https", "224.0.0.1:443", false, false},
		{"https", "[ff02::1]:443", false, false},
		{"https", "example.com:443", false, false}, // names are resolved before
		{"https", "", false, false},
	}
	for _, test := range tests {
		for dev, want := range map[bool]bool{false: test.production, true: test.dev} {
			if err := New(dev).checkAddress(test.scheme, test.address); (err == nil) != want {
				t.Errorf("%s %s, dev %t: %v", test.scheme, test.address, dev, err)
			}
		}
	}
}

// In production nothing on the server's own machine is reached, under whatever name.
func TestProductionReachesNoLoopback(t *testing.T) {
	reached := false
	s, thumbprints := provider(t, func(http.ResponseWriter, *http.Request) { reached = true })
	u, _ := url.Parse(s.URL)
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f000001", "127.1"} {
		if _, err := New(false).Get(t.Context(), "https://"+host+":"+u.Port(), thumbprints); err == nil {
			t.Errorf("%s was reached", host)
		}
	}
	if reached {
		t.Error("the server was reached")
	}
}

func TestRedirects(t *testing.T) {
	elsewhere, _ := provider(t, func(http.ResponseWriter, *http.Request) { t.Error("followed to another host") })
	s, thumbprints := provider(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/here":
			w.Write([]byte("here"))
		case "/moved":
			http.Redirect(w, r, "/here", http.StatusMovedPermanently)
		case "/away":
			http.Redirect(w, r, elsewhere.URL+"/here", http.StatusFound)
		case "/plain":
			http.Redirect(w, r, "http://"+r.Host+"/here", http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		}
	})
	for path, ok := range map[string]bool{"/moved": true, "/away": false, "/plain": false, "/file": false, "/round": false} {
		got, err := New(true).Get(t.Context(), s.URL+path, thumbprints)
		if (err == nil) != ok || ok && string(got) != "here" {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
}

func TestAnswersThatAreNoDocument(t *testing.T) {
	large := bytes.Repeat([]byte("x"), MaxBytes+1)
	s, thumbprints := provider(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/limit":
			w.Write(large[1:])
		case "/large":
			w.Write(large)
		case "/missing":
			http.Error(w, "{}", http.StatusNotFound)
		case "/created":
			w.WriteHeader(http.StatusCreated)
		case "/header":
			w.Header().Set("X-Large", strings.Repeat("x", 4*maxHeaderBytes))
		case "/cut":
			w.Header().Set("Content-Length", "100")
			w.Write([]byte("{}"))
		}
	})
	for path, ok := range map[string]bool{"/limit": true, "/large": false, "/missing": false, "/created": false, "/header": false, "/cut": false} {
		got, err := New(true).Get(t.Context(), s.URL+path, thumbprints)
		if (err == nil) != ok || !ok && got != nil {
			t.Errorf("%s: %d bytes, %v", path, len(got), err)
		}
	}
}

func TestCallerThatGoesEndsIt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, thumbprints := provider(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	if _, err := New(true).Get(ctx, s.URL, thumbprints); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestDevelopmentWithoutTLS(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("here")) }))
	defer s.Close()
	if got, err := New(true).Get(t.Context(), s.URL, nil); err != nil || string(got) != "here" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := New(false).Get(t.Context(), s.URL, nil); !errors.Is(err, ErrURL) {
		t.Errorf("production: %v", err)
	}
}
