package hsm

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// decodeContext reads the canonical form back and accepts nothing else. That it exists shows that the form is injective.
func decodeContext(form []byte) (map[string]string, error) {
	short := errors.New("too short")
	number := func() (uint32, error) {
		if len(form) < 4 {
			return 0, short
		}
		n := binary.BigEndian.Uint32(form)
		form = form[4:]
		return n, nil
	}
	text := func() (string, error) {
		n, err := number()
		if err != nil || uint64(n) > uint64(len(form)) {
			return "", short
		}
		s := string(form[:n])
		form = form[n:]
		return s, nil
	}
	pairs, err := number()
	if err != nil {
		return nil, err
	}
	context, last := map[string]string{}, ""
	for i := range pairs {
		key, err := text()
		if err != nil {
			return nil, err
		}
		if i > 0 && key <= last {
			return nil, fmt.Errorf("key %q after %q", key, last)
		}
		if context[key], err = text(); err != nil {
			return nil, err
		}
		last = key
	}
	if len(form) > 0 {
		return nil, errors.New("trailing bytes")
	}
	return context, nil
}

func TestEncryptionContextForm(t *testing.T) {
	for _, c := range []struct {
		context map[string]string
		want    string
	}{
		{nil, "00000000"},
		{map[string]string{}, "00000000"},
		{map[string]string{"": ""}, "00000001" + "00000000" + "00000000"},
		{
			map[string]string{"tenant": "blue", "a": ""}, // the example of docs/formats.md
			"00000002" + "0000000161" + "00000000" + "0000000674656e616e74" + "00000004626c7565",
		},
		{
			map[string]string{"b": "1", "B": "2", "é": "3", "aa": "4"}, // bytes decide the order, not letters
			"00000004" + "0000000142" + "0000000132" + "000000026161" + "0000000134" + "0000000162" + "0000000131" + "00000002c3a9" + "0000000133",
		},
	} {
		if got := hex.EncodeToString(encodeContext(c.context)); got != c.want {
			t.Errorf("%v: got %s, want %s", c.context, got, c.want)
		}
	}
}

// lookalikes are contexts that a careless form would confuse.
func lookalikes() []map[string]string {
	return []map[string]string{
		nil,
		{"": ""}, {"": "a"}, {"a": ""}, {"a": "b"}, {"b": "a"}, {"ab": ""}, {"": "ab"},
		{"a": "b", "c": "d"}, {"a": "d", "c": "b"}, {"ab": "cd"}, {"a": "bcd"}, {"abc": "d"}, {"a": "b", "": "cd"},
		{"A": "b"}, {"a": "B"}, {"a": "b "}, {" a": "b"}, {"a": "b\x00"}, {"a\x00": "b"},
		{"é": ""}, {"e\u0301": ""}, {"\xff": ""}, {"\ufffd": ""},
		{"a": "b,c:d"}, {"a=b&c": "d"}, {`{"a"`: `"b"}`},
		{"a": "\x00\x00\x00\x01c\x00\x00\x00\x01d"}, {"a": "\x00\x00\x00\x00"}, {"\x00\x00\x00\x00": "a"},
	}
}

func TestNoTwoContextsHaveOneForm(t *testing.T) {
	seen := map[string]map[string]string{}
	for _, c := range lookalikes() {
		form := encodeContext(c)
		if other, ok := seen[string(form)]; ok {
			t.Errorf("%q and %q have one form", c, other)
		}
		seen[string(form)] = c
		back, err := decodeContext(form)
		if diff := cmp.Diff(c, back, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("%q: %v %s", c, err, diff)
		}
	}
}

func TestContextsOfManyPairs(t *testing.T) {
	context := map[string]string{}
	for i := range 100 {
		context[fmt.Sprint("key", i)] = fmt.Sprint("value", i)
		back, err := decodeContext(encodeContext(context))
		if diff := cmp.Diff(context, back); err != nil || diff != "" {
			t.Fatalf("%d pairs: %v %s", i+1, err, diff)
		}
	}
}

// FuzzEncryptionContext makes a context of any bytes and reads its form back; and whatever reads as a form is the form
// of what it reads as.
func FuzzEncryptionContext(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00"), "tenant", "blue", "a", "")
	f.Add([]byte("\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00"), "", "", "", "x")
	f.Add(encodeContext(lookalikes()[8]), "\x00\x00\x00\x01", "\xff", "é", "e\u0301")
	f.Add(encodeContext(map[string]string{"tenant": "blue", "purpose": "backup"})[:20], "a", "bc", "ab", "c")
	f.Fuzz(func(t *testing.T, form []byte, k1, v1, k2, v2 string) {
		if context, err := decodeContext(form); err == nil && !bytes.Equal(encodeContext(context), form) {
			t.Errorf("%x reads as %q, whose form is %x", form, context, encodeContext(context))
		}
		context := map[string]string{k1: v1, k2: v2}
		back, err := decodeContext(encodeContext(context))
		if err != nil || !cmp.Equal(context, back) {
			t.Errorf("%q reads back as %q, %v", context, back, err)
		}
	})
}
