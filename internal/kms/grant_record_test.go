package kms

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

var (
	someGrant = Grant{
		Version: recordVersion, Account: someKey.Account, Region: someKey.Region, KeyID: someKey.ID, ID: strings.Repeat("0123456789abcdef", 4),
		Created: someKey.Created, Name: "app", Issuer: "444455556666", Grantee: "arn:aws:iam::444455556666:role/app", Retiring: "arn:aws:iam::444455556666:root",
		Operations:  []kmsapi.GrantOperation{kmsapi.GrantOperationEncrypt, kmsapi.GrantOperationDecrypt},
		Constraints: Constraints{Equals: map[string]string{"b": "2", "a": "1", "": "é<"}, SourceARN: "arn:aws:s3:::bucket"},
	}
	someServiceGrant = Grant{
		Version: recordVersion, Account: someKey.Account, Region: someKey.Region, KeyID: someKey.ID, ID: strings.Repeat("f", 64), Created: someKey.Created,
		Issuer: someKey.Account, GranteeService: "s3.amazonaws.com", RetiringService: "s3.amazonaws.com",
		Operations: []kmsapi.GrantOperation{kmsapi.GrantOperationDescribeKey}, Constraints: Constraints{Subset: map[string]string{}},
	}
)

// The forms that are in the stores of the first version: every later one reads them.
const (
	storedGrant        = `{"v":1,"account":"111122223333","region":"us-east-1","key":"1234abcd-12ab-34cd-56ef-1234567890ab","id":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","created":"2026-11-22T01:02:03.000004567Z","name":"app","issuer":"444455556666","grantee":"arn:aws:iam::444455556666:role/app","retiring":"arn:aws:iam::444455556666:root","operations":["Encrypt","Decrypt"],"constraints":{"equals":{"":"é<","a":"1","b":"2"},"source_arn":"arn:aws:s3:::bucket"}}`
	storedServiceGrant = `{"v":1,"account":"111122223333","region":"us-east-1","key":"1234abcd-12ab-34cd-56ef-1234567890ab","id":"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff","created":"2026-11-22T01:02:03.000004567Z","issuer":"111122223333","grantee_service":"s3.amazonaws.com","retiring_service":"s3.amazonaws.com","operations":["DescribeKey"],"constraints":{"subset":{}}}`
)

func TestStoredFormsOfGrants(t *testing.T) {
	for _, row := range []struct {
		grant  *Grant
		stored string
	}{{&someGrant, storedGrant}, {&someServiceGrant, storedServiceGrant}} {
		if got, err := encodeGrant(row.grant); err != nil || string(got) != row.stored {
			t.Errorf("%v\n%s, want\n%s", err, got, row.stored)
		}
		g, err := decodeGrant([]byte(row.stored))
		if diff := cmp.Diff(row.grant, g); diff != "" || err != nil {
			t.Error(err, diff)
		}
	}
	for name, record := range map[string]string{
		"newer version": strings.Replace(storedGrant, `"v":1`, `"v":2`, 1), "unknown member": strings.Replace(storedGrant, `"v":1`, `"v":1,"new":true`, 1),
		"unknown constraint": strings.Replace(storedGrant, `"equals"`, `"notequals"`, 1), "cut off": storedGrant[:99], "empty": "",
	} {
		if g, err := decodeGrant([]byte(record)); err == nil || g != nil {
			t.Errorf("%s: got %v, %v", name, g, err)
		}
	}
}

// Where the records of a grant are is a stored form too: a later version must find them to delete them.
func TestPathsOfGrants(t *testing.T) {
	const (
		grant   = "kms/grant/111122223333/us-east-1/1234abcd-12ab-34cd-56ef-1234567890ab/"
		grantee = "kms/grant-grantee/111122223333/us-east-1/1234abcd-12ab-34cd-56ef-1234567890ab/"
	)
	for _, row := range []struct {
		grant *Grant
		want  []string
	}{
		{&someGrant, []string{
			grant + someGrant.ID,
			"kms/grant-name/111122223333/us-east-1/1234abcd-12ab-34cd-56ef-1234567890ab/08dd9e8d1885a696d12e55b362f84f3ea264044c180f3d283fc2a1dc1d6a918d",
			grantee + "cf4f0f320ef6206298c9cbf262fe5b4986897ba7c3b9a2ab6e585bc9ddb1ccdc/" + someGrant.ID,
			"kms/grant-retiring/us-east-1/d5cea291b22a8f02c4a58e452b8191161c263861d42f239b5dae2b0f2df46009/111122223333/1234abcd-12ab-34cd-56ef-1234567890ab/" + someGrant.ID,
		}},
		{&someServiceGrant, []string{
			grant + someServiceGrant.ID,
			grantee + "65e7d15852c752806af5aacc24a4cc625ff4521a867a986bc15d8332332feff4/" + someServiceGrant.ID,
			"kms/grant-retiring/us-east-1/65e7d15852c752806af5aacc24a4cc625ff4521a867a986bc15d8332332feff4/111122223333/1234abcd-12ab-34cd-56ef-1234567890ab/" + someServiceGrant.ID,
		}},
	} {
		got, err := row.grant.paths()
		if err != nil || !slices.Equal(got, row.want) {
			t.Errorf("%v\ngot  %q\nwant %q", err, got, row.want)
		}
	}
	// Neither the id nor the date is a part of what was asked for.
	later := someGrant
	later.ID, later.Created = someServiceGrant.ID, time.Unix(1, 0)
	one, err := someGrant.namePath()
	two, err2 := later.namePath()
	if err != nil || err2 != nil || one != two {
		t.Errorf("%s, %s", one, two)
	}
}
