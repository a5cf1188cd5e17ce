package api_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	stsapi "github.com/trent-kms/trent/internal/api/sts"
)

// What was recorded of a request can be read back: all that the record holds, and nothing else.
func TestRecordedRequestsCanBeReadBack(t *testing.T) {
	requests, members := 0, 0
	for _, o := range allOperations() {
		in, back := sample(o.NewInput()), o.NewInput()
		record := in.AppendAudit(nil)
		if err := api.DecodeAudit(record, back); err != nil {
			t.Errorf("%T: %v", in, err)
			continue
		}
		var held any
		if err := json.Unmarshal(record, &held); err != nil {
			t.Fatal(err)
		}
		requests++
		members += compareRecorded(t, reflect.TypeOf(in).String(), reflect.ValueOf(back).Elem(), reflect.ValueOf(in).Elem(), held)
		if again := back.AppendAudit(nil); string(again) != string(record) {
			t.Errorf("%T: got %s, want %s", in, again, record)
		}
	}
	if requests < 206 || members < 1000 {
		t.Errorf("only %d members of %d requests", members, requests)
	}
}

// compareRecorded compares what was read back with the original in all that the record holds, and counts it.
func compareRecorded(t *testing.T, path string, got, want reflect.Value, held any) (members int) {
	t.Helper()
	switch object, isObject := held.(map[string]any); {
	case want.Kind() == reflect.Pointer && want.Elem().Kind() == reflect.Struct && isObject:
		return compareRecorded(t, path, got.Elem(), want.Elem(), held)
	case want.Kind() == reflect.Struct && (isObject || held == nil):
		for i := range want.NumField() {
			name := want.Type().Field(i).Name
			inner := object[strings.ToLower(name[:1])+name[1:]]
			if inner == nil && !got.Field(i).IsZero() {
				t.Errorf("%s.%s: got a value that was not recorded", path, name)
			} else if inner != nil {
				members += compareRecorded(t, path+"."+name, got.Field(i), want.Field(i), inner)
			}
		}
		return members
	case want.Kind() == reflect.Slice && want.Type().Elem().Kind() == reflect.Struct:
		for i, element := range held.([]any) {
			members += compareRecorded(t, path, got.Index(i), want.Index(i), element)
		}
		return members
	}
	if diff := cmp.Diff(want.Interface(), got.Interface()); diff != "" {
		t.Errorf("%s: %s", path, diff)
	}
	return 1
}

func TestDecodeAudit(t *testing.T) {
	in := new(kmsapi.EncryptRequest)
	if err := api.DecodeAudit([]byte(`null`), in); err != nil {
		t.Errorf("nothing recorded: %v", err)
	}
	if err := api.DecodeAudit([]byte(`{"keyId":"k","encryptionContext":{"keyId":"a","KeyId":"b"},"unknown":[1]}`), in); err != nil {
		t.Errorf("a context: %v", err)
	}
	if diff := cmp.Diff(&kmsapi.EncryptRequest{KeyId: ptr("k"), EncryptionContext: map[string]string{"keyId": "a", "KeyId": "b"}}, in); diff != "" {
		t.Error(diff)
	}
	for _, record := range []string{``, `[]`, `{"keyId":1}`, `{"keyId":"k"} x`, `{"keyId"`} {
		if err := api.DecodeAudit([]byte(record), new(kmsapi.EncryptRequest)); err == nil {
			t.Errorf("%s is read", record)
		}
	}
	for _, date := range []string{`1700000000`, `"2025-05-21T05:47:45Z"`, `""`} {
		if err := api.DecodeAudit([]byte(`{"validTo":`+date+`}`), new(kmsapi.ImportKeyMaterialRequest)); err == nil {
			t.Errorf("the date %s is read", date)
		}
	}
}

func TestSessionSecretsAreNotRecorded(t *testing.T) {
	out := &stsapi.AssumeRoleResponse{Credentials: &stsapi.Credentials{AccessKeyId: ptr("ASIAEXAMPLE"), SecretAccessKey: ptr("s3cret"), SessionToken: ptr("t0ken")}}
	if got, want := string(out.AppendAudit(nil)), `{"credentials":{"accessKeyId":"ASIAEXAMPLE"}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	in := &stsapi.AssumeRoleWithWebIdentityRequest{RoleArn: ptr("arn"), WebIdentityToken: ptr("s3cret")}
	if got, want := string(in.AppendAudit(nil)), `{"roleArn":"arn"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
