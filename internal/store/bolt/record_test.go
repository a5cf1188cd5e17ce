package bolt

import (
	"bytes"
	"errors"
	"testing"

	"github.com/trent-kms/trent/internal/store"
)

func TestRecordHasThisLayout(t *testing.T) {
	got := encodeRecord(0x0102030405060708, []byte("value"))
	if want := []byte("\x01\x01\x02\x03\x04\x05\x06\x07\x08value"); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

func TestRecordThatWeDidNotWriteIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		record string
		want   error
	}{
		"empty":             {"", store.ErrCorrupt},
		"format only":       {"\x01", store.ErrCorrupt},
		"short header":      {"\x01\x00\x00\x00\x00\x00\x00\x01", store.ErrCorrupt},
		"format 0":          {"\x00\x00\x00\x00\x00\x00\x00\x00\x01", store.ErrCorrupt},
		"revision 0":        {"\x01\x00\x00\x00\x00\x00\x00\x00\x00", store.ErrCorrupt},
		"negative revision": {"\x01\x80\x00\x00\x00\x00\x00\x00\x00", store.ErrCorrupt},
		"newer format":      {"\x02", store.ErrNewerFormat},
		"newest format":     {"\xff\x00\x00\x00\x00\x00\x00\x00\x01value", store.ErrNewerFormat},
	} {
		if _, _, err := decodeRecord([]byte(c.record)); !errors.Is(err, c.want) {
			t.Errorf("%s: got error %v, want %v", name, err, c.want)
		}
	}
}

func FuzzRecord(f *testing.F) {
	for _, r := range []string{"", "\x01", "\x02", "\x01\x00\x00\x00\x00\x00\x00\x00\x01", "\x01\x00\x00\x00\x00\x00\x00\x00\x00",
		"\x01\xff\xff\xff\xff\xff\xff\xff\xff", "\x01\x00\x00\x00\x00\x00\x00\x00\x07value", "\xff\x00\x00\x00\x00\x00\x00\x00\x01v"} {
		f.Add([]byte(r))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		revision, value, err := decodeRecord(b)
		if err != nil {
			if revision != 0 || value != nil {
				t.Errorf("error %v with revision %d and value %x", err, revision, value)
			}
			return
		}
		if again := encodeRecord(revision, value); !bytes.Equal(again, b) {
			t.Errorf("%x is encoded again as %x", b, again)
		}
		r, err := copyRecord("key", b)
		if err != nil || r.Revision != revision || !bytes.Equal(r.Value, value) {
			t.Errorf("got %+v and error %v", r, err)
		}
	})
}
