package kms_test

import (
	"fmt"
	"testing"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/store"
)

func TestGrantsComeAndGoAtTheSameTime(t *testing.T) {
	u := grantWorld(t).as(alice)
	id := u.createKey()
	shared, token := u.createGrant(grantRequest(id))
	ended, firsts := make([]int, workers), make([]string, workers)
	for w := range workers {
		in := grantRequest(id)
		in.RetiringPrincipal, in.Name = new(role), new(fmt.Sprint("w", w))
		_, firsts[w] = u.createGrant(in)
	}
	together(func(w int) {
		in := grantRequest(id)
		in.RetiringPrincipal = new(role)
		u.mustAll(in, &kmsapi.RetireGrantRequest{GrantToken: &firsts[w]})
		for _, end := range []request{&kmsapi.RetireGrantRequest{GrantToken: &token}, &kmsapi.RevokeGrantRequest{KeyId: &id, GrantId: &shared}} {
			if u.send(end).ok() {
				ended[w]++
			}
		}
	})
	total := 0
	for _, n := range ended {
		total += n
	}
	if got := len(u.grantsOf(id)); got != workers || total != 1 {
		t.Errorf("%d grants, want %d; the shared one has ended %d times", got, workers, total)
	}
	u.checkGrants()
}

func TestSomebodyElseIsFasterWithAGrant(t *testing.T) {
	for name, row := range map[string]struct {
		slow, fast func(id, grant, token string) request
		code       string
		left       int
	}{
		"retired while it is revoked": {
			func(id, grant, _ string) request { return &kmsapi.RevokeGrantRequest{KeyId: &id, GrantId: &grant} },
			func(_, _, token string) request { return &kmsapi.RetireGrantRequest{GrantToken: &token} }, "NotFoundException", 0,
		},
		"revoked while it is retired": {
			func(_, _, token string) request { return &kmsapi.RetireGrantRequest{GrantToken: &token} },
			func(id, grant, _ string) request { return &kmsapi.RevokeGrantRequest{KeyId: &id, GrantId: &grant} }, "InvalidGrantTokenException", 0,
		},
		"another made while one is made": {
			func(id, _, _ string) request { return grantRequest(id) }, func(id, _, _ string) request { return grantRequest(id) }, "", 3,
		},
		"disabled while one is made": {
			func(id, _, _ string) request { return grantRequest(id) },
			func(id, _, _ string) request { return &kmsapi.DisableKeyRequest{KeyId: &id} }, "DisabledException", 1,
		},
		"its token's grant revoked while one is made": {
			func(id, _, token string) request {
				in := grantRequest(id)
				in.GrantTokens = []string{token}
				return in
			},
			func(id, grant, _ string) request { return &kmsapi.RevokeGrantRequest{KeyId: &id, GrantId: &grant} }, "InvalidGrantTokenException", 0,
		},
	} {
		w := grantWorld(t)
		u := w.as(alice)
		id := u.createKey()
		grant, token := u.createGrant(grantRequest(id))
		w.faults.onWrite(u.keyPath(id), func() { u.mustAll(row.fast(id, grant, token)) })
		if a := u.send(row.slow(id, grant, token)); a.code != row.code {
			t.Errorf("%s: got %d %q, want %q", name, a.status, a.code, row.code)
		}
		if n := len(u.grantsOf(id)); n != row.left {
			t.Errorf("%s: %d grants, want %d", name, n, row.left)
		}
		w.checkGrants()
	}
}

func TestGrantsOnABrokenDisk(t *testing.T) {
	for _, applied := range []bool{false, true} {
		w := grantWorld(t)
		u := w.as(alice)
		id := u.createKey()
		in := grantRequest(id)
		in.Name, in.RetiringPrincipal = new("app"), new(role)
		w.setFaulty(true)
		w.faults.fail(fault{applied, errDisk})
		if a := u.send(in); a.ok() {
			t.Error("CreateGrant succeeds on a broken disk")
		}
		w.checkGrants()
		grant, token := u.createGrant(in) // the same one, if it was applied
		if n := len(u.grantsOf(id)); n != 1 {
			t.Errorf("applied %v: %d grants", applied, n)
		}
		w.faults.fail(fault{applied, errDisk})
		if a := u.send(&kmsapi.RetireGrantRequest{GrantToken: &token}); a.ok() {
			t.Error("RetireGrant succeeds on a broken disk")
		}
		w.checkGrants()
		if a := u.send(&kmsapi.RevokeGrantRequest{KeyId: &id, GrantId: &grant}); a.ok() == applied {
			t.Errorf("applied %v: RevokeGrant answers %s", applied, a.code)
		}
		w.checkGrants()
	}
}

func TestGrantsThatWereMovedAreRefused(t *testing.T) {
	for prefix, asked := range map[string]func(id string, again *kmsapi.CreateGrantRequest, grant, token string) []request{
		"kms/grant-name/": func(_ string, again *kmsapi.CreateGrantRequest, _, _ string) []request { return []request{again} },
		"kms/grant/": func(id string, again *kmsapi.CreateGrantRequest, grant, token string) []request {
			return []request{
				&kmsapi.ListGrantsRequest{KeyId: &id}, &kmsapi.ListRetirableGrantsRequest{RetiringPrincipal: new(role)},
				&kmsapi.DescribeKeyRequest{KeyId: &id, GrantTokens: []string{token}}, &kmsapi.RetireGrantRequest{GrantToken: &token},
				&kmsapi.RevokeGrantRequest{KeyId: &id, GrantId: &grant}, again,
			}
		},
	} {
		w := grantWorld(t)
		u := w.as(alice)
		in := grantRequest(u.createKey())
		in.RetiringPrincipal, in.Name = new(role), new("a")
		u.createGrant(in)
		in.Name = new("b")
		grant, token := u.createGrant(in)
		w.swap(prefix) // nothing has read the records, so no cache has them
		w.setFaulty(true)
		for _, in := range asked(*in.KeyId, in, grant, token) {
			u.refusedAs(in, "KMSInternalException")
		}
		w.swap(prefix)
		w.checkGrants()
	}
}

func (w *world) swap(prefix string) {
	w.t.Helper()
	page, err := w.store.Range(w.t.Context(), prefix, "", 3)
	if err != nil || len(page.Records) != 2 {
		w.t.Fatal(err, len(page.Records))
	}
	one, two := page.Records[0], page.Records[1]
	if _, err := w.store.Commit(w.t.Context(), store.Txn{Puts: []store.Put{{Key: one.Key, Value: two.Value}, {Key: two.Key, Value: one.Value}}}); err != nil {
		w.t.Fatal(err)
	}
}
