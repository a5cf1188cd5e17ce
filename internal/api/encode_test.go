package api_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	stsapi "github.com/trent-kms/trent/internal/api/sts"
	trentapi "github.com/trent-kms/trent/internal/api/trent"
)

func TestAppendText(t *testing.T) {
	for in, want := range map[string]string{
		"":               `""`,
		"plain /<>&é😀":   `"plain /<>&é😀"`,
		"\"\\\b\f\n\r\t": `"\"\\\b\f\n\r\t"`,
		"\x00\x1f\x7f":   "\"\\u0000\\u001f\x7f\"",
		"a\xffb\xc3":     `"a` + "\ufffd" + `b` + "\ufffd" + `"`,
		"\xed\xa0\x80":   `"` + "\ufffd\ufffd\ufffd" + `"`,
	} {
		if got := string(api.AppendText(nil, in)); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func TestAppendTime(t *testing.T) {
	for _, tt := range []struct {
		time time.Time
		want string
	}{
		{time.Unix(0, 0), "0"},
		{time.Unix(1700000000, 0), "1700000000"},
		{time.UnixMilli(1700000000123), "1700000000.123"},
		{time.UnixMilli(1700000000120), "1700000000.12"},
		{time.UnixMilli(1700000000100), "1700000000.1"},
		{time.UnixMilli(1700000000001), "1700000000.001"},
		{time.Unix(1700000000, 999_999_999), "1700000000.999"},
		{time.UnixMilli(-1500), "-1.5"},
		{time.UnixMilli(-250), "-0.25"},
	} {
		if got := string(api.AppendTime(nil, tt.time)); got != tt.want {
			t.Errorf("%v: got %s, want %s", tt.time, got, tt.want)
		}
	}
}

func TestResponses(t *testing.T) {
	for _, tt := range []struct {
		name      string
		out       api.Output
		want, log string
	}{
		{"no output", new(api.Empty), ``, `null`},
		{"an output without members", new(kmsapi.ConnectCustomKeyStoreResponse), `{}`, `null`},
		{"absent members are left out, empty lists are not", &kmsapi.ListKeysResponse{Keys: []kmsapi.KeyListEntry{}, Truncated: ptr(false)}, `{"Keys":[],"Truncated":false}`, `null`},
		{"a list of structures", &kmsapi.ListKeysResponse{Keys: []kmsapi.KeyListEntry{{KeyId: ptr("a")}, {}}}, `{"Keys":[{"KeyId":"a"},{}]}`, `null`},
		{"plaintext is not recorded", &kmsapi.DecryptResponse{KeyId: ptr("k"), Plaintext: []byte("secret")}, `{"KeyId":"k","Plaintext":"c2VjcmV0"}`, `null`},
		{"metadata is", &kmsapi.CreateKeyResponse{KeyMetadata: &kmsapi.KeyMetadata{AWSAccountId: ptr("111122223333"), KeyId: ptr("k"),
			CreationDate: ptr(time.Unix(1747806465, 0)), Enabled: ptr(true), EncryptionAlgorithms: []kmsapi.EncryptionAlgorithmSpec{"SYMMETRIC_DEFAULT"}}},
			`{"KeyMetadata":{"AWSAccountId":"111122223333","KeyId":"k","CreationDate":1747806465,"Enabled":true,"EncryptionAlgorithms":["SYMMETRIC_DEFAULT"]}}`,
			`{"keyMetadata":{"aWSAccountId":"111122223333","keyId":"k","creationDate":"May 21, 2025, 5:47:45 AM","enabled":true,"encryptionAlgorithms":["SYMMETRIC_DEFAULT"]}}`},
		{"Trent's own services are written alike", &trentapi.GetStatusResponse{Version: ptr("1"), Mode: ptr(trentapi.ModeDev), Ready: ptr(true), Regions: []string{"a"}},
			`{"Version":"1","Mode":"dev","Ready":true,"Regions":["a"]}`, `null`},
		{"and recorded alike", &trentapi.AdvanceClockResponse{Now: ptr(time.Unix(0, 0)), Offset: ptr("720h0m0s")}, `{"Now":0,"Offset":"720h0m0s"}`,
			`{"now":"Jan 1, 1970, 12:00:00 AM","offset":"720h0m0s"}`},
		{"a grant's id is, its token is not", &kmsapi.CreateGrantResponse{GrantToken: ptr("t"), GrantId: ptr("i")}, `{"GrantToken":"t","GrantId":"i"}`, `{"grantId":"i"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(tt.out.AppendJSON(nil)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if got := string(tt.out.AppendAudit([]byte("x"))); got != "x"+tt.log {
				t.Errorf("audit: got %s, want x%s", got, tt.log)
			}
		})
	}
}

func TestAuditOfRequests(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   api.Input
		want string
	}{
		{"no member", new(kmsapi.ListKeysRequest), `null`},
		{"no member that may be shown", &kmsapi.RetireGrantRequest{GrantToken: ptr("t")}, `null`},
		{"context in clear and sorted, neither text nor tokens", &kmsapi.EncryptRequest{KeyId: ptr("alias/a"), Plaintext: []byte("secret"), GrantTokens: []string{"t"},
			EncryptionContext: map[string]string{"b": "2", "a": "1\"", "c": ""}}, `{"keyId":"alias/a","encryptionContext":{"a":"1\"","b":"2","c":""}}`},
		{"dates are text", &kmsapi.ImportKeyMaterialRequest{KeyId: ptr("k"), ImportToken: []byte{1}, ValidTo: ptr(time.Unix(1747849665, 0))},
			`{"keyId":"k","validTo":"May 21, 2025, 5:47:45 PM"}`},
		{"lists of structures", &kmsapi.TagResourceRequest{KeyId: ptr("k"), Tags: []kmsapi.Tag{{TagKey: ptr("a"), TagValue: ptr("b")}}},
			`{"keyId":"k","tags":[{"tagKey":"a","tagValue":"b"}]}`},
		{"structures", &kmsapi.CreateGrantRequest{KeyId: ptr("k"), Operations: []kmsapi.GrantOperation{"Decrypt"},
			Constraints: &kmsapi.GrantConstraints{EncryptionContextSubset: map[string]string{"a": "b"}}},
			`{"keyId":"k","operations":["Decrypt"],"constraints":{"encryptionContextSubset":{"a":"b"}}}`},
		{"not a password", &kmsapi.CreateCustomKeyStoreRequest{CustomKeyStoreName: ptr("n"), KeyStorePassword: ptr("s3cret!"),
			XksProxyAuthenticationCredential: &kmsapi.XksProxyAuthenticationCredentialType{RawSecretAccessKey: ptr("s3cret!")}}, `{"customKeyStoreName":"n"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(tt.in.AppendAudit(nil)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestCallerIdentityIsXML(t *testing.T) {
	x := &stsapi.GetCallerIdentityResponse{Account: ptr("111122223333"), UserId: ptr("111122223333"), Arn: ptr("arn:aws:iam::111122223333:user/<a&b>")}
	want := `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>` +
		`<UserId>111122223333</UserId><Account>111122223333</Account><Arn>arn:aws:iam::111122223333:user/&lt;a&amp;b&gt;</Arn>` +
		`</GetCallerIdentityResult><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></GetCallerIdentityResponse>`
	if got := string(x.AppendXML(nil, "r-1")); got != want {
		t.Errorf("got %s", got)
	}
}

// Every request and answer of every service can be written as JSON and read back.
func TestJSONOfAllStructures(t *testing.T) {
	n := 0
	for _, o := range allOperations() {
		for _, pair := range [][2]any{{o.NewInput(), o.NewInput()}, {o.NewOutput(), o.NewOutput()}} {
			want, got := sample(pair[0]), pair[1]
			body := want.(api.Output).AppendJSON(nil)
			if _, empty := want.(*api.Empty); empty {
				continue
			}
			if err := api.Decode(body, got.(api.Shape)); err != nil {
				t.Errorf("%T: %v", want, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%T: %s", want, diff)
			}
			n++
		}
	}
	if n < 380 {
		t.Errorf("only %d structures", n)
	}
}
