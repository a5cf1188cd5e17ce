package kms_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/elliptic"
	"crypto/mlkem"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"testing"

	"github.com/cloudflare/circl/kem/mlkem/mlkem512"
	gmecdh "github.com/emmansun/gmsm/ecdh"
	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

const ecdhAlgorithm = kmsapi.KeyAgreementAlgorithmSpecEcdh

func agreeRequest(id string, peer []byte) *kmsapi.DeriveSharedSecretRequest {
	return &kmsapi.DeriveSharedSecretRequest{KeyId: &id, KeyAgreementAlgorithm: new(ecdhAlgorithm), PublicKey: peer}
}

func (u user) agree(id string, peer []byte) []byte {
	u.t.Helper()
	return do[kmsapi.DeriveSharedSecretResponse](u, agreeRequest(id, peer)).SharedSecret
}

// curves are the NIST curves, with the length of their fields in bytes.
func curves() map[kmsapi.KeySpec]struct {
	curve ecdh.Curve
	size  int
} {
	return map[kmsapi.KeySpec]struct {
		curve ecdh.Curve
		size  int
	}{
		kmsapi.KeySpecEccNistP256: {ecdh.P256(), 32},
		kmsapi.KeySpecEccNistP384: {ecdh.P384(), 48},
		kmsapi.KeySpecEccNistP521: {ecdh.P521(), 66},
	}
}

// Two keys agree on one secret, whoever derives it; with a key outside, too.
func TestDeriveSharedSecret(t *testing.T) {
	u := newWorld(t).as(alice)
	for _, spec := range []kmsapi.KeySpec{kmsapi.KeySpecEccNistP256, kmsapi.KeySpecEccNistP384, kmsapi.KeySpecEccNistP521, kmsapi.KeySpecSm2} {
		t.Run(string(spec), func(t *testing.T) {
			id, other := u.keyOf(spec, kmsapi.KeyUsageTypeKeyAgreement), u.keyOf(spec, kmsapi.KeyUsageTypeKeyAgreement)
			out := do[kmsapi.DeriveSharedSecretResponse](u, agreeRequest(id, u.publicKey(other)))
			if *out.KeyId != u.keyARN(id) || *out.KeyAgreementAlgorithm != ecdhAlgorithm || *out.KeyOrigin != kmsapi.OriginTypeAwsKms || out.CiphertextForRecipient != nil {
				t.Errorf("key %s, algorithm %s, origin %s", *out.KeyId, *out.KeyAgreementAlgorithm, *out.KeyOrigin)
			}
			if got := u.agree(other, u.publicKey(id)); !bytes.Equal(got, out.SharedSecret) {
				t.Errorf("%x and %x", got, out.SharedSecret)
			}
			if got := u.agree(id, u.publicKey(id)); bytes.Equal(got, out.SharedSecret) {
				t.Error("another key gives the same secret")
			}
			for range 20 { // now and then a secret begins with zeros, which must stay
				peer, derive := outsider(t, spec)
				got := u.agree(id, peer)
				if want := derive(u.publicKey(id)); !bytes.Equal(got, want) {
					t.Errorf("got %x, want %x", got, want)
				}
			}
		})
	}
}

// outsider makes a key outside the service: its public key, and how it agrees.
func outsider(t *testing.T, spec kmsapi.KeySpec) (public []byte, derive func(spki []byte) []byte) {
	t.Helper()
	if spec == kmsapi.KeySpecSm2 {
		return sm2Outsider(t)
	}
	of := curves()[spec]
	key, err := of.curve.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if public, err = x509.MarshalPKIXPublicKey(key.PublicKey()); err != nil {
		t.Fatal(err)
	}
	return public, func(spki []byte) []byte {
		secret, err := key.ECDH(nistPoint(t, of.curve, spki))
		if err != nil || len(secret) != of.size {
			t.Fatal(len(secret), err)
		}
		return secret
	}
}

// nistPoint reads the public key of a curve.
func nistPoint(t *testing.T, curve ecdh.Curve, spki []byte) *ecdh.PublicKey {
	t.Helper()
	point, err := curve.NewPublicKey(rawKey(t, spki))
	if err != nil {
		t.Fatal(err)
	}
	return point
}

func sm2Outsider(t *testing.T) (public []byte, derive func(spki []byte) []byte) {
	t.Helper()
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if public, err = smx509.MarshalPKIXPublicKey(&key.PublicKey); err != nil {
		t.Fatal(err)
	}
	return public, func(spki []byte) []byte {
		local, err := key.ECDH()
		if err != nil {
			t.Fatal(err)
		}
		remote, err := gmecdh.P256().NewPublicKey(rawKey(t, spki))
		if err != nil {
			t.Fatal(err)
		}
		secret, err := local.ECDH(remote)
		if err != nil {
			t.Fatal(err)
		}
		return secret
	}
}

// publicKeyInfo is SubjectPublicKeyInfo (RFC 5280, 4.1.2.7).
type publicKeyInfo struct {
	Algorithm pkix.AlgorithmIdentifier
	Key       asn1.BitString
}

// rawKey is the key inside a SubjectPublicKeyInfo.
func rawKey(t *testing.T, spki []byte) []byte {
	t.Helper()
	var info publicKeyInfo
	if rest, err := asn1.Unmarshal(spki, &info); err != nil || len(rest) > 0 {
		t.Fatal(err, len(rest))
	}
	return info.Key.Bytes
}

// A peer's key must be one of the same curve, in the one form. What is wrong with it is not said.
func TestPeersThatDoNotFit(t *testing.T) {
	u := newWorld(t).as(alice)
	tried := 0
	for spec, of := range curves() {
		id := u.keyOf(spec, kmsapi.KeyUsageTypeKeyAgreement)
		good, _ := outsider(t, spec)
		point := rawKey(t, good)
		with := func(point []byte) []byte {
			var info publicKeyInfo
			if _, err := asn1.Unmarshal(good, &info); err != nil {
				t.Fatal(err)
			}
			info.Key = asn1.BitString{Bytes: point, BitLength: 8 * len(point)}
			der, err := asn1.Marshal(info)
			if err != nil {
				t.Fatal(err)
			}
			return der
		}
		zeros, ones := make([]byte, 2*of.size), bytes.Repeat([]byte{0xff}, 2*of.size)
		offCurve, compressed := slices.Clone(point), append([]byte{2 + point[len(point)-1]&1}, point[1:1+of.size]...)
		offCurve[len(offCurve)-1] ^= 1
		bad := map[string][]byte{
			"not on the curve": with(offCurve), "compressed": with(compressed), "hybrid": with(append([]byte{6 + point[len(point)-1]&1}, point[1:]...)),
			"infinity": with([]byte{0}), "infinity, long": with(append([]byte{0}, zeros...)), "zero": with(append([]byte{4}, zeros...)), "above the field": with(append([]byte{4}, ones...)),
			"no point": with(nil), "too short": with(point[:len(point)-1]), "too long": with(append(slices.Clone(point), 0)), "the point alone": point,
			"byte after": append(slices.Clone(good), 0), "cut off": good[:len(good)-1], "garbage": []byte("garbage"), "zeros": make([]byte, 8192), "NULL": {5, 0},
			"not named": explicit(t, point),
		}
		for other := range curves() {
			if other != spec {
				bad[string(other)], _ = outsider(t, other)
			}
		}
		bad["SM2"], _ = sm2Outsider(t)
		bad["secp256k1"] = u.publicKey(u.keyOf(kmsapi.KeySpecEccSecgP256k1, kmsapi.KeyUsageTypeSignVerify))
		bad["Ed25519"] = u.publicKey(u.keyOf(kmsapi.KeySpecEccNistEdwards25519, kmsapi.KeyUsageTypeSignVerify))
		bad["ML-KEM"] = u.publicKey(u.keyOf(kmsapi.KeySpecMlKem512, kmsapi.KeyUsageTypeEncapsulateDecapsulate))
		for name, peer := range bad {
			if a := u.send(agreeRequest(id, peer)); a.code != "ValidationException" || a.message != "" {
				t.Errorf("%s, %s: got %d %q %q", spec, name, a.status, a.code, a.message)
			}
			tried++
		}
	}
	if tried < 63 {
		t.Errorf("only %d keys", tried)
	}
}

// explicit spells out the curve's parameters, more or less, instead of naming it.
func explicit(t *testing.T, point []byte) []byte {
	t.Helper()
	params := elliptic.P256().Params()
	field, err := asn1.Marshal(params.P)
	if err != nil {
		t.Fatal(err)
	}
	der, err := asn1.Marshal(publicKeyInfo{
		Algorithm: pkix.AlgorithmIdentifier{
			Algorithm:  asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1},
			Parameters: asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: field},
		},
		Key: asn1.BitString{Bytes: point, BitLength: 8 * len(point)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestDeriveSharedSecretParameters(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.keyOf(kmsapi.KeySpecEccNistP256, kmsapi.KeyUsageTypeKeyAgreement)
	peer, _ := outsider(t, kmsapi.KeySpecEccNistP256)
	const invalid = "1 validation error detected: Value "
	u.refused(agreeRequest(id, nil), "ValidationException", invalid+"null at 'publicKey' failed to satisfy constraint: Member must not be null")
	u.refused(agreeRequest(id, []byte{}), "ValidationException", invalid+"at 'publicKey' failed to satisfy constraint: Member must have length greater than or equal to 1")
	u.refused(agreeRequest(id, make([]byte, 8193)), "ValidationException", invalid+"at 'publicKey' failed to satisfy constraint: Member must have length less than or equal to 8192")
	dry := agreeRequest(id, peer)
	dry.DryRun = new(true)
	u.refused(dry, "DryRunOperationException", dryRun)
	dry.PublicKey = []byte(secret)
	u.refused(dry, "ValidationException", "")
	// To somebody who asks for an answer that only an enclave can read, no other is given.
	attested := agreeRequest(id, peer)
	attested.Recipient = &kmsapi.RecipientInfo{AttestationDocument: []byte(secret)}
	if a := u.refusedAs(attested, "UnsupportedOperationException"); bytes.Contains(a.body, []byte("SharedSecret")) {
		t.Errorf("the answer has a secret: %s", a.body)
	}
	for _, id := range []string{
		u.createKey(), u.keyOf(kmsapi.KeySpecEccNistP256, kmsapi.KeyUsageTypeSignVerify), u.keyOf(kmsapi.KeySpecSm2, kmsapi.KeyUsageTypeEncryptDecrypt),
	} {
		u.refused(agreeRequest(id, peer), "InvalidKeyUsageException", u.keyARN(id)+" key usage is "+string(*u.describe(id).KeyUsage)+" which is not valid for DeriveSharedSecret.")
	}
	u.disable(id)
	u.refused(agreeRequest(id, peer), "DisabledException", u.keyARN(id)+" is disabled.")
}

const mlKEM = kmsapi.EncapsulationAlgorithmSpecMlKem

func encapsulateRequest(id string) *kmsapi.EncapsulateRequest {
	return &kmsapi.EncapsulateRequest{KeyId: &id, EncapsulationAlgorithm: new(mlKEM)}
}

func decapsulateRequest(id string, ciphertext []byte) *kmsapi.DecapsulateRequest {
	return &kmsapi.DecapsulateRequest{KeyId: &id, EncapsulationAlgorithm: new(mlKEM), SharedSecretCiphertextBlob: ciphertext}
}

func (u user) decapsulate(id string, ciphertext []byte) []byte {
	u.t.Helper()
	out := do[kmsapi.DecapsulateResponse](u, decapsulateRequest(id, ciphertext))
	if *out.KeyId != u.keyARN(id) || *out.EncapsulationAlgorithm != mlKEM || len(out.SharedSecret) != 32 {
		u.t.Errorf("Decapsulate: key %s, algorithm %s, %d bytes", *out.KeyId, *out.EncapsulationAlgorithm, len(out.SharedSecret))
	}
	return out.SharedSecret
}

// encapsulator encapsulates outside the service.
func encapsulator(t *testing.T, spec kmsapi.KeySpec, spki []byte) func() (secret, ciphertext []byte) {
	t.Helper()
	raw := rawKey(t, spki)
	switch spec {
	case kmsapi.KeySpecMlKem768:
		key, err := mlkem.NewEncapsulationKey768(raw)
		if err != nil {
			t.Fatal(err)
		}
		return key.Encapsulate
	case kmsapi.KeySpecMlKem1024:
		key, err := mlkem.NewEncapsulationKey1024(raw)
		if err != nil {
			t.Fatal(err)
		}
		return key.Encapsulate
	}
	key, err := mlkem512.Scheme().UnmarshalBinaryPublicKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	return func() (secret, ciphertext []byte) {
		ciphertext, secret, err := mlkem512.Scheme().Encapsulate(key)
		if err != nil {
			t.Fatal(err)
		}
		return secret, ciphertext
	}
}

// What is encapsulated, here or outside with the public key, is decapsulated; what is not gives another secret, and no
// word about it (FIPS 203, 6.3).
func TestEncapsulateAndDecapsulate(t *testing.T) {
	u := newWorld(t).as(alice)
	for spec, size := range map[kmsapi.KeySpec]int{kmsapi.KeySpecMlKem512: 768, kmsapi.KeySpecMlKem768: 1088, kmsapi.KeySpecMlKem1024: 1568} {
		t.Run(string(spec), func(t *testing.T) {
			id, other := u.keyOf(spec, kmsapi.KeyUsageTypeEncapsulateDecapsulate), u.keyOf(spec, kmsapi.KeyUsageTypeEncapsulateDecapsulate)
			out := do[kmsapi.EncapsulateResponse](u, encapsulateRequest(id))
			again := do[kmsapi.EncapsulateResponse](u, encapsulateRequest(id))
			if *out.KeyId != u.keyARN(id) || *out.EncapsulationAlgorithm != mlKEM || len(out.SharedSecret) != 32 || len(out.SharedSecretCiphertextBlob) != size {
				t.Errorf("key %s, algorithm %s, %d and %d bytes", *out.KeyId, *out.EncapsulationAlgorithm, len(out.SharedSecret), len(out.SharedSecretCiphertextBlob))
			}
			if bytes.Equal(out.SharedSecret, again.SharedSecret) || bytes.Equal(out.SharedSecretCiphertextBlob, again.SharedSecretCiphertextBlob) {
				t.Error("two secrets are equal")
			}
			if got := u.decapsulate(id, out.SharedSecretCiphertextBlob); !bytes.Equal(got, out.SharedSecret) {
				t.Errorf("got %x, want %x", got, out.SharedSecret)
			}
			encapsulate := encapsulator(t, spec, u.publicKey(id))
			for range 20 {
				secret, ciphertext := encapsulate()
				if got := u.decapsulate(id, ciphertext); !bytes.Equal(got, secret) {
					t.Errorf("from outside: got %x, want %x", got, secret)
				}
			}
			seen := map[string]bool{string(out.SharedSecret): true}
			for name, wrong := range wrongEncapsulations(out.SharedSecretCiphertextBlob) {
				got := u.decapsulate(id, wrong)
				if seen[string(got)] || !bytes.Equal(got, u.decapsulate(id, wrong)) {
					t.Errorf("%s: the secret is not its own", name)
				}
				seen[string(got)] = true
			}
			if got := u.decapsulate(other, out.SharedSecretCiphertextBlob); seen[string(got)] {
				t.Error("another key gives a known secret")
			}
			for _, length := range []int{1, 32, size - 1, size + 1, 768, 1088, 1568, 6144} {
				if length != size {
					u.refused(decapsulateRequest(id, make([]byte, min(length, 6144))), "InvalidCiphertextException", "")
				}
			}
		})
	}
}

// wrongEncapsulations have the right length.
func wrongEncapsulations(good []byte) map[string][]byte {
	wrong := map[string][]byte{"zeros": make([]byte, len(good)), "ones": bytes.Repeat([]byte{0xff}, len(good))}
	for _, i := range []int{0, 1, len(good) / 2, len(good) - 1} {
		changed := slices.Clone(good)
		changed[i] ^= 0x10
		wrong[fmt.Sprint("byte ", i)] = changed
	}
	return wrong
}

func TestEncapsulationParameters(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.keyOf(kmsapi.KeySpecMlKem768, kmsapi.KeyUsageTypeEncapsulateDecapsulate)
	out := do[kmsapi.EncapsulateResponse](u, encapsulateRequest(id))
	dry, back := encapsulateRequest(id), decapsulateRequest(id, out.SharedSecretCiphertextBlob)
	dry.DryRun, back.DryRun = new(true), new(true)
	u.refused(dry, "DryRunOperationException", dryRun)
	u.refused(back, "DryRunOperationException", dryRun)
	back.SharedSecretCiphertextBlob = []byte(secret)
	u.refused(back, "InvalidCiphertextException", "")
	u.refusedAs(&kmsapi.EncapsulateRequest{KeyId: &id, EncapsulationAlgorithm: new(kmsapi.EncapsulationAlgorithmSpec("RSA_KEM"))}, "ValidationException")
	u.refusedAs(decapsulateRequest(id, nil), "ValidationException")
	u.refusedAs(decapsulateRequest(id, []byte{}), "ValidationException")
	for _, id := range []string{u.createKey(), u.keyOf(kmsapi.KeySpecRsa2048, kmsapi.KeyUsageTypeEncryptDecrypt), u.keyOf(kmsapi.KeySpecMlDsa44, kmsapi.KeyUsageTypeSignVerify)} {
		usage := u.keyARN(id) + " key usage is " + string(*u.describe(id).KeyUsage) + " which is not valid for "
		u.refused(encapsulateRequest(id), "InvalidKeyUsageException", usage+"Encapsulate.")
		u.refused(decapsulateRequest(id, []byte(secret)), "InvalidKeyUsageException", usage+"Decapsulate.")
	}
	u.disable(id)
	u.refused(encapsulateRequest(id), "DisabledException", u.keyARN(id)+" is disabled.")
	u.refused(decapsulateRequest(id, out.SharedSecretCiphertextBlob), "DisabledException", u.keyARN(id)+" is disabled.")
}
