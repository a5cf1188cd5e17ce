package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/hsm"
)

func call(t *testing.T, h *handler, operation string, in interface{ AppendJSON([]byte) []byte }, out api.Shape) int {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(in.AppendJSON(nil)))
	r.Header.Set("X-Amz-Target", "TrentService."+operation)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code == http.StatusOK {
		if err := api.Decode(w.Body.Bytes(), out); err != nil {
			t.Fatal(err)
		}
	}
	return w.Code
}

func TestItDoesTheWork(t *testing.T) {
	h, err := newHandler()
	if err != nil {
		t.Fatal(err)
	}
	plaintext := []byte("thirty-two bytes make a data key")
	var sealed kmsapi.EncryptResponse
	var made kmsapi.GenerateDataKeyResponse
	if code := call(t, h, "Encrypt", &kmsapi.EncryptRequest{Plaintext: plaintext}, &sealed); code != 200 {
		t.Fatalf("Encrypt: %d", code)
	}
	if code := call(t, h, "GenerateDataKey", &kmsapi.GenerateDataKeyRequest{}, &made); code != 200 {
		t.Fatalf("GenerateDataKey: %d", code)
	}
	for ciphertext, want := range map[*[]byte][]byte{&sealed.CiphertextBlob: plaintext, &made.CiphertextBlob: made.Plaintext} {
		if got, want := len(*ciphertext), len(want)+hsm.CiphertextOverhead; got != want {
			t.Errorf("ciphertext of %d bytes, Trent's has %d", got, want)
		}
		var opened kmsapi.DecryptResponse
		if code := call(t, h, "Decrypt", &kmsapi.DecryptRequest{CiphertextBlob: *ciphertext}, &opened); code != 200 || !bytes.Equal(opened.Plaintext, want) {
			t.Errorf("Decrypt: %d, %q; want %q", code, opened.Plaintext, want)
		}
		(*ciphertext)[len(*ciphertext)-1] ^= 1
		if code := call(t, h, "Decrypt", &kmsapi.DecryptRequest{CiphertextBlob: *ciphertext}, &opened); code != 400 {
			t.Errorf("Decrypt of a changed ciphertext: %d", code)
		}
	}
	var described kmsapi.DescribeKeyResponse
	if code := call(t, h, "DescribeKey", &kmsapi.DescribeKeyRequest{}, &described); code != 200 || described.KeyMetadata == nil {
		t.Errorf("DescribeKey: %d, %+v", code, described.KeyMetadata)
	}
	if code := call(t, h, "CreateKey", &kmsapi.CreateKeyRequest{}, nil); code != 400 {
		t.Errorf("CreateKey: %d", code)
	}
}
