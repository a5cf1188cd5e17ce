package kms_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"hash"
	"slices"
	"strconv"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"github.com/google/go-cmp/cmp"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

const (
	oaep1   = kmsapi.EncryptionAlgorithmSpecRsaesOaepSha1
	oaep256 = kmsapi.EncryptionAlgorithmSpecRsaesOaepSha256
	sm2pke  = kmsapi.EncryptionAlgorithmSpecSm2pke
)

// keyOf makes a key of a spec and usage.
func (u user) keyOf(spec kmsapi.KeySpec, usage kmsapi.KeyUsageType) string {
	u.t.Helper()
	return *do[kmsapi.CreateKeyResponse](u, &kmsapi.CreateKeyRequest{KeySpec: &spec, KeyUsage: &usage}).KeyMetadata.KeyId
}

// publicKey downloads the public key of a key pair.
func (u user) publicKey(id string) []byte {
	u.t.Helper()
	return do[kmsapi.GetPublicKeyResponse](u, &kmsapi.GetPublicKeyRequest{KeyId: &id}).PublicKey
}

// decode reads an answer.
func decode(t testing.TB, a answer, out api.Shape) {
	t.Helper()
	if err := api.Decode(a.body, out); err != nil {
		t.Fatalf("%s: %v", a.operation, err)
	}
}

// sm2Public is the public key that smx509 has read.
func sm2Public(t testing.TB, key any) *ecdsa.PublicKey {
	t.Helper()
	public, ok := key.(*ecdsa.PublicKey)
	if !ok {
		t.Fatalf("%T is no SM2 key", key)
	}
	return public
}

// TestPublicKeyOfEverySpec: a key shows the algorithms of its usage, and its public key, to readers who know the format.
func TestPublicKeyOfEverySpec(t *testing.T) {
	u := newWorld(t).as(alice)
	const encrypt, sign, agree, encapsulate = kmsapi.KeyUsageTypeEncryptDecrypt, kmsapi.KeyUsageTypeSignVerify, kmsapi.KeyUsageTypeKeyAgreement, kmsapi.KeyUsageTypeEncapsulateDecapsulate
	ecdh := kmsapi.GetPublicKeyResponse{KeyAgreementAlgorithms: []kmsapi.KeyAgreementAlgorithmSpec{"ECDH"}}
	kem := kmsapi.GetPublicKeyResponse{EncapsulationAlgorithms: []kmsapi.EncapsulationAlgorithmSpec{"ML_KEM"}}
	signing := func(a ...kmsapi.SigningAlgorithmSpec) kmsapi.GetPublicKeyResponse {
		return kmsapi.GetPublicKeyResponse{SigningAlgorithms: a}
	}
	rsaSigning := signing("RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512", "RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512")
	oaep := kmsapi.GetPublicKeyResponse{EncryptionAlgorithms: []kmsapi.EncryptionAlgorithmSpec{oaep1, oaep256}}
	for _, row := range []struct {
		spec  kmsapi.KeySpec
		usage kmsapi.KeyUsageType
		want  kmsapi.GetPublicKeyResponse
		size  int // of the DER
	}{
		{kmsapi.KeySpecRsa2048, encrypt, oaep, 294}, {kmsapi.KeySpecRsa2048, sign, rsaSigning, 294}, {kmsapi.KeySpecRsa3072, encrypt, oaep, 422}, {kmsapi.KeySpecRsa4096, sign, rsaSigning, 550},
		{kmsapi.KeySpecEccNistP256, sign, signing("ECDSA_SHA_256"), 91}, {kmsapi.KeySpecEccNistP256, agree, ecdh, 91},
		{kmsapi.KeySpecEccNistP384, sign, signing("ECDSA_SHA_384"), 120}, {kmsapi.KeySpecEccNistP384, agree, ecdh, 120},
		{kmsapi.KeySpecEccNistP521, sign, signing("ECDSA_SHA_512"), 158}, {kmsapi.KeySpecEccNistP521, agree, ecdh, 158},
		{kmsapi.KeySpecEccSecgP256k1, sign, signing("ECDSA_SHA_256"), 88}, {kmsapi.KeySpecEccNistEdwards25519, sign, signing("ED25519_SHA_512", "ED25519_PH_SHA_512"), 44},
		{kmsapi.KeySpecMlDsa44, sign, signing("ML_DSA_SHAKE_256"), 1334}, {kmsapi.KeySpecMlDsa65, sign, signing("ML_DSA_SHAKE_256"), 1974}, {kmsapi.KeySpecMlDsa87, sign, signing("ML_DSA_SHAKE_256"), 2614},
		{kmsapi.KeySpecMlKem512, encapsulate, kem, 822}, {kmsapi.KeySpecMlKem768, encapsulate, kem, 1206}, {kmsapi.KeySpecMlKem1024, encapsulate, kem, 1590},
		{kmsapi.KeySpecSm2, sign, signing("SM2DSA"), 91}, {kmsapi.KeySpecSm2, agree, ecdh, 91}, {kmsapi.KeySpecSm2, encrypt, kmsapi.GetPublicKeyResponse{EncryptionAlgorithms: []kmsapi.EncryptionAlgorithmSpec{sm2pke}}, 91},
	} {
		id := u.keyOf(row.spec, row.usage)
		got := do[kmsapi.GetPublicKeyResponse](u, &kmsapi.GetPublicKeyRequest{KeyId: &id})
		row.want.KeyId, row.want.KeySpec, row.want.KeyUsage = new(u.keyARN(id)), &row.spec, &row.usage
		row.want.CustomerMasterKeySpec, row.want.PublicKey = new(kmsapi.CustomerMasterKeySpec(row.spec)), got.PublicKey
		if diff := cmp.Diff(&row.want, got); diff != "" || len(got.PublicKey) != row.size {
			t.Errorf("%s for %s: %d bytes, want %d; %s", row.spec, row.usage, len(got.PublicKey), row.size, diff)
		}
		if again := u.publicKey(id); !bytes.Equal(again, got.PublicKey) {
			t.Errorf("%s: two public keys", row.spec)
		}
		u.disable(id) // whoever may see the key may still verify what it has signed
		if again := u.publicKey(id); !bytes.Equal(again, got.PublicKey) {
			t.Errorf("%s, disabled: another public key", row.spec)
		}
		u.schedule(id)
		u.refused(&kmsapi.GetPublicKeyRequest{KeyId: &id}, "KMSInvalidStateException", u.keyARN(id)+" is pending deletion.")
	}
	for _, id := range []string{u.createKey(), u.keyOf(kmsapi.KeySpecHmac256, kmsapi.KeyUsageTypeGenerateVerifyMac)} {
		u.refusedAs(&kmsapi.GetPublicKeyRequest{KeyId: &id}, "UnsupportedOperationException")
	}
}

// encrypter is a key pair with one of its algorithms.
type encrypter struct {
	spec  kmsapi.KeySpec
	alg   kmsapi.EncryptionAlgorithmSpec
	limit int // of a plaintext in bytes
}

func encrypters() []encrypter {
	return []encrypter{
		{kmsapi.KeySpecRsa2048, oaep1, 214}, {kmsapi.KeySpecRsa2048, oaep256, 190}, {kmsapi.KeySpecRsa3072, oaep1, 342}, {kmsapi.KeySpecRsa3072, oaep256, 318},
		{kmsapi.KeySpecRsa4096, oaep1, 470}, {kmsapi.KeySpecRsa4096, oaep256, 446}, {kmsapi.KeySpecSm2, sm2pke, 1024},
	}
}

func encryptRequest(id string, alg kmsapi.EncryptionAlgorithmSpec, plaintext []byte) *kmsapi.EncryptRequest {
	return &kmsapi.EncryptRequest{KeyId: &id, EncryptionAlgorithm: &alg, Plaintext: plaintext}
}

func decryptRequest(id string, alg kmsapi.EncryptionAlgorithmSpec, ciphertext []byte) *kmsapi.DecryptRequest {
	return &kmsapi.DecryptRequest{KeyId: &id, EncryptionAlgorithm: &alg, CiphertextBlob: ciphertext}
}

// opens decrypts with a key pair.
func (u user) opens(id string, alg kmsapi.EncryptionAlgorithmSpec, ciphertext []byte) []byte {
	u.t.Helper()
	out := do[kmsapi.DecryptResponse](u, decryptRequest(id, alg, ciphertext))
	if *out.KeyId != u.keyARN(id) || *out.EncryptionAlgorithm != alg || out.KeyMaterialId != nil {
		u.t.Errorf("Decrypt: key %s, algorithm %s, material %v", *out.KeyId, *out.EncryptionAlgorithm, out.KeyMaterialId)
	}
	return out.Plaintext
}

// encryptOutside encrypts with a downloaded public key.
func encryptOutside(t *testing.T, e encrypter, spki, plaintext []byte) []byte {
	t.Helper()
	if e.alg == sm2pke {
		key, err := smx509.ParsePKIXPublicKey(spki)
		if err != nil {
			t.Fatal(err)
		}
		return spkiOf(sm2.EncryptASN1(rand.Reader, sm2Public(t, key), plaintext))(t)
	}
	key, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		t.Fatal(err)
	}
	h := map[kmsapi.EncryptionAlgorithmSpec]func() hash.Hash{oaep1: sha1.New, oaep256: sha256.New}[e.alg]
	return spkiOf(rsa.EncryptOAEP(h(), rand.Reader, key.(*rsa.PublicKey), plaintext, nil))(t)
}

// What is encrypted with the public key, here or outside, is decrypted with the private one, up to a limit.
func TestEncryptAndDecryptWithKeyPairs(t *testing.T) {
	u := newWorld(t).as(alice)
	keys := u.ring(kmsapi.KeyUsageTypeEncryptDecrypt)
	for _, e := range encrypters() {
		id := keys.of(e.spec)
		spki := u.publicKey(id)
		for _, size := range []int{1, 32, e.limit - 1, e.limit} {
			plaintext := bytes.Repeat([]byte{'p'}, size)
			out := do[kmsapi.EncryptResponse](u, encryptRequest(id, e.alg, plaintext))
			if *out.KeyId != u.keyARN(id) || *out.EncryptionAlgorithm != e.alg {
				t.Errorf("%s: key %s, algorithm %s", e.alg, *out.KeyId, *out.EncryptionAlgorithm)
			}
			for _, ciphertext := range [][]byte{out.CiphertextBlob, encryptOutside(t, e, spki, plaintext)} {
				if got := u.opens(id, e.alg, ciphertext); !bytes.Equal(got, plaintext) {
					t.Errorf("%s, %s, %d bytes: got %d bytes", e.spec, e.alg, size, len(got))
				}
			}
		}
		for _, size := range []int{e.limit + 1, 4096} {
			u.refused(encryptRequest(id, e.alg, make([]byte, size)), "ValidationException", "Algorithm "+string(e.alg)+" and key spec "+string(e.spec)+" cannot encrypt data larger than "+strconv.Itoa(e.limit)+" bytes.")
		}
	}
}

// TestChangedAsymmetricCiphertexts: one answer, without a word more.
func TestChangedAsymmetricCiphertexts(t *testing.T) {
	u := newWorld(t).as(alice)
	keys, others := u.ring(kmsapi.KeyUsageTypeEncryptDecrypt), u.ring(kmsapi.KeyUsageTypeEncryptDecrypt)
	destination := u.createKey()
	tried := 0
	for _, e := range encrypters() {
		if e.spec == kmsapi.KeySpecRsa3072 || e.spec == kmsapi.KeySpecRsa4096 {
			continue
		}
		id := keys.of(e.spec)
		good := do[kmsapi.EncryptResponse](u, encryptRequest(id, e.alg, []byte(secret))).CiphertextBlob
		bad := [][]byte{
			append(slices.Clone(good), 0), append([]byte{0}, good...), good[1:], good[:len(good)-1], {0}, {0x30}, []byte(secret), make([]byte, len(good)), make([]byte, 6144),
			bytes.Repeat([]byte{0xff}, len(good)), u.encrypt(destination, secret, nil),
			do[kmsapi.EncryptResponse](u, encryptRequest(others.of(e.spec), e.alg, []byte(secret))).CiphertextBlob,
		}
		for i := range good {
			changed := slices.Clone(good)
			changed[i] ^= 1 << (i % 8)
			bad = append(bad, changed)
		}
		for _, ciphertext := range bad {
			u.refused(decryptRequest(id, e.alg, ciphertext), "InvalidCiphertextException", "")
			u.refused(&kmsapi.ReEncryptRequest{CiphertextBlob: ciphertext, SourceKeyId: &id, SourceEncryptionAlgorithm: &e.alg, DestinationKeyId: &destination}, "InvalidCiphertextException", "")
			tried++
		}
		for _, other := range []kmsapi.EncryptionAlgorithmSpec{oaep1, oaep256} { // the key's other algorithm
			if other != e.alg && e.alg != sm2pke {
				u.refused(decryptRequest(id, other, good), "InvalidCiphertextException", "")
			}
		}
	}
	if tried < 600 {
		t.Errorf("only %d changes", tried)
	}
}

func TestAsymmetricEncryptionParameters(t *testing.T) {
	u := newWorld(t).as(alice)
	pair, curve, symmetric, signer := u.keyOf(kmsapi.KeySpecRsa2048, kmsapi.KeyUsageTypeEncryptDecrypt), u.keyOf(kmsapi.KeySpecSm2, kmsapi.KeyUsageTypeEncryptDecrypt), u.createKey(), u.keyOf(kmsapi.KeySpecRsa2048, kmsapi.KeyUsageTypeSignVerify)
	ciphertext := do[kmsapi.EncryptResponse](u, encryptRequest(pair, oaep256, []byte(secret))).CiphertextBlob
	const wrong = "InvalidKeyUsageException"
	incompatible := func(alg kmsapi.EncryptionAlgorithmSpec, spec kmsapi.KeySpec) string {
		return "Algorithm " + string(alg) + " is incompatible with key spec " + string(spec) + "."
	}
	for _, row := range []struct {
		name          string
		in            request
		code, message string
	}{
		{"no algorithm", &kmsapi.EncryptRequest{KeyId: &pair, Plaintext: []byte(secret)}, wrong, incompatible(aes, kmsapi.KeySpecRsa2048)},
		{"symmetric algorithm", encryptRequest(pair, aes, []byte(secret)), wrong, incompatible(aes, kmsapi.KeySpecRsa2048)},
		{"SM2 with RSA", encryptRequest(pair, sm2pke, []byte(secret)), wrong, incompatible(sm2pke, kmsapi.KeySpecRsa2048)},
		{"RSA with SM2", encryptRequest(curve, oaep256, []byte(secret)), wrong, incompatible(oaep256, kmsapi.KeySpecSm2)},
		{"RSA with a symmetric key", encryptRequest(symmetric, oaep1, []byte(secret)), wrong, incompatible(oaep1, kmsapi.KeySpecSymmetricDefault)},
		{"signing key", encryptRequest(signer, oaep256, []byte(secret)), wrong, u.keyARN(signer) + " key usage is SIGN_VERIFY which is not valid for Encrypt."},
		{"Decrypt: SM2 with RSA", decryptRequest(pair, sm2pke, ciphertext), wrong, incompatible(sm2pke, kmsapi.KeySpecRsa2048)},
		{"Decrypt: RSA with SM2", decryptRequest(curve, oaep256, ciphertext), wrong, incompatible(oaep256, kmsapi.KeySpecSm2)},
		{"Decrypt: signing key", decryptRequest(signer, oaep256, ciphertext), wrong, u.keyARN(signer) + " key usage is SIGN_VERIFY which is not valid for Decrypt."},
		{"Decrypt: no algorithm", &kmsapi.DecryptRequest{KeyId: &pair, CiphertextBlob: ciphertext}, "InvalidCiphertextException", ""},
		{"Decrypt: no key", &kmsapi.DecryptRequest{EncryptionAlgorithm: new(oaep256), CiphertextBlob: ciphertext}, "InvalidCiphertextException", ""},
		{"Decrypt: symmetric ciphertext", &kmsapi.DecryptRequest{KeyId: &pair, CiphertextBlob: u.encrypt(symmetric, secret, nil)}, "IncorrectKeyException", incorrect},
		{"dry run", &kmsapi.EncryptRequest{KeyId: &pair, EncryptionAlgorithm: new(oaep256), Plaintext: []byte(secret), DryRun: new(true)}, "DryRunOperationException", dryRun},
		{"Decrypt: dry run", &kmsapi.DecryptRequest{KeyId: &pair, EncryptionAlgorithm: new(oaep256), CiphertextBlob: ciphertext, DryRun: new(true)}, "DryRunOperationException", dryRun},
		{"Decrypt: dry run that fails", &kmsapi.DecryptRequest{KeyId: &pair, EncryptionAlgorithm: new(oaep1), CiphertextBlob: ciphertext, DryRun: new(true)}, "InvalidCiphertextException", ""},
	} {
		a := u.send(row.in)
		if a.code != row.code || a.message != row.message {
			t.Errorf("%s: got %q %q, want %q %q", row.name, a.code, a.message, row.code, row.message)
		}
	}
	u.disable(pair)
	u.refused(encryptRequest(pair, oaep256, []byte(secret)), "DisabledException", u.keyARN(pair)+" is disabled.")
	u.refused(decryptRequest(pair, oaep256, ciphertext), "DisabledException", u.keyARN(pair)+" is disabled.")
}

// Ciphertexts of key pairs cannot be bound to an encryption context, so one that is given is refused, not forgotten.
func TestKeyPairsHaveNoEncryptionContext(t *testing.T) {
	u := newWorld(t).as(alice)
	pair, symmetric := u.keyOf(kmsapi.KeySpecRsa2048, kmsapi.KeyUsageTypeEncryptDecrypt), u.createKey()
	context := map[string]string{"tenant": "blue"}
	ciphertext := do[kmsapi.EncryptResponse](u, encryptRequest(pair, oaep256, []byte(secret))).CiphertextBlob
	for _, in := range []request{
		&kmsapi.EncryptRequest{KeyId: &pair, EncryptionAlgorithm: new(oaep256), Plaintext: []byte(secret), EncryptionContext: context},
		&kmsapi.DecryptRequest{KeyId: &pair, EncryptionAlgorithm: new(oaep256), CiphertextBlob: ciphertext, EncryptionContext: context},
		&kmsapi.ReEncryptRequest{CiphertextBlob: ciphertext, SourceKeyId: &pair, SourceEncryptionAlgorithm: new(oaep256), SourceEncryptionContext: context, DestinationKeyId: &symmetric},
		&kmsapi.ReEncryptRequest{CiphertextBlob: u.encrypt(symmetric, secret, nil), DestinationKeyId: &pair, DestinationEncryptionAlgorithm: new(oaep256), DestinationEncryptionContext: context},
	} {
		u.refusedAs(in, "ValidationException")
	}
	u.must(&kmsapi.EncryptRequest{KeyId: &pair, EncryptionAlgorithm: new(oaep256), Plaintext: []byte(secret), EncryptionContext: map[string]string{}})
}

// ReEncrypt goes from every kind of key to every kind.
func TestReEncryptBetweenKinds(t *testing.T) {
	u := newWorld(t).as(alice)
	type side struct {
		id      string
		alg     kmsapi.EncryptionAlgorithmSpec
		context map[string]string
	}
	pair, curve := u.keyOf(kmsapi.KeySpecRsa2048, kmsapi.KeyUsageTypeEncryptDecrypt), u.keyOf(kmsapi.KeySpecSm2, kmsapi.KeyUsageTypeEncryptDecrypt)
	sides := []side{
		{u.createKey(), aes, nil}, {u.createKey(), aes, map[string]string{"tenant": "blue"}}, {pair, oaep1, nil}, {pair, oaep256, nil}, {curve, sm2pke, nil},
	}
	for _, from := range sides {
		in := encryptRequest(from.id, from.alg, []byte(secret))
		in.EncryptionContext = from.context
		ciphertext := do[kmsapi.EncryptResponse](u, in).CiphertextBlob
		for _, to := range sides {
			out := do[kmsapi.ReEncryptResponse](u, &kmsapi.ReEncryptRequest{
				CiphertextBlob: ciphertext, SourceKeyId: &from.id, SourceEncryptionAlgorithm: &from.alg, SourceEncryptionContext: from.context,
				DestinationKeyId: &to.id, DestinationEncryptionAlgorithm: &to.alg, DestinationEncryptionContext: to.context,
			})
			if *out.SourceKeyId != u.keyARN(from.id) || *out.KeyId != u.keyARN(to.id) || *out.SourceEncryptionAlgorithm != from.alg || *out.DestinationEncryptionAlgorithm != to.alg ||
				(out.SourceKeyMaterialId != nil) != (from.alg == aes) || (out.DestinationKeyMaterialId != nil) != (to.alg == aes) {
				t.Errorf("%s to %s: %+v", from.alg, to.alg, out)
			}
			back := decryptRequest(to.id, to.alg, out.CiphertextBlob)
			back.EncryptionContext = to.context
			if got := do[kmsapi.DecryptResponse](u, back); string(got.Plaintext) != secret {
				t.Errorf("%s to %s: got %q", from.alg, to.alg, got.Plaintext)
			}
		}
	}
	long := u.encrypt(sides[0].id, string(bytes.Repeat([]byte{'p'}, 1025)), nil)
	for _, to := range sides[2:] {
		u.refusedAs(&kmsapi.ReEncryptRequest{CiphertextBlob: long, DestinationKeyId: &to.id, DestinationEncryptionAlgorithm: &to.alg}, "ValidationException")
	}
	u.refusedAs(&kmsapi.ReEncryptRequest{CiphertextBlob: u.encrypt(sides[0].id, secret, nil), DestinationKeyId: &pair}, "InvalidKeyUsageException")
	u.refusedAs(&kmsapi.ReEncryptRequest{CiphertextBlob: u.encrypt(sides[0].id, secret, nil), DestinationKeyId: &pair, DestinationEncryptionAlgorithm: new(sm2pke)}, "InvalidKeyUsageException")
}
