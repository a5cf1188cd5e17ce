package kms_test

import (
	"log/slog"
	"testing"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/hsm/root"
	"github.com/trent-kms/trent/internal/server"
	"github.com/trent-kms/trent/internal/store/memory"
)

// newBench is newWorld without what it keeps and tests of every answer.
func newBench(b *testing.B) user {
	b.Helper()
	s, err := server.New(b.Context(), server.Config{
		Store: memory.New(), Engine: "memory", Root: root.New(), Audit: audit.Config{Dir: b.TempDir(), Sync: audit.SyncOS},
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
	w.as(alice).newRole("app")
	return w.as(alice)
}

// repeat sends a request, signed anew each time.
func (u user) repeat(b *testing.B, operation string, body []byte) {
	b.ReportAllocs()
	for b.Loop() {
		if a := u.roundTrip("kms", "TrentService", operation, body); !a.ok() {
			b.Fatal(a.code)
		}
	}
}

func BenchmarkCreateGrant(b *testing.B) {
	u := newBench(b)
	id := u.createKey()
	again := grantRequest(id)
	again.Name = new("app")
	u.createGrant(again)
	b.Run("Again", func(b *testing.B) { u.repeat(b, "CreateGrant", again.AppendJSON(nil)) })
	b.Run("New", func(b *testing.B) { // on a new key each time: there is a quota
		u := newBench(b)
		in := grantRequest(u.createKey())
		b.ReportAllocs()
		for n := 1; b.Loop(); n++ {
			if n%40_000 == 0 {
				in = grantRequest(u.createKey())
			}
			if a := u.roundTrip("kms", "TrentService", "CreateGrant", in.AppendJSON(nil)); !a.ok() {
				b.Fatal(a.code)
			}
		}
	})
}

// The difference between the two is the price of a grant token.
func BenchmarkGrantToken(b *testing.B) {
	u := newBench(b)
	id := u.createKey()
	_, token := u.createGrant(grantRequest(id))
	for _, row := range []struct {
		name   string
		tokens []string
	}{{"None", nil}, {"One", []string{token}}} {
		b.Run(row.name, func(b *testing.B) {
			u.repeat(b, "DescribeKey", (&kmsapi.DescribeKeyRequest{KeyId: &id, GrantTokens: row.tokens}).AppendJSON(nil))
		})
	}
}
