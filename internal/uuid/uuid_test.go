package uuid_test

import (
	"testing"

	"github.com/trent-kms/trent/internal/uuid"
)

func TestNewIsValidVersion4AndDiffers(t *testing.T) {
	seen := make(map[string]bool)
	for range 10_000 {
		id := uuid.New()
		if !uuid.Valid(id) || id[14] != '4' || (id[19] != '8' && id[19] != '9' && id[19] != 'a' && id[19] != 'b') {
			t.Fatalf("%q is no version 4 UUID", id)
		}
		if seen[id] {
			t.Fatalf("%q came twice", id)
		}
		seen[id] = true
	}
}

func TestValid(t *testing.T) {
	for s, want := range map[string]bool{
		"1234abcd-12ab-34cd-56ef-1234567890ab": true, "1234ABCD-12ab-34cd-56ef-1234567890ab": false,
		"1234abcd-12ab-34cd-56ef-1234567890a": false, "1234abcd-12ab-34cd-56ef-1234567890abc": false,
		"1234abcd012ab-34cd-56ef-1234567890ab": false, "1234abcd-12ab-34cd-56ef-1234567890ag": false, "": false,
	} {
		if got := uuid.Valid(s); got != want {
			t.Errorf("Valid(%q) = %t", s, got)
		}
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		uuid.New()
	}
}
