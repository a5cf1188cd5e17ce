package admin_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trent-kms/trent/internal/admin"
	"github.com/trent-kms/trent/internal/store"
)

func TestASnapshotIsWhatWentIn(t *testing.T) {
	long := bytes.Repeat([]byte("x"), 70_000)
	b := admin.EncodeSnapshot([]store.Record{{Key: "a", Value: []byte("1"), Revision: 7}, {Key: "b"}, {Key: "c/d", Value: long}})
	got, err := admin.DecodeSnapshot(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]store.Put{{Key: "a", Value: []byte("1")}, {Key: "b", Value: []byte{}}, {Key: "c/d", Value: long}}, got); diff != "" {
		t.Error(diff)
	}
}

// Every byte of a snapshot counts: whichever is changed or missing, it is refused.
func TestEveryByteOfASnapshotCounts(t *testing.T) {
	b := admin.EncodeSnapshot([]store.Record{{Key: "a", Value: []byte("1")}, {Key: "b", Value: []byte("2")}})
	for i := range b {
		changed := bytes.Clone(b)
		changed[i] ^= 1
		for _, broken := range [][]byte{changed, b[:i]} {
			if got, err := admin.DecodeSnapshot(broken); !errors.Is(err, admin.ErrSnapshot) || got != nil {
				t.Errorf("byte %d: %v, %v", i, got, err)
			}
		}
	}
}

// sealed is a snapshot with this body, whose checksum is right.
func sealed(body string) []byte {
	sum := sha256.Sum256([]byte(body))
	return append(append([]byte("trent-snapshot:1\n"), sum[:]...), body...)
}

func TestBodiesThatNoEncoderMakes(t *testing.T) {
	for name, body := range map[string]string{
		"no value":                   "\x01a",
		"a value that is cut short":  "\x01a\x02x",
		"a key that is cut short":    "\x09a",
		"a length without end":       "\xff",
		"a length beyond all memory": "\x01a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x",
		"a length in a longer form":  "\x81\x00a\x00",
		"out of order":               "\x01b\x00\x01a\x00",
		"twice":                      "\x01a\x00\x01a\x00",
		"an empty key":               "\x00\x00",
		"a key with a space":         "\x03a b\x00",
		"a key with a line end":      "\x02a\n\x00",
	} {
		if got, err := admin.DecodeSnapshot(sealed(body)); !errors.Is(err, admin.ErrSnapshot) || got != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func FuzzDecodeSnapshot(f *testing.F) {
	f.Add("\x01a\x011\x01b\x00")
	f.Add("")
	f.Add("\x81\x00a\x00")
	f.Fuzz(func(t *testing.T, body string) {
		b := sealed(body)
		puts, err := admin.DecodeSnapshot(b)
		if err != nil {
			if !errors.Is(err, admin.ErrSnapshot) || puts != nil {
				t.Fatalf("%v, %v", puts, err)
			}
			return
		}
		var records []store.Record
		for _, p := range puts {
			records = append(records, store.Record{Key: p.Key, Value: p.Value})
		}
		if !bytes.Equal(admin.EncodeSnapshot(records), b) {
			t.Fatalf("%q has another form", body)
		}
	})
}
