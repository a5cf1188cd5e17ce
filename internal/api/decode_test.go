package api_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trent-kms/trent/internal/api"
	iamapi "github.com/trent-kms/trent/internal/api/iam"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

func ptr[T any](v T) *T { return &v }

func TestDecodeReadsEveryKindOfMember(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		into, want api.Shape
	}{
		{"text, blob, map, list, enum and boolean",
			`{"KeyId":"alias/a","CiphertextBlob":"AQID","EncryptionContext":{"a":"1","b":""},"GrantTokens":["t","u"],"EncryptionAlgorithm":"SM2PKE","DryRun":true}`,
			new(kmsapi.DecryptRequest), &kmsapi.DecryptRequest{KeyId: ptr("alias/a"), CiphertextBlob: []byte{1, 2, 3}, EncryptionContext: map[string]string{"a": "1", "b": ""},
				GrantTokens: []string{"t", "u"}, EncryptionAlgorithm: ptr(kmsapi.EncryptionAlgorithmSpecSm2pke), DryRun: ptr(true)}},
		{"structures and lists of them", `{"KeyId":"k","Tags":[{"TagKey":"a","TagValue":"b"},{}]}`,
			new(kmsapi.TagResourceRequest), &kmsapi.TagResourceRequest{KeyId: ptr("k"), Tags: []kmsapi.Tag{{TagKey: ptr("a"), TagValue: ptr("b")}, {}}}},
		{"a timestamp with a fraction", `{"ValidTo":1700000000.123}`,
			new(kmsapi.ImportKeyMaterialRequest), &kmsapi.ImportKeyMaterialRequest{ValidTo: ptr(time.UnixMilli(1700000000123).UTC())}},
		{"a timestamp with an exponent, as Java writes it", `{"ValidTo":1.700000000123E9}`,
			new(kmsapi.ImportKeyMaterialRequest), &kmsapi.ImportKeyMaterialRequest{ValidTo: ptr(time.UnixMilli(1700000000123).UTC())}},
		{"an integer", `{"NumberOfBytes":-7}`, new(kmsapi.GenerateRandomRequest), &kmsapi.GenerateRandomRequest{NumberOfBytes: ptr(int32(-7))}},
		{"null is absent", `{"KeyId":null,"CiphertextBlob":null,"EncryptionContext":null,"GrantTokens":null,"EncryptionAlgorithm":null,"DryRun":null,"Recipient":null}`,
			new(kmsapi.DecryptRequest), new(kmsapi.DecryptRequest)},
		{"empty is not absent", `{"KeyId":"","CiphertextBlob":"","EncryptionContext":{},"GrantTokens":[],"Recipient":{}}`, new(kmsapi.DecryptRequest),
			&kmsapi.DecryptRequest{KeyId: ptr(""), CiphertextBlob: []byte{}, EncryptionContext: map[string]string{}, GrantTokens: []string{}, Recipient: &kmsapi.RecipientInfo{}}},
		{"unknown members of any kind are skipped", `{"A":[{"KeyId":1},null],"KeyId":"k","keyId":7,"B":{"c":{"d":[[]]}},"C":1e400}`,
			new(kmsapi.DescribeKeyRequest), &kmsapi.DescribeKeyRequest{KeyId: ptr("k")}},
		{"escapes in names and values", `{"\u004beyId":"a\u002fb\n\ud83d\ude00","CiphertextBlob":"\/\/79AQ\u003d\u003d","EncryptionContext":{"\t":"\"","é":"\\"}}`,
			new(kmsapi.DecryptRequest), &kmsapi.DecryptRequest{KeyId: ptr("a/b\n😀"), CiphertextBlob: []byte{0xff, 0xfe, 0xfd, 0x01}, EncryptionContext: map[string]string{"\t": `"`, "é": `\`}}},
		{"white space everywhere", " {\n\t\"EncryptionContext\" : { \"a\" : \"b\" , \"c\":\"d\" } \r} \n",
			new(kmsapi.DecryptRequest), &kmsapi.DecryptRequest{EncryptionContext: map[string]string{"a": "b", "c": "d"}}},
		{"a map of numbers", `{"SummaryMap":{"Users":2,"userS":-1}}`, new(iamapi.GetAccountSummaryResponse),
			&iamapi.GetAccountSummaryResponse{SummaryMap: map[iamapi.SummaryKeyType]int32{"Users": 2, "userS": -1}}},
		{"an object without members", `{"x":{}}`, new(kmsapi.ConnectCustomKeyStoreResponse), new(kmsapi.ConnectCustomKeyStoreResponse)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := api.Decode([]byte(tt.body), tt.into); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, tt.into); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	deep := func(n int) string { return `{"X":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}` }
	for _, tt := range []struct{ name, body, want string }{
		{"an empty body", ``, "The request body ends before its JSON does"},
		{"white space alone", " \n", "The request body ends before its JSON does"},
		{"something that is not an object", `["KeyId"]`, "Expected an object"},
		{"null", `null`, "Expected an object"},
		{"a cut object", `{"KeyId":"k"`, "The request body is not valid JSON at byte 12"},
		{"data after the object", `{} {}`, "Unexpected data after the request object"},
		{"rubbish after the object", `{}x`, "The request body is not valid JSON at byte 2"},
		{"a trailing comma", `{"KeyId":"k",}`, "The request body is not valid JSON at byte 12"},
		{"a member twice", `{"KeyId":"a","KeyId":"b"}`, "Duplicate member at '/KeyId'"},
		{"a member twice, once escaped", `{"KeyId":"a","\u004beyId":"b"}`, "Duplicate member at '/KeyId'"},
		{"a context pair twice", `{"EncryptionContext":{"a":"1","a":"2"}}`, "Duplicate member at '/EncryptionContext/a'"},
		{"a member twice where nobody looks", `{"X":{"a":1,"a":2}}`, "Duplicate member at '/X/a'"},
		{"a number for a string", `{"KeyId":7}`, "Expected a string at '/KeyId'"},
		{"an object for a string", `{"KeyId":{"a":1}}`, "Expected a string at '/KeyId'"},
		{"a string for a boolean", `{"DryRun":"true"}`, "Expected a boolean at '/DryRun'"},
		{"a list for a boolean", `{"DryRun":[true]}`, "Expected a boolean at '/DryRun'"},
		{"a string for a list", `{"GrantTokens":"t"}`, "Expected a list at '/GrantTokens'"},
		{"a null in a list", `{"GrantTokens":["t",null]}`, "Expected a string at '/GrantTokens/1'"},
		{"a list for a map", `{"EncryptionContext":["a"]}`, "Expected an object at '/EncryptionContext'"},
		{"a null in a map", `{"EncryptionContext":{"a":"b","c":null}}`, "Expected an object of strings at '/EncryptionContext'"},
		{"a number in a map", `{"EncryptionContext":{"a":1}}`, "Expected an object of strings at '/EncryptionContext'"},
		{"a string for a structure", `{"Recipient":"r"}`, "Expected an object at '/Recipient'"},
		{"a wrong type inside", `{"Recipient":{"AttestationDocument":1}}`, "Expected a base64 string at '/Recipient/AttestationDocument'"},
		{"base64 with a bad letter", `{"CiphertextBlob":"AQ*D"}`, "Expected a base64 string at '/CiphertextBlob'"},
		{"base64 of the URL alphabet", `{"CiphertextBlob":"_-_-"}`, "Expected a base64 string at '/CiphertextBlob'"},
		{"base64 without padding", `{"CiphertextBlob":"AQ"}`, "Expected a base64 string at '/CiphertextBlob'"},
		{"base64 with stray bits", `{"CiphertextBlob":"AR=="}`, "Expected a base64 string at '/CiphertextBlob'"},
		{"base64 with a line break", `{"CiphertextBlob":"AQ\nID"}`, "Expected a base64 string at '/CiphertextBlob'"},
		{"bytes that are not UTF-8", "{\"KeyId\":\"\xff\"}", "The request body is not valid JSON at byte 10"},
		{"a lone surrogate", `{"KeyId":"\ud800"}`, "The request body is not valid JSON at byte 10"},
		{"a bare control character", "{\"KeyId\":\"\n\"}", "The request body is not valid JSON at byte 10"},
		{"a byte-order mark", "\ufeff{}", "The request body is not valid JSON at byte 0"},
		{"JSON nested 33 deep", deep(32), "The request body is nested too deeply"},
		{"a million brackets", strings.Repeat("[", 1<<20), "The request body is nested too deeply"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := api.Decode([]byte(tt.body), new(kmsapi.DecryptRequest))
			if diff := cmp.Diff(api.SerializationException("%s", tt.want).Error(), errorText(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
	if err := api.Decode([]byte(deep(31)), new(kmsapi.DecryptRequest)); err != nil {
		t.Errorf("32 deep: %v", err)
	}
	if err := api.Decode([]byte(`{"KeyId":"`+strings.Repeat("[{", 100)+`\"{"}`), new(kmsapi.DecryptRequest)); err != nil {
		t.Errorf("brackets in a string: %v", err)
	}
}

func errorText(err error) string {
	var e *api.Error
	if !errors.As(err, &e) {
		return "not an *api.Error"
	}
	return e.Error()
}

func TestDecodeRefusesNumbersThatDoNotFit(t *testing.T) {
	for _, number := range []string{"1.5", "1.0", "1e3", "2147483648", "-2147483649", "99999999999999999999", `"1"`, "true", "[]"} {
		err := api.Decode([]byte(`{"NumberOfBytes":`+number+`}`), new(kmsapi.GenerateRandomRequest))
		if got, want := errorText(err), "SerializationException: Expected an integer at '/NumberOfBytes'"; got != want {
			t.Errorf("%s: got %s, want %s", number, got, want)
		}
	}
	for _, value := range []string{"null", `"1"`, "[]"} {
		err := api.Decode([]byte(`{"SummaryMap":{"Users":`+value+`}}`), new(iamapi.GetAccountSummaryResponse))
		if got, prefix := errorText(err), "SerializationException: Expected "; !strings.HasPrefix(got, prefix) || !strings.HasSuffix(got, " at '/SummaryMap/Users'") {
			t.Errorf("%s: got %s", value, got)
		}
	}
	for _, number := range []string{"253402300800", "-253402300800", "1e300", "1e400", `"2025-05-21T05:47:45Z"`, "false"} {
		err := api.Decode([]byte(`{"ValidTo":`+number+`}`), new(kmsapi.ImportKeyMaterialRequest))
		if got, want := errorText(err), "SerializationException: Expected a timestamp at '/ValidTo'"; got != want {
			t.Errorf("%s: got %s, want %s", number, got, want)
		}
	}
}

// The pool of decoders must neither mix up requests nor keep what was in them.
func TestDecodedValuesDoNotShareTheBody(t *testing.T) {
	body := []byte(`{"KeyId":"k\u0031","CiphertextBlob":"AQ\/D","EncryptionContext":{"a":"b"},"EncryptionAlgorithm":"SM2PKE","GrantTokens":["t"]}`)
	var first, second kmsapi.DecryptRequest
	if err := api.Decode(body, &first); err != nil {
		t.Fatal(err)
	}
	for i := range body {
		body[i] = 'x'
	}
	if err := api.Decode([]byte(`{"KeyId":"other","EncryptionContext":{"\u0061":"\u0063"},"CiphertextBlob":"BQ=="}`), &second); err != nil {
		t.Fatal(err)
	}
	want := kmsapi.DecryptRequest{KeyId: ptr("k1"), CiphertextBlob: []byte{1, 0x0f, 0xc3}, EncryptionContext: map[string]string{"a": "b"},
		EncryptionAlgorithm: ptr(kmsapi.EncryptionAlgorithmSpecSm2pke), GrantTokens: []string{"t"}}
	if diff := cmp.Diff(&want, &first); diff != "" {
		t.Error(diff)
	}
}

// A message may quote where the fault is, not what the body says there, and not at length.
func TestDecodeErrorsAreShort(t *testing.T) {
	for _, body := range []string{
		`{"` + strings.Repeat("n", 1<<16) + `":1,"` + strings.Repeat("n", 1<<16) + `":2}`,
		`{"Plaintext":"` + strings.Repeat("s3cret!", 1<<12) + `"}`,
		`{"Plaintext":"s3cret!` + "\n" + `"}`,
	} {
		err := api.Decode([]byte(body), new(kmsapi.EncryptRequest))
		if err == nil || len(err.Error()) > 1200 || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("got %v", err)
		}
	}
}
