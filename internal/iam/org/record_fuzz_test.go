package org

import (
	"bytes"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/trent-kms/trent/internal/store"
)

// FuzzRecord: no text makes a decoder panic; what is accepted is of its place, and encoded again it is accepted again.
func FuzzRecord(f *testing.F) {
	f.Add("iam/org/home/111122223333", []byte(`{"v":1,"path":"iam/org/home/111122223333","id":"o-aaaaaaaaaa"}`))
	f.Add("iam/org/account/o-aaaaaaaaaa/111122223333", []byte(`{"v":1,"id":"111122223333","org":"o-aaaaaaaaaa","parent":"r-aaaa","name":"n","email":"e","method":"CREATED","joined":"2026-01-02T03:04:05Z"}`))
	f.Add("iam/org/unit/o-aaaaaaaaaa/ou-aaaa-bbbbbbbb", []byte(`{"v":1,"org":"o-aaaaaaaaaa","id":"ou-aaaa-bbbbbbbb","parent":"r-aaaa","name":"n","created":"2026-01-02T03:04:05Z","node":{"services":{"round":1,"ids":["p-FullAWSAccess"]},"tags":[{"k":"a","v":"b"}]}}`))
	f.Add("iam/org/organization/o-aaaaaaaaaa", []byte(`{"v":1,"id":"o-aaaaaaaaaa","root":"r-aaaa","management":"111122223333","created":"2026-01-02T03:04:05Z","services":{"enabled":true,"round":1},"resources":{},"accounts":1,"units":0}`))
	f.Add("iam/org/policy/o-aaaaaaaaaa/p-bbbbbbbb", []byte(`{"v":1,"org":"o-aaaaaaaaaa","id":"p-bbbbbbbb","type":"SERVICE_CONTROL_POLICY","name":"n","content":"{}"}`))
	f.Add("iam/org/creation/o-aaaaaaaaaa/car-00000000", []byte(`{"v":1,"org":"o-aaaaaaaaaa","id":"car-00000000","account":"111122223333","name":"n","requested":"2026-01-02T03:04:05Z"}`))
	f.Add("iam/org/changes", []byte(`{"v":1}`))
	f.Add("iam/org/changes", []byte(`{"v":2}`))
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		r := store.Record{Key: key, Value: value}
		again[organization](t, r)
		again[unit](t, r)
		again[account](t, r)
		again[controlPolicy](t, r)
		again[creation](t, r)
		again[pointer](t, r)
		again[changes](t, r)
	})
}

func again[T any, P interface {
	*T
	record
}](t *testing.T, r store.Record) {
	v, err := decode[T, P](r)
	if err != nil {
		if v != nil {
			t.Errorf("a record with an error: %v", err)
		}
		return
	}
	if P(v).path() != r.Key {
		t.Errorf("%s was accepted under %s", P(v).path(), r.Key)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if v, err = decode[T, P](store.Record{Key: r.Key, Value: b}); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	if c, _ := json.Marshal(v); !bytes.Equal(b, c) {
		t.Errorf("%s became %s", b, c)
	}
}
