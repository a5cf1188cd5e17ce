package kms_test

import (
	"bytes"
	"crypto"
	"crypto/mlkem"
	"crypto/x509"
	"encoding/asn1"
	"testing"

	"github.com/cloudflare/circl/kem/mlkem/mlkem512"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// pairSpecs are all of GenerateDataKeyPair.
func pairSpecs() []kmsapi.DataKeyPairSpec {
	return []kmsapi.DataKeyPairSpec{
		kmsapi.DataKeyPairSpecRsa2048, kmsapi.DataKeyPairSpecRsa3072, kmsapi.DataKeyPairSpecRsa4096,
		kmsapi.DataKeyPairSpecEccNistP256, kmsapi.DataKeyPairSpecEccNistP384, kmsapi.DataKeyPairSpecEccNistP521,
		kmsapi.DataKeyPairSpecEccSecgP256k1, kmsapi.DataKeyPairSpecEccNistEdwards25519, kmsapi.DataKeyPairSpecSm2,
		kmsapi.DataKeyPairSpecMlKem512, kmsapi.DataKeyPairSpecMlKem768, kmsapi.DataKeyPairSpecMlKem1024,
	}
}

func pairRequest(id string, spec kmsapi.DataKeyPairSpec) *kmsapi.GenerateDataKeyPairRequest {
	return &kmsapi.GenerateDataKeyPairRequest{KeyId: &id, KeyPairSpec: &spec}
}

// The encrypted private key is the plaintext one, and the public key is its own.
func TestDataKeyPairs(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	context := map[string]string{"tenant": "blue"}
	for _, spec := range pairSpecs() {
		t.Run(string(spec), func(t *testing.T) {
			in := pairRequest(id, spec)
			in.EncryptionContext = context
			out := do[kmsapi.GenerateDataKeyPairResponse](u, in)
			if *out.KeyId != u.keyARN(id) || *out.KeyPairSpec != spec || *out.KeyMaterialId != *u.describe(id).CurrentKeyMaterialId || out.CiphertextForRecipient != nil {
				t.Errorf("key %s, spec %s, material %s", *out.KeyId, *out.KeyPairSpec, *out.KeyMaterialId)
			}
			if got := u.decrypt(out.PrivateKeyCiphertextBlob, context); got != string(out.PrivateKeyPlaintext) {
				t.Error("the ciphertext holds another private key")
			}
			if got := publicHalf(t, spec, out.PrivateKeyPlaintext); !bytes.Equal(got, out.PublicKey) {
				t.Errorf("public key %x, want %x", out.PublicKey, got)
			}
			u.refused(&kmsapi.DecryptRequest{CiphertextBlob: out.PrivateKeyCiphertextBlob}, "InvalidCiphertextException", "")

			hidden := u.must(&kmsapi.GenerateDataKeyPairWithoutPlaintextRequest{KeyId: &id, KeyPairSpec: &spec, EncryptionContext: context})
			if bytes.Contains(hidden.body, []byte("Plaintext")) {
				t.Errorf("without plaintext: %s", hidden.body)
			}
			sealed := new(kmsapi.GenerateDataKeyPairWithoutPlaintextResponse)
			decode(t, hidden, sealed)
			if *sealed.KeyId != *out.KeyId || *sealed.KeyPairSpec != spec || *sealed.KeyMaterialId != *out.KeyMaterialId {
				t.Errorf("without plaintext: key %s, spec %s, material %s", *sealed.KeyId, *sealed.KeyPairSpec, *sealed.KeyMaterialId)
			}
			private := u.decrypt(sealed.PrivateKeyCiphertextBlob, context)
			if got := publicHalf(t, spec, []byte(private)); !bytes.Equal(got, sealed.PublicKey) || bytes.Equal(got, out.PublicKey) {
				t.Error("without plaintext: the public key is another one's")
			}
		})
	}
}

// publicHalf reads a private key (PKCS #8) outside the service and returns its public key.
func publicHalf(t *testing.T, spec kmsapi.DataKeyPairSpec, pkcs8 []byte) []byte {
	t.Helper()
	switch spec {
	case kmsapi.DataKeyPairSpecMlKem512, kmsapi.DataKeyPairSpecMlKem768, kmsapi.DataKeyPairSpecMlKem1024:
		return latticePublic(t, spec, pkcs8)
	case kmsapi.DataKeyPairSpecEccSecgP256k1:
		return koblitzPublic(t, pkcs8)
	case kmsapi.DataKeyPairSpecSm2:
		key, err := smx509.ParsePKCS8PrivateKey(pkcs8)
		if err != nil {
			t.Fatal(err)
		}
		return spkiOf(smx509.MarshalPKIXPublicKey(key.(*sm2.PrivateKey).Public()))(t)
	}
	key, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		t.Fatal(err)
	}
	return spkiOf(x509.MarshalPKIXPublicKey(key.(crypto.Signer).Public()))(t)
}

func spkiOf(der []byte, err error) func(*testing.T) []byte {
	return func(t *testing.T) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
}

// oneKey is PKCS #8 (RFC 5958).
type oneKey struct {
	Version   int
	Algorithm struct {
		Algorithm  asn1.ObjectIdentifier
		Parameters asn1.ObjectIdentifier `asn1:"optional"`
	}
	Key []byte
}

func readOneKey(t *testing.T, pkcs8 []byte) oneKey {
	t.Helper()
	var k oneKey
	if rest, err := asn1.Unmarshal(pkcs8, &k); err != nil || len(rest) > 0 || k.Version != 0 {
		t.Fatal(err, len(rest), k.Version)
	}
	return k
}

// latticePublic reads the seed of an ML-KEM key (RFC 9935, 6).
func latticePublic(t *testing.T, spec kmsapi.DataKeyPairSpec, pkcs8 []byte) []byte {
	t.Helper()
	k := readOneKey(t, pkcs8)
	if len(k.Key) != 66 || k.Key[0] != 0x80 || k.Key[1] != 64 {
		t.Fatalf("%d bytes, %x …", len(k.Key), k.Key[:2])
	}
	var raw []byte
	seed := k.Key[2:]
	switch spec {
	case kmsapi.DataKeyPairSpecMlKem768:
		key, err := mlkem.NewDecapsulationKey768(seed)
		if err != nil {
			t.Fatal(err)
		}
		raw = key.EncapsulationKey().Bytes()
	case kmsapi.DataKeyPairSpecMlKem1024:
		key, err := mlkem.NewDecapsulationKey1024(seed)
		if err != nil {
			t.Fatal(err)
		}
		raw = key.EncapsulationKey().Bytes()
	default:
		public, _ := mlkem512.Scheme().DeriveKeyPair(seed)
		raw = spkiOf(public.MarshalBinary())(t)
	}
	return spkiLike(t, k, raw)
}

// koblitzPublic reads a key on secp256k1 (RFC 5915).
func koblitzPublic(t *testing.T, pkcs8 []byte) []byte {
	t.Helper()
	k := readOneKey(t, pkcs8)
	var inner struct {
		Version int
		Scalar  []byte
		Point   asn1.BitString `asn1:"explicit,tag:1"`
	}
	if rest, err := asn1.Unmarshal(k.Key, &inner); err != nil || len(rest) > 0 || inner.Version != 1 || len(inner.Scalar) != 32 {
		t.Fatal(err, len(rest), inner.Version, len(inner.Scalar))
	}
	point := secp256k1.PrivKeyFromBytes(inner.Scalar).PubKey().SerializeUncompressed()
	if !bytes.Equal(point, inner.Point.Bytes) {
		t.Errorf("the point inside is %x, want %x", inner.Point.Bytes, point)
	}
	return spkiLike(t, k, point)
}

// spkiLike is the SubjectPublicKeyInfo of a raw public key with the algorithm of a private one.
func spkiLike(t *testing.T, k oneKey, raw []byte) []byte {
	t.Helper()
	type bits struct {
		Algorithm any
		Key       asn1.BitString
	}
	if k.Algorithm.Parameters == nil {
		return spkiOf(asn1.Marshal(bits{struct{ ID asn1.ObjectIdentifier }{k.Algorithm.Algorithm}, asn1.BitString{Bytes: raw, BitLength: 8 * len(raw)}}))(t)
	}
	return spkiOf(asn1.Marshal(bits{k.Algorithm, asn1.BitString{Bytes: raw, BitLength: 8 * len(raw)}}))(t)
}

func TestDataKeyPairParameters(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	spec := kmsapi.DataKeyPairSpecEccNistP256
	hidden := func(id string) *kmsapi.GenerateDataKeyPairWithoutPlaintextRequest {
		return &kmsapi.GenerateDataKeyPairWithoutPlaintextRequest{KeyId: &id, KeyPairSpec: &spec}
	}
	attested := pairRequest(id, spec)
	attested.Recipient = &kmsapi.RecipientInfo{AttestationDocument: []byte(secret)}
	if a := u.refusedAs(attested, "UnsupportedOperationException"); bytes.Contains(a.body, []byte("PrivateKey")) {
		t.Errorf("the answer has a private key: %s", a.body)
	}
	for _, bad := range []kmsapi.DataKeyPairSpec{"ML_DSA_44", "SYMMETRIC_DEFAULT", "HMAC_256", "RSA_1024", ""} {
		u.refusedAs(pairRequest(id, bad), "ValidationException")
		u.refusedAs(&kmsapi.GenerateDataKeyPairWithoutPlaintextRequest{KeyId: &id, KeyPairSpec: &bad}, "ValidationException")
	}
	u.refusedAs(&kmsapi.GenerateDataKeyPairRequest{KeyId: &id}, "ValidationException")
	for _, id := range []string{
		u.keyOf(kmsapi.KeySpecRsa2048, kmsapi.KeyUsageTypeEncryptDecrypt), u.keyOf(kmsapi.KeySpecHmac256, kmsapi.KeyUsageTypeGenerateVerifyMac), u.keyOf(kmsapi.KeySpecEccNistP256, kmsapi.KeyUsageTypeSignVerify),
	} {
		u.refusedAs(pairRequest(id, spec), "InvalidKeyUsageException")
		u.refusedAs(hidden(id), "InvalidKeyUsageException")
	}
	u.disable(id)
	u.refused(pairRequest(id, spec), "DisabledException", u.keyARN(id)+" is disabled.")
	u.refused(hidden(id), "DisabledException", u.keyARN(id)+" is disabled.")
}

// A dry run makes no pair. That is seen by its haste: a hundred RSA_4096 pairs take minutes.
func TestDryRunMakesNoPair(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	spec := kmsapi.DataKeyPairSpecRsa4096
	for range 100 {
		in := pairRequest(id, spec)
		in.DryRun = new(true)
		u.refused(in, "DryRunOperationException", dryRun)
		u.refused(&kmsapi.GenerateDataKeyPairWithoutPlaintextRequest{KeyId: &id, KeyPairSpec: &spec, DryRun: new(true)}, "DryRunOperationException", dryRun)
	}
}
