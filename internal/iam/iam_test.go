package iam_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/trent-kms/trent/internal/clock"
	"github.com/trent-kms/trent/internal/hsm"
	"github.com/trent-kms/trent/internal/iam"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/store/memory"
	"github.com/trent-kms/trent/internal/wire/sigv4"
)

func open(t *testing.T, dev bool) (*iam.Service, *store.Cached) {
	t.Helper()
	st := store.NewCached(memory.New())
	t.Cleanup(func() { st.Close() })
	return iam.New(iam.Config{Store: st, HSM: newHSM(t), Dev: dev, Clock: new(clock.Clock)}), st
}

func newKey(t *testing.T, s *iam.Service, st store.Store) iam.AccessKey {
	t.Helper()
	k, txn, err := s.NewRootKey(account, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Commit(t.Context(), txn); err != nil {
		t.Fatal(err)
	}
	return k
}

func TestLookup(t *testing.T) {
	s, st := open(t, false)
	k := newKey(t, s, st)
	got, err := s.Lookup(t.Context(), k.ID, "")
	if err != nil || !got.Secret.Equal(k.Secret) || got.Caller.ARN != "arn:aws:iam::111122223333:root" || got.Caller.AccessKeyID != k.ID {
		t.Errorf("got %+v, %v", got, err)
	}
	unknown := []string{"", "test", account, "AKIA", "AKIAAAAAAAAAAAAAAAAA", strings.ToLower(k.ID), k.ID + "A", k.ID[:19] + "/", "../" + k.ID[3:]}
	for _, id := range unknown {
		if got, err := s.Lookup(t.Context(), id, ""); !errors.Is(err, sigv4.ErrUnknownKey) {
			t.Errorf("%q: got %+v, %v", id, got, err)
		}
	}
	if _, err := s.Lookup(t.Context(), k.ID, "token"); !errors.Is(err, sigv4.ErrUnknownKey) {
		t.Errorf("with a session token: %v", err)
	}
}

func TestKeysDifferAndHaveAWSsForm(t *testing.T) {
	s, st := open(t, false)
	seen := map[string]bool{}
	for range 100 {
		k := newKey(t, s, st)
		if len(k.ID) != 20 || !strings.HasPrefix(k.ID, "AKIA") || k.Secret.Len() != 40 {
			t.Fatalf("id %q, secret of %d bytes", k.ID, k.Secret.Len())
		}
		if seen[k.ID] || seen[string(k.Secret.Expose())] {
			t.Fatal("a key came twice")
		}
		seen[k.ID], seen[string(k.Secret.Expose())] = true, true
	}
}

func TestSecretIsSealedInTheStore(t *testing.T) {
	s, st := open(t, false)
	k := newKey(t, s, st)
	page, err := st.Range(t.Context(), "iam/access-key/", "", 100)
	if err != nil || len(page.Records) != 1 {
		t.Fatalf("%d records, %v", len(page.Records), err)
	}
	if strings.Contains(string(page.Records[0].Value), string(k.Secret.Expose())) {
		t.Error("the store holds the secret in the clear")
	}
}

// A store that is not trusted can move a record under another key's name. It must not let one account's secret sign for
// another's key.
func TestMovedRecordLetsNobodyIn(t *testing.T) {
	s, st := open(t, false)
	a, b := newKey(t, s, st), newKey(t, s, st)
	r, err := st.Get(t.Context(), "iam/access-key/"+a.ID)
	if err != nil {
		t.Fatal(err)
	}
	put := func(value string) {
		if _, err := st.Commit(t.Context(), store.Txn{Puts: []store.Put{{Key: "iam/access-key/" + b.ID, Value: []byte(value)}}}); err != nil {
			t.Fatal(err)
		}
	}
	put(string(r.Value))
	if got, err := s.Lookup(t.Context(), b.ID, ""); !errors.Is(err, sigv4.ErrUnknownKey) {
		t.Errorf("moved as it was: %+v, %v", got, err)
	}
	put(strings.Replace(string(r.Value), a.ID, b.ID, 1))
	if got, err := s.Lookup(t.Context(), b.ID, ""); !errors.Is(err, hsm.ErrWrapped) {
		t.Errorf("moved and renamed: %+v, %v", got, err)
	}
	put(strings.Replace(string(r.Value), account, "444455556666", 1))
	if got, err := s.Lookup(t.Context(), b.ID, ""); err == nil {
		t.Errorf("given to another account: %+v", got)
	}
	put(strings.Replace(string(r.Value), `"v":1`, `"v":2`, 1))
	if _, err := s.Lookup(t.Context(), b.ID, ""); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("newer record: %v", err)
	}
}

func TestDevelopmentCredentials(t *testing.T) {
	s, _ := open(t, true)
	for id, want := range map[string]string{"test": "000000000000", account: account} {
		got, err := s.Lookup(t.Context(), id, "")
		if err != nil || got.Caller.Account != want || string(got.Secret.Expose()) != "test" {
			t.Errorf("%s: %+v, %v", id, got, err)
		}
	}
	for _, id := range []string{"Test", "test ", "11112222333", "1111222233334"} {
		if got, err := s.Lookup(t.Context(), id, ""); !errors.Is(err, sigv4.ErrUnknownKey) {
			t.Errorf("%q: %+v, %v", id, got, err)
		}
	}
}
