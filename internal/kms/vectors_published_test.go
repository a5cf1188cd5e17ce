package kms_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
	"encoding/hex"
	"hash"
	"math/big"
	"os"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/hsm/keypair"
)

// published returns the vectors of one suite of testdata/vectors.txt, which says where they come from.
func published(t *testing.T, suite string, floor int) [][]string {
	t.Helper()
	f, err := os.Open("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows [][]string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if row := strings.Fields(lines.Text()); len(row) > 0 && row[0] == suite {
			rows = append(rows, row[1:])
		}
	}
	if err := lines.Err(); err != nil || len(rows) < floor {
		t.Fatalf("%s: %d vectors, want %d, %v", suite, len(rows), floor, err)
	}
	return rows
}

// The signatures of NIST's keys verify, and ours verify like them.
func TestPublishedECDSASignatures(t *testing.T) {
	u := newKeeper(t)
	for _, row := range published(t, "ecdsa-sign", 45) {
		c, message := nistCurveOf(t, row[0]), unhex(t, row[1])
		id := u.mustAdopt(c.spec, kmsapi.KeyUsageTypeSignVerify, c.pkcs8(t, number(t, row[2])))
		if want := c.spki(t, number(t, row[3]), number(t, row[4])); !bytes.Equal(u.publicKey(id), want) {
			t.Errorf("%s: public key %x, want %x", row[0], u.publicKey(id), want)
		}
		u.verifies(id, c.alg, "RAW", message, derSignature(t, number(t, row[5]), number(t, row[6])))
		u.verifies(id, c.alg, "RAW", message, u.sign(id, c.alg, "RAW", message))
		u.forged(verifyRequest(id, c.alg, "RAW", message, derSignature(t, number(t, row[6]), number(t, row[5]))))
	}
}

func TestPublishedECDSAVerification(t *testing.T) {
	failed := 0
	for _, row := range published(t, "ecdsa-verify", 45) {
		c := nistCurveOf(t, row[0])
		key, err := keypair.ParsePublic(keypair.Spec(c.spec), c.spki(t, number(t, row[2]), number(t, row[3])))
		if err == nil {
			err = key.Verify(keypair.Algorithm(c.alg), keypair.Raw, unhex(t, row[1]), derSignature(t, number(t, row[4]), number(t, row[5])))
		}
		if (err == nil) != (row[6] == "p") {
			t.Errorf("%s, %.20s…: %v, want %s", row[0], row[1], err, row[6])
		}
		if row[6] == "f" {
			failed++
		}
	}
	if failed != 36 {
		t.Errorf("%d that fail", failed)
	}
}

// NIST's numbered results of key agreement (KAS): where nothing or only a hash of the secret is wrong, we derive Z; a
// peer's key that fails validation is refused; a private key that does not fit its public key cannot be brought along, nor
// one with a broken public key.
func TestPublishedECDH(t *testing.T) {
	u := newKeeper(t)
	tried := map[string]int{}
	for _, row := range published(t, "ecdh", 90) {
		c, result := nistCurveOf(t, row[0]), row[7]
		peer := c.spki(t, number(t, row[4]), number(t, row[5]))
		scalar := number(t, row[1])
		if scalar.Sign() == 0 || scalar.Cmp(c.Params().N) >= 0 {
			tried["private key out of range"]++
			continue
		}
		id := u.mustAdopt(c.spec, kmsapi.KeyUsageTypeKeyAgreement, c.pkcs8(t, scalar))
		if !strings.HasPrefix(result, "p") && !bytes.Equal(u.publicKey(id), c.spki(t, number(t, row[2]), number(t, row[3]))) {
			tried["public key of another"]++ // results 5, 6 and 7: what arrives here is the private key alone
			continue
		}
		a := u.send(agreeRequest(id, peer))
		switch {
		case !a.ok():
			if a.code != "ValidationException" || a.message != "" || result != "f1" && result != "f2" {
				t.Errorf("%s, result %s: %s %s", row[0], result, a.code, a.message)
			}
			tried["refused"]++
		default:
			out := new(kmsapi.DeriveSharedSecretResponse)
			decode(t, a, out)
			if got := hex.EncodeToString(out.SharedSecret); (got == row[6]) != strings.HasPrefix(result, "p") {
				t.Errorf("%s, result %s: got %s, Z %s", row[0], result, got, row[6])
			}
			tried["derived"]++
		}
	}
	if tried["derived"] < 54 || tried["refused"] != 12 {
		t.Errorf("%v", tried)
	}
	t.Log(tried)
}

// RSASSA-PKCS1-v1_5 is deterministic: NIST's keys give NIST's signatures, to the bit.
func TestPublishedRSASignatures(t *testing.T) {
	u := newKeeper(t)
	exact := 0
	for _, row := range published(t, "rsa-pkcs1", 15) {
		spec, alg := kmsapi.KeySpec("RSA_"+row[0]), kmsapi.SigningAlgorithmSpec("RSASSA_PKCS1_V1_5_SHA_"+row[1])
		message, signature := unhex(t, row[2]), unhex(t, row[6])
		id := u.mustAdopt(spec, kmsapi.KeyUsageTypeSignVerify, rsaPKCS8(t, number(t, row[3]), number(t, row[4]), number(t, row[5])))
		if row[7] != "p" {
			u.forged(verifyRequest(id, alg, "RAW", message, signature))
			continue
		}
		if got := u.sign(id, alg, "RAW", message); !bytes.Equal(got, signature) {
			t.Errorf("%s, %s: signed %x, want %x", spec, alg, got, signature)
		}
		u.verifies(id, alg, "RAW", message, signature)
		exact++
	}
	if exact != 6 {
		t.Errorf("%d signatures", exact)
	}
}

// Ed25519 is deterministic.
func TestPublishedEd25519Signatures(t *testing.T) {
	u := newKeeper(t)
	const alg = kmsapi.SigningAlgorithmSpecEd25519Sha512
	for _, row := range published(t, "ed25519", 32) {
		id := u.mustAdopt(kmsapi.KeySpecEccNistEdwards25519, kmsapi.KeyUsageTypeSignVerify, edPKCS8(t, unhex(t, row[0])))
		if got := rawKey(t, u.publicKey(id)); !bytes.Equal(got, unhex(t, row[1])) {
			t.Errorf("public key %x, want %s", got, row[1])
		}
		if got := u.sign(id, alg, "RAW", unhex(t, row[2])); !bytes.Equal(got, unhex(t, row[3])) {
			t.Errorf("signed %x, want %s", got, row[3])
		}
		u.verifies(id, alg, "RAW", unhex(t, row[2]), unhex(t, row[3]))
	}
}

// Ed25519ph: RFC 8032, 7.3. KMS is given the message's digest, which the algorithm hashes (RFC 8032, 5.1).
func TestPublishedEd25519phSignature(t *testing.T) {
	u := newKeeper(t)
	id := u.mustAdopt(kmsapi.KeySpecEccNistEdwards25519, kmsapi.KeyUsageTypeSignVerify, edPKCS8(t, unhex(t, "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42")))
	want := unhex(t, "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae4131f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406")
	digest := sha512.Sum512([]byte("abc"))
	if got := u.sign(id, kmsapi.SigningAlgorithmSpecEd25519PhSha512, "DIGEST", digest[:]); !bytes.Equal(got, want) {
		t.Errorf("signed %x, want %x", got, want)
	}
}

// TestPublishedMACs are the cases of RFC 4231. Their keys are shorter than KMS takes, or longer. A shorter one is the
// same key with zeros after it, one that is longer than the hash's block the same as its hash (RFC 2104, 2).
func TestPublishedMACs(t *testing.T) {
	u := newKeeper(t)
	hashes := map[string]func() hash.Hash{"224": sha256.New224, "256": sha256.New, "384": sha512.New384, "512": sha512.New}
	truncated := 0
	for _, row := range published(t, "hmac", 28) {
		spec, h, message := kmsapi.KeySpec("HMAC_"+row[0]), hashes[row[0]](), unhex(t, row[2])
		key := unhex(t, row[1])
		if len(key) > h.BlockSize() {
			h.Write(key)
			key = h.Sum(nil)
		}
		key = append(key, make([]byte, max(0, h.Size()-len(key)))...)
		id := u.mustAdopt(spec, kmsapi.KeyUsageTypeGenerateVerifyMac, key)
		got := u.mac(id, macs()[spec].alg, message)
		if want := unhex(t, row[3]); !bytes.HasPrefix(got, want) || len(want) < len(got) && len(want) != 16 {
			t.Errorf("%s: got %x, want %x", spec, got, want)
		} else if len(want) == 16 {
			truncated++
			u.refused(verifyMacRequest(id, macs()[spec].alg, message, want), "KMSInvalidMacException", "")
			continue
		}
		u.must(verifyMacRequest(id, macs()[spec].alg, message, unhex(t, row[3])))
	}
	if truncated != 4 {
		t.Errorf("%d truncated codes", truncated)
	}
}

// gbKey is the key of the examples in GB/T 32918.5 (GM/T 0003.5), annexes A and C.
func gbKey(t *testing.T) []byte {
	t.Helper()
	scalar := unhex(t, "3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8")
	key, err := sm2.NewPrivateKey(scalar)
	if err != nil {
		t.Fatal(err)
	}
	der, err := smx509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// SM2: the signature of annex A and the ciphertext of annex C, which is C1 ‖ C3 ‖ C2 there and DER here (GM/T 0009, 7.2).
func TestPublishedSM2(t *testing.T) {
	u := newKeeper(t)
	id := u.mustAdopt(kmsapi.KeySpecSm2, kmsapi.KeyUsageTypeSignVerify, gbKey(t))
	const alg = kmsapi.SigningAlgorithmSpecSm2dsa
	point := "04" + "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020" + "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
	if got := hex.EncodeToString(rawKey(t, u.publicKey(id))); got != point {
		t.Errorf("public key %s, want %s", got, point)
	}
	signature := derSignature(t, number(t, "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"), number(t, "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"))
	message, e := []byte("message digest"), unhex(t, "F0B43E94BA45ACCAACE692ED534382EB17E6AB5A19CE7B31F4486FDFC0D28640")
	u.verifies(id, alg, "RAW", message, signature)
	u.verifies(id, alg, "DIGEST", e, signature)
	u.forged(verifyRequest(id, alg, "RAW", e, signature))

	id = u.mustAdopt(kmsapi.KeySpecSm2, kmsapi.KeyUsageTypeEncryptDecrypt, gbKey(t))
	ciphertext, err := asn1.Marshal(struct {
		X, Y             *big.Int
		Hash, Ciphertext []byte
	}{
		number(t, "04EBFC718E8D1798620432268E77FEB6415E2EDE0E073C0F4F640ECD2E149A73"), number(t, "E858F9D81E5430A57B36DAAB8F950A3C64E6EE6A63094D99283AFF767E124DF0"),
		unhex(t, "59983C18F809E262923C53AEC295D30383B54E39D609D160AFCB1908D0BD8766"), unhex(t, "21886CA989CA9C7D58087307CA93092D651EFA"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := u.opens(id, sm2pke, ciphertext); string(got) != "encryption standard" {
		t.Errorf("got %q", got)
	}
}

// A key that is out of range cannot be brought along at all.
func TestKeysOutOfRangeAreRefused(t *testing.T) {
	u := newKeeper(t)
	for _, bad := range []struct {
		spec     kmsapi.KeySpec
		usage    kmsapi.KeyUsageType
		material []byte
	}{
		{kmsapi.KeySpecHmac256, kmsapi.KeyUsageTypeGenerateVerifyMac, make([]byte, 31)},
		{kmsapi.KeySpecHmac256, kmsapi.KeyUsageTypeGenerateVerifyMac, make([]byte, 129)},
		{kmsapi.KeySpecSm2, kmsapi.KeyUsageTypeSignVerify, nistCurveOf(t, "P-256").pkcs8(t, number(t, "1"))},
		{kmsapi.KeySpecEccNistP384, kmsapi.KeyUsageTypeSignVerify, nistCurveOf(t, "P-256").pkcs8(t, number(t, "1"))},
	} {
		if id := u.adopt(bad.spec, bad.usage, bad.material); id != "" {
			t.Errorf("%s: %d bytes are taken", bad.spec, len(bad.material))
		}
	}
}
