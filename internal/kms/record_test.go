package kms

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

var someKey = Key{
	Version: recordVersion, Account: "111122223333", Region: "us-east-1", ID: "1234abcd-12ab-34cd-56ef-1234567890ab",
	Created: time.Date(2026, 11, 22, 1, 2, 3, 4567, time.UTC), Description: "é\x00<\u2028", Spec: kmsapi.KeySpecSymmetricDefault,
	Usage: kmsapi.KeyUsageTypeEncryptDecrypt, Origin: kmsapi.OriginTypeAwsKms, State: kmsapi.KeyStatePendingDeletion,
	DeleteAt: time.Date(2026, 12, 22, 1, 2, 3, 999999999, time.UTC), Policy: `{"a":"b"}`, Tags: []Tag{{"k", "v"}, {"l", ""}},
	Aliases: []string{"alias/a", "alias/b"}, Materials: []Material{{ID: "id", Wrapped: []byte{0, 1, 255}, Created: time.Unix(1, 0).UTC()}},
}

var someAlias = Alias{Version: recordVersion, Target: someKey.ID, Created: someKey.Created, Updated: someKey.DeleteAt}

// The forms that are in the stores of the first version: every later one reads them.
const (
	storedKey   = `{"v":1,"account":"111122223333","region":"us-east-1","id":"1234abcd-12ab-34cd-56ef-1234567890ab","created":"2026-11-22T01:02:03.000004567Z","description":"é\u0000<` + "\u2028" + `","spec":"SYMMETRIC_DEFAULT","usage":"ENCRYPT_DECRYPT","origin":"AWS_KMS","state":"PendingDeletion","delete_at":"2026-12-22T01:02:03.999999999Z","policy":"{\"a\":\"b\"}","tags":[{"k":"k","v":"v"},{"k":"l"}],"aliases":["alias/a","alias/b"],"materials":[{"id":"id","wrapped":"AAH/","created":"1970-01-01T00:00:01Z"}]}`
	storedAlias = `{"v":1,"target":"1234abcd-12ab-34cd-56ef-1234567890ab","created":"2026-11-22T01:02:03.000004567Z","updated":"2026-12-22T01:02:03.999999999Z"}`
)

func TestStoredForms(t *testing.T) {
	if got, err := encodeRecord(&someKey); err != nil || string(got) != storedKey {
		t.Errorf("key: %v\n%s, want\n%s", err, got, storedKey)
	}
	k, err := decodeKey([]byte(storedKey))
	if diff := cmp.Diff(&someKey, k, cmpopts.IgnoreUnexported(Key{})); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if got, err := encodeRecord(&someAlias); err != nil || string(got) != storedAlias {
		t.Errorf("alias: %v\n%s, want\n%s", err, got, storedAlias)
	}
	a, err := decodeAlias([]byte(storedAlias))
	if diff := cmp.Diff(&someAlias, a); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

// An older binary refuses what it does not understand, and says so; it never drops a member that it does not know.
func TestRecordsThatAreRefused(t *testing.T) {
	for _, row := range []struct{ name, record, want string }{
		{"newer version", strings.Replace(storedKey, `"v":1`, `"v":2`, 1), "kms: record has version 2, this binary understands 1"},
		{"newer version with newer members", `{"v":7,"new":true}`, "kms: record has version 7, this binary understands 1"},
		{"no version", strings.Replace(storedKey, `"v":1,`, ``, 1), "kms: record has version 0, this binary understands 1"},
		{"unknown member", strings.Replace(storedKey, `"v":1`, `"v":1,"new":true`, 1), "kms: damaged record: "},
		{"member twice", strings.Replace(storedKey, `"v":1`, `"v":1,"v":1`, 1), "kms: damaged record: "},
		{"member in another case", strings.Replace(storedKey, `"state"`, `"State"`, 1), "kms: damaged record: "},
		{"cut off", storedKey[:len(storedKey)-1], "kms: damaged record: "},
		{"followed by more", storedKey + "{}", "kms: damaged record: "},
		{"empty", "", "kms: damaged record: "},
		{"no material", `{"v":1,"id":"x","state":"Enabled"}`, "kms: damaged record: key x has no material"},
		{"waiting without a date", strings.Replace(storedKey, `"delete_at":"2026-12-22T01:02:03.999999999Z",`, ``, 1), "kms: damaged record: key 1234abcd"},
		{"a date without waiting", strings.Replace(storedKey, `"PendingDeletion"`, `"Enabled"`, 1), "kms: damaged record: key 1234abcd"},
	} {
		k, err := decodeKey([]byte(row.record))
		if err == nil || !strings.HasPrefix(err.Error(), row.want) || strings.Contains(err.Error(), "%!") || k != nil {
			t.Errorf("%s: got %v, %v; want %s", row.name, k, err, row.want)
		}
	}
}

// The path of a deletion orders by date, to the nanosecond, and names the key.
func TestDeletionPathsAreOrderedByDate(t *testing.T) {
	before := ""
	for _, at := range []time.Time{
		time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(2026, 1, 2, 3, 4, 5, 1, time.UTC), time.Date(2026, 1, 2, 3, 4, 5, 999999999, time.UTC),
		time.Date(2026, 1, 2, 3, 4, 6, 0, time.FixedZone("", -3600)), time.Date(2026, 10, 2, 3, 4, 5, 0, time.UTC), time.Date(2126, 1, 2, 3, 4, 5, 0, time.UTC),
	} {
		k := someKey
		k.DeleteAt = at
		path := k.indexes()[0]
		if path <= before || !strings.HasPrefix(path, deletionPrefix) || !strings.HasSuffix(path, "/111122223333/us-east-1/"+k.ID) || strings.Count(path, "/") != 5 {
			t.Errorf("%s after %s", path, before)
		}
		before = path
	}
}

// FuzzDecodeRecord reads any bytes as a key and as an alias: what is refused is nothing, and what is accepted is written
// back so that it reads the same.
func FuzzDecodeRecord(f *testing.F) {
	for _, seed := range []string{
		storedKey, storedAlias, "", "{}", "null", `{"v":1}`, `{"v":2}`, `{"v":1e0}`, `{"v":1,"materials":[{}]}`, `{"v":1,"materials":[{"wrapped":"AA="}]}`,
		`{"v":1,"state":"PendingDeletion","delete_at":"0001-01-01T00:00:00Z","materials":[{}]}`, `{"v":1,"created":"9999-12-31T23:59:59.999999999+23:59","materials":[{}]}`,
		`{"v":1,"id":"\ud800","materials":[null]}`, `{"v":1,"tags":null,"aliases":[],"materials":[{"created":"2026-11-22T01:02:03-00:00"}]}`, "\xff", "[",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := decodeKey(b); err != nil && k != nil {
			t.Errorf("a key and %v", err)
		} else if err == nil {
			roundTrip(t, k, decodeKey)
			k.stateAt(k.DeleteAt)
			k.metadata(k.Created)
			k.current()
		}
		if a, err := decodeAlias(b); err != nil && a != nil {
			t.Errorf("an alias and %v", err)
		} else if err == nil {
			roundTrip(t, a, decodeAlias)
		}
	})
}

func roundTrip[T any](t *testing.T, r *T, decode func([]byte) (*T, error)) {
	t.Helper()
	first, err := encodeRecord(r)
	if err != nil {
		t.Fatalf("%+v was read and cannot be written: %v", r, err)
	}
	again, err := decode(first)
	if err != nil {
		t.Fatalf("%s: %v", first, err)
	}
	if second, err := encodeRecord(again); err != nil || !bytes.Equal(first, second) {
		t.Errorf("%s, then %s, %v", first, second, err)
	}
}
