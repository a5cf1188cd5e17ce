package iam_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/trent-kms/trent/internal/iam"
)

// An ARN that is taken apart is made of its parts, and none of them can leave its place in a storage key.
func FuzzARN(f *testing.F) {
	for _, s := range []string{
		"arn:aws:iam::111122223333:user/staff/bob", "arn:aws:iam::aws:policy/AdministratorAccess", "arn:aws:iam::111122223333:root",
		"arn:aws:iam::111122223333:user/", "arn:aws:iam::111122223333:user//x", "arn:aws:iam:us-east-1:111122223333:role/r", "arn:aws:iam::1:role/r", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		account, kind, path, name, ok := iam.ParseARN(s)
		if !ok {
			return
		}
		if again := "arn:aws:iam::" + account + ":" + kind + path + name; again != s {
			t.Errorf("%q became %q", s, again)
		}
		if strings.ContainsAny(account+name, "/:\x00 ") || name == "" || !strings.HasPrefix(path, "/") || !strings.HasSuffix(path, "/") {
			t.Errorf("%q: account %q, path %q, name %q", s, account, path, name)
		}
	})
}

// Records that can be read are written as they can be read again, to the same bytes.
func FuzzRecords(f *testing.F) {
	for _, s := range []string{
		`{"v":1,"account":"111122223333","id":"AIDAAAAAAAAAAAAAAAAAA","name":"bob","path":"/","created":"2026-01-01T00:00:00Z","inline":[{"n":"p","t":"{}"}],"tags":[{"k":"a"}]}`,
		`{"v":1,"account":"111122223333","id":"AROAAAAAAAAAAAAAAAAAA","name":"r","path":"/x/","created":"2026-01-01T00:00:00Z","trust":"{}","max_session":3600}`,
		`{"v":1,"account":"111122223333","id":"ANPAAAAAAAAAAAAAAAAAA","name":"p","path":"/","created":"2026-01-01T00:00:00Z","updated":"2026-01-01T00:00:00Z","default":1,"latest":1,"versions":[{"n":1,"t":"{}","created":"2026-01-01T00:00:00Z"}]}`,
		`{"v":2}`, `{`, ``,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, decode := range []func([]byte) ([]byte, error){iam.DecodeEntity, iam.DecodeManaged} {
			once, err := decode(b)
			if err != nil {
				continue
			}
			twice, err := decode(once)
			if err != nil || !bytes.Equal(once, twice) {
				t.Errorf("%s became %s: %v", once, twice, err)
			}
		}
	})
}
