package kmsapi_test

import (
	"bytes"
	"encoding/base64"
	"testing"
	"time"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// decryptBody is a Decrypt request of some 300 bytes with two pairs of encryption context, as an SDK sends it.
func decryptBody() []byte {
	blob := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xa7}, 100))
	return []byte(`{"CiphertextBlob":"` + blob + `","EncryptionContext":{"tenant":"blue","purpose":"backup"},` +
		`"KeyId":"arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"}`)
}

func encryptBody() []byte {
	return []byte(`{"EncryptionContext":{"tenant":"blue","purpose":"backup"},"KeyId":"alias/app","Plaintext":"` +
		base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 64)) + `"}`)
}

func BenchmarkDecodeDecrypt(b *testing.B) {
	body := decryptBody()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := api.Decode(body, new(kmsapi.DecryptRequest)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeEncrypt(b *testing.B) {
	body := encryptBody()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := api.Decode(body, new(kmsapi.EncryptRequest)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheckDecrypt(b *testing.B) {
	in := new(kmsapi.DecryptRequest)
	if err := api.Decode(decryptBody(), in); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := api.Check(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAuditDecrypt(b *testing.B) {
	in := new(kmsapi.DecryptRequest)
	if err := api.Decode(decryptBody(), in); err != nil {
		b.Fatal(err)
	}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = in.AppendAudit(buf[:0])
	}
}

func BenchmarkEncode(b *testing.B) {
	keyID, material, now := "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab", "ab", time.UnixMilli(1700000000123)
	symmetric, spec, state := kmsapi.EncryptionAlgorithmSpecSymmetricDefault, kmsapi.KeySpecSymmetricDefault, kmsapi.KeyStateEnabled
	usage, yes, text := kmsapi.KeyUsageTypeEncryptDecrypt, true, "a key"
	for _, bench := range []struct {
		name string
		out  api.Output
	}{
		{"Decrypt", &kmsapi.DecryptResponse{KeyId: &keyID, Plaintext: make([]byte, 64), EncryptionAlgorithm: &symmetric, KeyMaterialId: &material}},
		{"Encrypt", &kmsapi.EncryptResponse{KeyId: &keyID, CiphertextBlob: make([]byte, 152), EncryptionAlgorithm: &symmetric}},
		{"DescribeKey", &kmsapi.DescribeKeyResponse{KeyMetadata: &kmsapi.KeyMetadata{
			AWSAccountId: &material, KeyId: &keyID, Arn: &keyID, CreationDate: &now, Enabled: &yes, Description: &text, KeyUsage: &usage,
			KeyState: &state, KeySpec: &spec, EncryptionAlgorithms: []kmsapi.EncryptionAlgorithmSpec{symmetric}, MultiRegion: &yes}}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				buf = bench.out.AppendJSON(buf[:0])
			}
		})
	}
}
