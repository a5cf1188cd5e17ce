package kms_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/hsm/root"
	"github.com/trent-kms/trent/internal/server"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/store/bolt"
	"github.com/trent-kms/trent/internal/store/memory"
)

// newBenchOn is newBench on another store.
func newBenchOn(b *testing.B, st store.Store) user {
	b.Helper()
	s, err := server.New(b.Context(), server.Config{
		Store: st, Engine: "memory", Root: root.New(), Audit: audit.Config{Dir: b.TempDir(), Sync: audit.SyncOS},
		Dev: true, Version: "test", Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	w := &world{t: b, handler: s.Handler(), answered: map[string]answered{}, secrets: map[string]string{}}
	return w.as(alice)
}

// BenchmarkDecryptByGrant is Decrypt on a key with many grants, of which one allows it. What it costs more than by the key's
// policy is the search for that grant.
func BenchmarkDecryptByGrant(b *testing.B) {
	const grants = 10_000
	stores := map[string]func(b *testing.B) store.Store{
		"memory": func(*testing.B) store.Store { return memory.New() },
		"bbolt": func(b *testing.B) store.Store {
			s, err := bolt.Open(b.Context(), bolt.Config{Path: filepath.Join(b.TempDir(), "store"), NoSync: true})
			if err != nil {
				b.Fatal(err)
			}
			return s
		},
	}
	for name, open := range stores {
		context := func(n int) map[string]string { return map[string]string{"volume": fmt.Sprintf("vol-%08d", n)} }
		prepare := func(b *testing.B) (u user, id string, body []byte) {
			u = newBenchOn(b, open(b))
			id = u.createClosed()
			blob := u.encrypt(id, secret, context(grants/2))
			return u, id, (&kmsapi.DecryptRequest{CiphertextBlob: blob, EncryptionContext: context(grants / 2)}).AppendJSON(nil)
		}
		b.Run(name+"/KeyPolicy", func(b *testing.B) {
			u, _, body := prepare(b)
			u.repeat(b, "Decrypt", body)
		})
		b.Run(name+"/OneOf10000Grantees", func(b *testing.B) {
			u, id, body := prepare(b)
			role := u.newRole("app")
			for i := range grants {
				u.grantTo(id, fmt.Sprintf("arn:aws:sts::%s:assumed-role/app/session-%d", alice, i), operations{"Decrypt"}, nil)
			}
			u.assume(role, fmt.Sprintf("session-%d", grants/2)).repeat(b, "Decrypt", body)
		})
		ofTheGrantee := func(b *testing.B) (u, session user, id, role string, body []byte) {
			u, id, body = prepare(b)
			role = u.newRole("app")
			for i := range grants {
				u.grantTo(id, role, operations{"Decrypt"}, &kmsapi.GrantConstraints{EncryptionContextEquals: context(i)})
			}
			return u, u.assume(role, "session"), id, role, body
		}
		b.Run(name+"/OneOf10000OfTheGrantee", func(b *testing.B) {
			_, session, _, _, body := ofTheGrantee(b)
			session.repeat(b, "Decrypt", body)
		})
		b.Run(name+"/OneOf10000AfterTwoChanges", func(b *testing.B) { // without the changes themselves
			u, session, id, role, body := ofTheGrantee(b)
			for b.Loop() {
				b.StopTimer()
				grant, _ := u.grantTo(id, role, operations{"Decrypt"}, &kmsapi.GrantConstraints{EncryptionContextEquals: context(grants)})
				u.must(&kmsapi.RevokeGrantRequest{KeyId: &id, GrantId: &grant})
				b.StartTimer()
				if a := session.roundTrip("kms", "TrentService", "Decrypt", body); !a.ok() {
					b.Fatal(a.code)
				}
			}
		})
	}
}
