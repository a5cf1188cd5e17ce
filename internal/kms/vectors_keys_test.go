package kms_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"strings"
	"testing"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// keeper is a user who brings private keys along.
type keeper struct {
	user
	imported map[kmsapi.KeySpec]bool
}

func newKeeper(t *testing.T) keeper {
	t.Helper()
	return keeper{newWorld(t).as(alice), map[kmsapi.KeySpec]bool{}}
}

// adopt makes a key of given material; id is "" if the material is refused. The first key of each spec is imported. The
// others, of which there may be thousands, are chosen by the tag that development servers know: that needs no wrapping
// key, which is an RSA key made for each import.
func (k keeper) adopt(spec kmsapi.KeySpec, usage kmsapi.KeyUsageType, material []byte) (id string) {
	k.t.Helper()
	in := kmsapi.CreateKeyRequest{KeySpec: &spec, KeyUsage: &usage, Tags: []kmsapi.Tag{{
		TagKey: new("_custom_key_material_"), TagValue: new(base64.StdEncoding.EncodeToString(material)),
	}}}
	a := k.send(&in)
	if a.code == "ValidationException" {
		return ""
	}
	out := new(kmsapi.CreateKeyResponse)
	if decode(k.t, a, out); !a.ok() {
		k.t.Fatalf("%s: %s %s", spec, a.code, a.message)
	}
	if !k.imported[spec] {
		k.imported[spec] = true
		in.Tags = nil
		return k.external(in, material).key
	}
	return *out.KeyMetadata.KeyId
}

// mustAdopt is adopt of material that is in order.
func (k keeper) mustAdopt(spec kmsapi.KeySpec, usage kmsapi.KeyUsageType, material []byte) string {
	k.t.Helper()
	id := k.adopt(spec, usage, material)
	if id == "" {
		k.t.Fatalf("%s: %d bytes of material are refused", spec, len(material))
	}
	return id
}

// unhex decodes what a vector has in hex.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// number decodes a number of any length.
func number(t testing.TB, s string) *big.Int {
	t.Helper()
	n, ok := new(big.Int).SetString(s, 16)
	if !ok {
		t.Fatalf("%q is no number", s)
	}
	return n
}

// nistCurve is a curve with its spec and signing algorithm.
type nistCurve struct {
	elliptic.Curve
	spec kmsapi.KeySpec
	alg  kmsapi.SigningAlgorithmSpec
	size int // of a number, in bytes
}

// nistCurveOf knows the names of NIST and of SEC.
func nistCurveOf(t testing.TB, name string) nistCurve {
	t.Helper()
	switch strings.ToLower(name) {
	case "p-256", "secp256r1":
		return nistCurve{elliptic.P256(), kmsapi.KeySpecEccNistP256, "ECDSA_SHA_256", 32}
	case "p-384", "secp384r1":
		return nistCurve{elliptic.P384(), kmsapi.KeySpecEccNistP384, "ECDSA_SHA_384", 48}
	case "p-521", "secp521r1":
		return nistCurve{elliptic.P521(), kmsapi.KeySpecEccNistP521, "ECDSA_SHA_512", 66}
	}
	t.Fatalf("no curve %q", name)
	return nistCurve{}
}

// pkcs8 is a private key on the curve.
func (c nistCurve) pkcs8(t testing.TB, scalar *big.Int) []byte {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(c.Curve, scalar.FillBytes(make([]byte, c.size)))
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// spki is a public key that need not be a point of the curve.
func (c nistCurve) spki(t testing.TB, x, y *big.Int) []byte {
	t.Helper()
	point := append([]byte{4}, x.FillBytes(make([]byte, c.size))...)
	return c.spkiOf(t, append(point, y.FillBytes(make([]byte, c.size))...))
}

// spkiOf is a public key of any bytes.
func (c nistCurve) spkiOf(t testing.TB, point []byte) []byte {
	t.Helper()
	curve := map[int]asn1.ObjectIdentifier{32: {1, 2, 840, 10045, 3, 1, 7}, 48: {1, 3, 132, 0, 34}, 66: {1, 3, 132, 0, 35}}[c.size]
	named, err := asn1.Marshal(curve)
	if err != nil {
		t.Fatal(err)
	}
	der, err := asn1.Marshal(publicKeyInfo{
		Algorithm: pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, Parameters: asn1.RawValue{FullBytes: named}},
		Key:       asn1.BitString{Bytes: point, BitLength: 8 * len(point)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// rsaPKCS8 is the private key of two primes and an exponent.
func rsaPKCS8(t testing.TB, p, q, e *big.Int) []byte {
	t.Helper()
	one := big.NewInt(1)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: int(e.Int64())}, D: new(big.Int).ModInverse(e, phi), Primes: []*big.Int{p, q},
	}
	key.Precompute()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// edPKCS8 is the private key of an Ed25519 seed (RFC 8410, 7).
func edPKCS8(t testing.TB, seed []byte) []byte {
	t.Helper()
	inner, err := asn1.Marshal(seed)
	if err != nil {
		t.Fatal(err)
	}
	der, err := asn1.Marshal(oneKeyOf(asn1.ObjectIdentifier{1, 3, 101, 112}, inner))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func oneKeyOf(algorithm asn1.ObjectIdentifier, key []byte) any {
	return struct {
		Version   int
		Algorithm pkix.AlgorithmIdentifier
		Key       []byte
	}{0, pkix.AlgorithmIdentifier{Algorithm: algorithm}, key}
}

// derSignature encodes the numbers of an ECDSA signature.
func derSignature(t testing.TB, r, s *big.Int) []byte {
	t.Helper()
	der, err := asn1.Marshal(numbers{r, s})
	if err != nil {
		t.Fatal(err)
	}
	return der
}
