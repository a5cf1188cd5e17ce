package kmsapi_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// The API reference knows 48 errors; three are the server's fault.
func TestEachModeledErrorHasItsStatus(t *testing.T) {
	serverFault := map[string]bool{"DependencyTimeoutException": true, "KMSInternalException": true, "KeyUnavailableException": true}
	seen := map[string]bool{}
	for _, e := range kmsapi.Errors() {
		want := 400
		if serverFault[e.Code] {
			want = 500
		}
		if e.Status != want || seen[e.Code] || !strings.HasSuffix(e.Code, "Exception") {
			t.Errorf("%s has status %d (twice: %v), want %d", e.Code, e.Status, seen[e.Code], want)
		}
		seen[e.Code] = true
	}
	if len(seen) != 48 {
		t.Errorf("%d errors, want 48", len(seen))
	}
}

// All is built but custom key stores.
func TestOperations(t *testing.T) {
	var missing []string
	for _, o := range kmsapi.Operations() {
		if !o.Built {
			missing = append(missing, o.Name)
		}
		if o.NewInput() == nil || o.NewOutput() == nil {
			t.Errorf("%s has no shapes", o.Name)
		}
	}
	const want = "ConnectCustomKeyStore CreateCustomKeyStore DeleteCustomKeyStore DescribeCustomKeyStores DisconnectCustomKeyStore UpdateCustomKeyStore"
	if got := strings.Join(missing, " "); got != want {
		t.Errorf("not built are\n%s, want\n%s", got, want)
	}
	if n := len(kmsapi.Operations()); n != 56 {
		t.Errorf("%d operations, want 56", n)
	}
}

// Requests and responses end up in logs by accident; the accident must not show what is in them.
func TestShapesDoNotPrintSecrets(t *testing.T) {
	const secret = "s3cret-plaintext"
	text := secret
	for _, x := range []any{
		kmsapi.EncryptRequest{Plaintext: []byte(secret)}, &kmsapi.EncryptRequest{Plaintext: []byte(secret)},
		kmsapi.DecryptResponse{Plaintext: []byte(secret)}, &kmsapi.DecryptResponse{Plaintext: []byte(secret)},
		&kmsapi.GenerateDataKeyPairResponse{PrivateKeyPlaintext: []byte(secret)},
		&kmsapi.DeriveSharedSecretResponse{SharedSecret: []byte(secret)},
		&kmsapi.XksProxyAuthenticationCredentialType{RawSecretAccessKey: &text},
		[]kmsapi.DecryptResponse{{Plaintext: []byte(secret)}},
		struct{ R *kmsapi.EncryptRequest }{&kmsapi.EncryptRequest{Plaintext: []byte(secret)}},
	} {
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(&out, verb+"\n", x)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "x", x)
		for _, leak := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), "115 51 99"} {
			if strings.Contains(out.String(), leak) {
				t.Errorf("%T prints its secret: %s", x, out.String())
			}
		}
	}
}

// FuzzDecode reads any body as the request and the response of any operation. What decodes must encode, and decode
// again to the same value; checking and recording it must not fail whatever it is.
func FuzzDecode(f *testing.F) {
	operations := kmsapi.Operations()
	for i := range operations {
		f.Add(uint8(i), []byte(`{}`))
	}
	for _, seed := range []string{
		string(decryptBody()), string(encryptBody()),
		`{"KeyId":"k","Tags":[{"TagKey":"a","TagValue":"\u00e9"}],"TagKeys":["a",""],"Limit":7,"Marker":null}`,
		`{"ValidTo":1.700000000123E9,"ImportToken":"AQID","Constraints":{"EncryptionContextEquals":{"a":"\ud83d\ude00"}},"Operations":["Decrypt"]}`,
		`{"KeyMetadata":{"CreationDate":-0.5,"Enabled":true,"MultiRegionConfiguration":{"ReplicaKeys":[{"Arn":"a"}]}}}`,
		`{"EncryptionContext":{"a":"1","a":"2"}}`, `{"GrantTokens":[null]}`, `{"X":[[[{"a":1e9}]]]}`, `[`, "\xff", `{"KeyId":"\ud800"}`,
	} {
		for i, o := range operations {
			if o.Built {
				f.Add(uint8(i), []byte(seed))
			}
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		o := operations[int(which)%len(operations)]
		in, again := o.NewInput(), o.NewInput()
		if roundTrip(t, body, in, again) {
			_ = api.Check(in)
			if record := in.AppendAudit(nil); len(record) == 0 {
				t.Error("an empty record")
			}
		}
		out, outAgain := o.NewOutput(), o.NewOutput()
		if roundTrip(t, body, out.(api.Shape), outAgain.(api.Shape)) {
			out.AppendAudit(nil)
		}
	})
}

// roundTrip reports whether body decodes into x, and fails t unless it then survives a trip through again.
func roundTrip(t *testing.T, body []byte, x, again api.Shape) bool {
	t.Helper()
	if err := api.Decode(body, x); err != nil {
		if e := api.From(err); e.Code != "SerializationException" || e.Status != 400 {
			t.Fatalf("unexpected error %v", err)
		}
		return false
	}
	type encoder interface{ AppendJSON([]byte) []byte }
	encoded := x.(encoder).AppendJSON(nil)
	if len(encoded) == 0 { // *api.Empty
		return true
	}
	if err := api.Decode(encoded, again); err != nil {
		t.Fatalf("%s does not decode: %v", encoded, err)
	}
	if got := again.(encoder).AppendJSON(nil); !bytes.Equal(got, encoded) {
		t.Fatalf("got %s, want %s", got, encoded)
	}
	if !reflect.DeepEqual(x, again) {
		t.Fatalf("%s decodes to another value", encoded)
	}
	return true
}
