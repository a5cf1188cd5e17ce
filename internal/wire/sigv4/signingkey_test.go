package sigv4

import (
	"context"
	"crypto/fips140"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/trent-kms/trent/internal/material"
)

// AWS's published example of a derived signing key (AWS General Reference, "Examples of how to derive a signing key for
// Signature Version 4", 2015-08-30, us-east-1, iam), shown there in hexadecimal.
func TestSigningKeyDerivation(t *testing.T) {
	const want = "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"
	s := scope{accessKeyID: exampleKey, day: "20150830", region: "us-east-1", service: "iam"}
	k, err := derive(s, material.Take([]byte(exampleSecret)))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := hex.DecodeString(want)
	work := scratch{text: []byte("text")}
	k.sign(&work)
	if got, want := string(work.hex[:]), hex.EncodeToString(refMAC(raw, "text")); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A key that was cached for one secret serves no other: not the old secret after a change, not a wrong one.
func TestCachedKeyFollowsTheSecret(t *testing.T) {
	current := exampleSecret
	v := newVerifier(t, Config{Lookup: func(context.Context, string, string) (Credential, error) {
		return credential(exampleKey, current), nil
	}})
	verify := func(secret string) error {
		r, body := newDecrypt(t)
		s := example()
		s.secret = secret
		s.sign(r, body)
		_, err := v.Verify(t.Context(), r, body)
		return err
	}
	for _, step := range []struct {
		current, signed string
		ok              bool
	}{
		{exampleSecret, exampleSecret, true},
		{exampleSecret, exampleSecret, true},
		{exampleSecret, "new", false},
		{"new", exampleSecret, false},
		{"new", "new", true},
		{"new", exampleSecret, false},
		{exampleSecret, "new", false},
		{exampleSecret, exampleSecret, true},
	} {
		current = step.current
		if err := verify(step.signed); (err == nil) != step.ok {
			t.Errorf("current %.3s, signed %.3s: %v", step.current, step.signed, err)
		}
	}
	if n := v.keys.len(); n != 1 {
		t.Errorf("%d keys cached, want 1", n)
	}
}

// Nothing that does not verify leaves a trace in the cache.
func TestOnlyVerifiedKeysAreCached(t *testing.T) {
	v := newVerifier(t, Config{})
	for i := range 100 {
		for _, change := range []func(*reference){
			func(s *reference) { s.secret = "wrong" },
			func(s *reference) { s.id = fmt.Sprint("AKIDOTHER", i) },
			func(s *reference) { s.region = fmt.Sprint("region-", i); s.secret = "wrong" },
		} {
			r, body := newDecrypt(t)
			s := example()
			change(&s)
			s.sign(r, body)
			if _, err := v.Verify(t.Context(), r, body); err == nil {
				t.Fatal("verified")
			}
		}
	}
	if n := v.keys.len(); n != 0 {
		t.Errorf("%d keys cached, want 0", n)
	}
}

// Who has a key may name any Region; the cache stays bounded all the same, and what is in use stays in it.
func TestKeyCacheIsBounded(t *testing.T) {
	const limit = 8
	v := newVerifier(t, Config{Keys: limit})
	home := scope{accessKeyID: exampleKey, day: "20150830", region: "eu-central-1", service: "kms"}
	for i := range 20 * limit {
		for _, region := range []string{home.region, fmt.Sprint("region-", i)} {
			r, body := newDecrypt(t)
			s := example()
			s.region = region
			s.sign(r, body)
			if _, err := v.Verify(t.Context(), r, body); err != nil {
				t.Fatal(err)
			}
		}
		if n := v.keys.len(); n > 2*limit {
			t.Fatalf("%d keys cached, want at most %d", n, 2*limit)
		}
		if v.keys.get(home) == nil {
			t.Fatal("the key in use was dropped")
		}
	}
}

// A cached key and what Verify returns must not keep a request's header, which may be large, in memory.
func TestKeyCacheHoldsNoRequest(t *testing.T) {
	r, body := newDecrypt(t)
	s := example()
	s.sign(r, body)
	v := newVerifier(t, Config{})
	signed, err := v.Verify(t.Context(), r, body)
	if err != nil {
		t.Fatal(err)
	}
	header := r.Header.Get("Authorization")
	if i := strings.Index(header, "eu-central-1"); unsafe.StringData(header[i:]) == unsafe.StringData(signed.Region) {
		t.Error("Signed.Region is a part of the Authorization header")
	}
	for k := range v.keys.young {
		if unsafe.StringData(k.accessKeyID) == unsafe.StringData(header[strings.Index(header, k.accessKeyID):]) {
			t.Error("the cached access key id is a part of the Authorization header")
		}
	}
}

// HMAC keys under 112 bits are refused in FIPS 140-3 mode, where crypto/hmac would panic. The mode is fixed when a
// process starts, so the test starts itself again.
func TestShortSecretInFIPSMode(t *testing.T) {
	if !fips140.Enforced() {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestShortSecretInFIPSMode$", "-test.v")
		cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: TestShortSecretInFIPSMode") {
			t.Fatalf("in FIPS mode: %v\n%s", err, out)
		}
		return
	}
	s := scope{accessKeyID: exampleKey, day: "20150830", region: "us-east-1", service: "iam"}
	_, err := derive(s, material.Take([]byte("test")))
	wantError(t, err, invalidCode, "The secret access key is too short for FIPS 140-3 mode.")
	r, body := newDecrypt(t)
	example().sign(r, body)
	if _, err := newVerifier(t, Config{}).Verify(t.Context(), r, body); err != nil {
		t.Errorf("a secret of 320 bits is refused: %v", err)
	}
}

func TestVerifyConcurrently(t *testing.T) {
	v := newVerifier(t, Config{Keys: 4})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				r, body := newDecrypt(t)
				s := example()
				s.region = fmt.Sprint("region-", (g+i)%12)
				bad := i%5 == 0
				if bad {
					s.secret = "wrong"
				}
				s.sign(r, body)
				if got, err := v.Verify(t.Context(), r, body); (err != nil) != bad || err == nil && got.Region != s.region {
					t.Errorf("bad %v: got %v, %v", bad, got, err)
				}
			}
		})
	}
	wg.Wait()
}

func (c *keyCache) len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	all := make(map[scope]bool)
	for _, m := range []map[scope]*signingKey{c.young, c.old} {
		for s := range m {
			all[s] = true
		}
	}
	return len(all)
}
