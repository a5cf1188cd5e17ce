package etcd

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestURLNamesEndpointsAndPrefix(t *testing.T) {
	for raw, want := range map[string]Config{
		"etcd://localhost":                     {Endpoints: []string{"localhost:2379"}, Prefix: "/trent"},
		"etcd://localhost/":                    {Endpoints: []string{"localhost:2379"}, Prefix: "/trent"},
		"etcd://10.0.0.1:1,b.example:2,c/x":    {Endpoints: []string{"10.0.0.1:1", "b.example:2", "c:2379"}, Prefix: "/x"},
		"etcd://[::1]:2379,[fe80::1]/prod/eu/": {Endpoints: []string{"[::1]:2379", "[fe80::1]:2379"}, Prefix: "/prod/eu"},
		"etcd://a/p?":                          {Endpoints: []string{"a:2379"}, Prefix: "/p"},
	} {
		got, err := Parse(raw)
		if err != nil || !slices.Equal(got.Endpoints, want.Endpoints) || got.Prefix != want.Prefix || got.TLS != nil || got.Username != "" {
			t.Errorf("%s: got %+v and error %v", raw, got, err)
		}
	}
}

func TestURLThatIsNotClearIsRefused(t *testing.T) {
	for _, raw := range []string{
		"", "etcd", "etcd:", "http://a", "ETCD://a", "etcd://", "etcd:///p", "etcd://a,", "etcd://,a", "etcd://a,,b", "etcd://:2379",
		"etcd://a:b", "etcd://a:1:2", "etcd://a b", "etcd://a#x", "etcd://::1", "etcd://[::1", "etcd://a\\b",
		"etcd://a/my prefix", "etcd://a/é", "etcd://a//", "etcd://a/" + strings.Repeat("x", 256),
		"etcd://user:secret@a/", "etcd://a,user:secret@b",
		"etcd://a?x=1", "etcd://a?ca=/x", "etcd://a?cert=/x&key=/y", "etcd://a?user=u", "etcd://a?password-file=/x",
		"etcd://a?user=u&password-file=/nonexistent/file", "etcd://a?user=u&user=v&password-file=/x", "etcd://a?user=&password-file=/x",
		"etcd://a?user=%zz", "etcds://a?cert=/x", "etcds://a?key=/x", "etcds://a?ca=/nonexistent/file", "etcds://a?ca=",
		"etcds://a?cert=/nonexistent/file&key=/nonexistent/file",
	} {
		cfg, err := Parse(raw)
		if raw == "etcd://a//" && err == nil && cfg.Prefix == defaultPrefix {
			continue // no prefix, twice
		}
		if err == nil || cfg.Endpoints != nil {
			t.Errorf("%q: got %+v", raw, cfg)
			continue
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error %q repeats the password", raw, err)
		}
	}
}

func TestURLReadsItsFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cert, key := selfSigned(t)
	ca, k := write("ca.pem", cert), write("key.pem", key)
	password, junk := write("password", []byte("hidden\n")), write("junk", []byte("junk"))

	cfg, err := Parse("etcds://a:1/p?ca=" + ca + "&cert=" + ca + "&key=" + k + "&user=trent&password-file=" + password)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Username != "trent" || cfg.Password != "hidden" || cfg.TLS == nil || cfg.TLS.RootCAs == nil || len(cfg.TLS.Certificates) != 1 {
		t.Errorf("got user %s, TLS %+v", cfg.Username, cfg.TLS)
	}
	if cfg, err := Parse("etcds://a:1"); err != nil || cfg.TLS == nil || cfg.TLS.RootCAs != nil || cfg.TLS.InsecureSkipVerify {
		t.Errorf("system authorities: got %+v and error %v", cfg.TLS, err)
	}
	for _, raw := range []string{"etcds://a?ca=" + junk, "etcds://a?cert=" + junk + "&key=" + k, "etcds://a?cert=" + ca + "&key=" + junk} {
		if _, err := Parse(raw); err == nil {
			t.Errorf("%s was accepted", raw)
		}
	}
}

func selfSigned(t *testing.T) (certPEM, keyPEM []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
}

func FuzzParse(f *testing.F) {
	for _, raw := range []string{"etcd://a", "etcd://a:1,b:2/p", "etcds://[::1]:2379/x/y", "etcd://u:p@a", "etcd://a?user=u", "etcd://a/%2f", "x"} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if strings.ContainsAny(raw, "?") {
			return // would read files
		}
		cfg, err := Parse(raw)
		if err != nil {
			if cfg.Endpoints != nil {
				t.Errorf("error %v with %+v", err, cfg)
			}
			return
		}
		if err := cfg.check(); err != nil {
			t.Errorf("accepted %q, which Open refuses: %v", raw, err)
		}
		again, err := Parse("etcd://" + strings.Join(cfg.Endpoints, ",") + cfg.Prefix)
		if err != nil || !slices.Equal(again.Endpoints, cfg.Endpoints) || again.Prefix != cfg.Prefix {
			t.Errorf("%q: %+v is read again as %+v, error %v", raw, cfg, again, err)
		}
	})
}
