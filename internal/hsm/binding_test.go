package hsm

import (
	"errors"
	"strings"
	"testing"
)

func TestKeyIDsAreUUIDsOrMultiRegionIDs(t *testing.T) {
	for _, id := range []string{
		testUUID, testMRK,
		"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
		"mrk-00000000000000000000000000000000", "mrk-ffffffffffffffffffffffffffffffff",
	} {
		if got, ok := parseKeyID(id); !ok || got.String() != id {
			t.Errorf("%s: got %s, %v", id, got, ok)
		}
	}
	for _, id := range []string{
		"", "mrk-", "alias/name", testUUID[1:], testUUID + "0", " " + testUUID, testUUID + "\n",
		strings.ToUpper(testUUID), strings.ToUpper(testMRK), "MRK-" + testMRK[4:], "mrk-" + strings.ToUpper(testMRK[4:]),
		strings.ReplaceAll(testUUID, "-", ""), "1234abcd1-2ab-34cd-56ef-1234567890ab", "{" + testUUID + "}",
		"1234abcd-12ab-34cd-56ef-1234567890ag", "mrk-1234abcd12ab34cd56ef1234567890a", testMRK + "0", "mrk-" + testUUID,
		"mrk-mrk-" + testMRK[4:], strings.Repeat("-", 1000),
	} {
		if got, ok := parseKeyID(id); ok || got != (binaryKeyID{}) {
			t.Errorf("%q: got %s, want a refusal", id, got)
		}
	}
}

// brokenBindings are bindings that cannot belong to a record.
func brokenBindings() map[string]Binding {
	good := Binding{Account: testAccount, Scope: "eu-central-1", KeyID: testUUID, MaterialID: strings.Repeat("0a", 32)}
	change := func(f func(*Binding)) Binding {
		b := good
		f(&b)
		return b
	}
	return map[string]Binding{
		"no account":             change(func(b *Binding) { b.Account = "" }),
		"eleven digits":          change(func(b *Binding) { b.Account = "11112222333" }),
		"thirteen digits":        change(func(b *Binding) { b.Account = "0111122223333" }),
		"signed account":         change(func(b *Binding) { b.Account = "+11122223333" }),
		"account with letters":   change(func(b *Binding) { b.Account = "11112222333a" }),
		"account with underline": change(func(b *Binding) { b.Account = "1111_2222333" }),
		"no key id":              change(func(b *Binding) { b.KeyID = "" }),
		"alias for key id":       change(func(b *Binding) { b.KeyID = "alias/name" }),
		"upper-case key id":      change(func(b *Binding) { b.KeyID = strings.ToUpper(testUUID) }),
		"no material id":         change(func(b *Binding) { b.MaterialID = "" }),
		"short material id":      change(func(b *Binding) { b.MaterialID = b.MaterialID[2:] }),
		"long material id":       change(func(b *Binding) { b.MaterialID += "00" }),
		"upper-case material id": change(func(b *Binding) { b.MaterialID = strings.ToUpper(b.MaterialID) }),
		"material id of letters": change(func(b *Binding) { b.MaterialID = strings.Repeat("xy", 32) }),
	}
}

func TestMalformedBindingsAreRefused(t *testing.T) {
	for name, b := range brokenBindings() {
		if id, err := b.identity(); !errors.Is(err, ErrInput) || id != (identity{}) {
			t.Errorf("%s: got %x, %v; want ErrInput", name, id, err)
		}
	}
}

func TestBoundFormsOfBindingsDiffer(t *testing.T) {
	seen := map[string]Binding{}
	for _, b := range []Binding{
		{}, {Account: "a"}, {Scope: "a"}, {KeyID: "a"}, {MaterialID: "a"},
		{Account: "ab"}, {Account: "a", Scope: "b"}, {Scope: "ab"}, {Scope: "a", KeyID: "b"},
		{Account: "\x00\x00\x00\x00"}, {Scope: "\x00\x00\x00\x00"},
	} {
		form := string(b.bound())
		if other, ok := seen[form]; ok {
			t.Errorf("%+v and %+v have one form", b, other)
		}
		seen[form] = b
	}
}
