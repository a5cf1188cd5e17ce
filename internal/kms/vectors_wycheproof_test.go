package kms_test

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/c2sp/wycheproof"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/hsm/keypair"
)

// wycheproofGroup has the members of all the schemas that are read here.
type wycheproofGroup struct {
	Type, Sha, MgfSha, Curve, PrivateSeed, PrivateKeyPkcs8, PublicKeyDer, ParameterSet string
	KeySize, TagSize, SLen                                                             int
	PublicKey                                                                          json.RawMessage
	Tests                                                                              []wycheproofTest
}

type wycheproofTest struct {
	TcID                                                                    int
	Comment, Result, Msg, Sig, Ct, Label, Key, Tag, Public, Private, Shared string
	Seed, Ek, C, K, M, Mu, Ctx                                              string
}

func (v wycheproofTest) valid() bool { return v.Result == "valid" }

// tally counts what became of vectors.
type tally map[string]int

// floor holds that enough vectors ran: not those of a kind that begins with "left out".
func (n tally) floor(t *testing.T, floor int) {
	t.Helper()
	ran := 0
	for kind, count := range n {
		if !strings.HasPrefix(kind, "left out") {
			ran += count
		}
	}
	t.Logf("%d ran: %v", ran, n)
	if ran < floor {
		t.Errorf("only %d ran, want %d", ran, floor)
	}
}

// eachVector calls f for all vectors of the files whose names match a pattern, but for their common end.
func eachVector(t *testing.T, pattern string, f func(wycheproofGroup, wycheproofTest)) {
	t.Helper()
	files, err := fs.Glob(wycheproof.TestVectors, pattern+"_test.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v, %v", pattern, files, err)
	}
	for _, name := range files {
		text, err := fs.ReadFile(wycheproof.TestVectors, name)
		if err != nil {
			t.Fatal(err)
		}
		var file struct{ TestGroups []wycheproofGroup }
		if err := json.Unmarshal(text, &file); err != nil {
			t.Fatal(name, err)
		}
		for _, group := range file.TestGroups {
			for _, v := range group.Tests {
				f(group, v)
			}
		}
	}
}

// hashBits is the number in an algorithm's name for one of KMS's hashes.
func hashBits(sha string) (string, bool) {
	bits, found := strings.CutPrefix(sha, "SHA-")
	return bits, found && (bits == "256" || bits == "384" || bits == "512")
}

func rsaSpec(bits int) kmsapi.KeySpec {
	return map[int]kmsapi.KeySpec{2048: kmsapi.KeySpecRsa2048, 3072: kmsapi.KeySpecRsa3072, 4096: kmsapi.KeySpecRsa4096}[bits]
}

// onceByMaterial adopts each private key once; "" stands for one that is refused.
func onceByMaterial(u keeper, usage kmsapi.KeyUsageType) func(kmsapi.KeySpec, []byte) string {
	ids := map[string]string{}
	return func(spec kmsapi.KeySpec, material []byte) string {
		id, known := ids[string(material)]
		if !known && spec != "" {
			id = u.adopt(spec, usage, material)
			ids[string(material)] = id
		}
		return id
	}
}

// RSA-OAEP through Decrypt. What was made with a label, or with other hashes than the algorithm's, does not decrypt.
func TestWycheproofOAEP(t *testing.T) {
	u, n := newKeeper(t), tally{}
	adopt := onceByMaterial(u, kmsapi.KeyUsageTypeEncryptDecrypt)
	eachVector(t, "rsa_oaep_*", func(g wycheproofGroup, v wycheproofTest) {
		id := adopt(rsaSpec(g.KeySize), unhex(t, g.PrivateKeyPkcs8))
		ciphertext := unhex(t, v.Ct)
		if id == "" || len(ciphertext) == 0 {
			n["left out: a modulus or exponent that KMS does not have, no ciphertext"]++
			return
		}
		alg, hash := oaep256, "SHA-256"
		if g.Sha == "SHA-1" {
			alg, hash = oaep1, "SHA-1"
		}
		a := u.send(decryptRequest(id, alg, ciphertext))
		if v.Result != "invalid" && v.Label == "" && g.Sha == hash && g.MgfSha == hash {
			out := new(kmsapi.DecryptResponse)
			if decode(t, a, out); !a.ok() || !bytes.Equal(out.Plaintext, unhex(t, v.Msg)) {
				t.Errorf("%d %s: %s %s, got %x", v.TcID, v.Comment, a.code, a.message, out.Plaintext)
			}
			n["decrypt"]++
			return
		}
		if a.code != "InvalidCiphertextException" || a.message != "" {
			t.Errorf("%d %s, %s: got %d %s %q", v.TcID, v.Comment, alg, a.status, a.code, a.message)
		}
		n["refused"]++
	})
	n.floor(t, 850)
}

// RSASSA-PKCS1-v1_5 through Sign, to the bit.
func TestWycheproofRSASign(t *testing.T) {
	u, n := newKeeper(t), tally{}
	adopt := onceByMaterial(u, kmsapi.KeyUsageTypeSignVerify)
	eachVector(t, "rsa_pkcs1_*_sig_gen", func(g wycheproofGroup, v wycheproofTest) {
		bits, ours := hashBits(g.Sha)
		id := ""
		if ours {
			id = adopt(rsaSpec(g.KeySize), unhex(t, g.PrivateKeyPkcs8))
		}
		if id == "" {
			n["left out: hash, modulus or exponent that KMS does not have"]++
			return
		}
		alg, want := kmsapi.SigningAlgorithmSpec("RSASSA_PKCS1_V1_5_SHA_"+bits), unhex(t, v.Sig)
		for kind, m := range rawAndDigest(t, alg, unhex(t, v.Msg)) {
			if got := u.sign(id, alg, kind, m); !bytes.Equal(got, want) {
				t.Errorf("%d %s, %s: signed %x, want %x", v.TcID, v.Comment, kind, got, want)
			}
			u.verifies(id, alg, kind, m, want)
			n[string(kind)]++
		}
	})
	n.floor(t, 130)
}

// rawAndDigest are the forms in which a message can be sent.
func rawAndDigest(t *testing.T, alg kmsapi.SigningAlgorithmSpec, message []byte) map[kmsapi.MessageType][]byte {
	t.Helper()
	all := signers(t)
	s := all[slices.IndexFunc(all, func(s signer) bool { return s.alg == alg })]
	forms := map[kmsapi.MessageType][]byte{"DIGEST": s.shorten(t, message, nil)}
	if len(message) > 0 && len(message) <= 4096 {
		forms["RAW"] = message
	}
	return forms
}

// HMAC through GenerateMac and VerifyMac. A truncated code is none.
func TestWycheproofHMAC(t *testing.T) {
	u, n := newKeeper(t), tally{}
	for spec, of := range macs() {
		adopt := onceByMaterial(u, kmsapi.KeyUsageTypeGenerateVerifyMac)
		file := "hmac_sha" + strings.TrimPrefix(string(spec), "HMAC_")
		eachVector(t, file, func(g wycheproofGroup, v wycheproofTest) {
			id := adopt(spec, unhex(t, v.Key))
			if id == "" || v.Msg == "" {
				n["left out: a key that is too short or too long, an empty message"]++
				return
			}
			code, message := unhex(t, v.Tag), unhex(t, v.Msg)
			if got := u.mac(id, of.alg, message); bytes.HasPrefix(got, code) != v.valid() {
				t.Errorf("%s, %d %s: got %x, %s: %x", spec, v.TcID, v.Comment, got, v.Result, code)
			}
			if len(code) == of.size && v.valid() {
				u.must(verifyMacRequest(id, of.alg, message, code))
				n["valid"]++
				return
			}
			u.refused(verifyMacRequest(id, of.alg, message, code), "KMSInvalidMacException", "")
			n["refused"]++
		})
	}
	n.floor(t, 400)
}

// ECDH through DeriveSharedSecret. An encoding that is merely acceptable is refused.
func TestWycheproofECDH(t *testing.T) {
	u, n := newKeeper(t), tally{}
	adopt := onceByMaterial(u, kmsapi.KeyUsageTypeKeyAgreement)
	for _, curve := range []string{"secp256r1", "secp384r1", "secp521r1"} {
		for _, form := range []string{"", "_ecpoint"} {
			eachVector(t, "ecdh_"+curve+form, func(g wycheproofGroup, v wycheproofTest) {
				c := nistCurveOf(t, curve)
				peer := unhex(t, v.Public)
				if form != "" {
					peer = c.spkiOf(t, peer)
				}
				id := adopt(c.spec, c.pkcs8(t, number(t, v.Private)))
				a := u.send(agreeRequest(id, peer))
				if v.valid() {
					out := new(kmsapi.DeriveSharedSecretResponse)
					if decode(t, a, out); !bytes.Equal(out.SharedSecret, unhex(t, v.Shared)) {
						t.Errorf("%s%s, %d %s: %s, got %x, want %s", curve, form, v.TcID, v.Comment, a.code, out.SharedSecret, v.Shared)
					}
					n["derived"]++
					return
				}
				if len(peer) == 0 && a.code == "ValidationException" {
					n["refused"]++
					return
				}
				if a.code != "ValidationException" || a.message != "" {
					t.Errorf("%s%s, %d %s (%s): got %d %s %q", curve, form, v.TcID, v.Comment, v.Result, a.status, a.code, a.message)
				}
				n["refused"]++
			})
		}
	}
	n.floor(t, 3000)
}

// check verifies a signature with a public key alone, with the function that Verify calls.
func check(spec kmsapi.KeySpec, spki []byte, alg kmsapi.SigningAlgorithmSpec, kind keypair.MessageType, message, signature []byte) error {
	key, err := keypair.ParsePublic(keypair.Spec(spec), spki)
	if err != nil {
		return err
	}
	return key.Verify(keypair.Algorithm(alg), kind, message, signature)
}

func TestWycheproofECDSAVerify(t *testing.T) {
	n := tally{}
	for file, s := range map[string]struct {
		spec kmsapi.KeySpec
		alg  kmsapi.SigningAlgorithmSpec
	}{
		"ecdsa_secp256r1_sha256": {kmsapi.KeySpecEccNistP256, "ECDSA_SHA_256"}, "ecdsa_secp384r1_sha384": {kmsapi.KeySpecEccNistP384, "ECDSA_SHA_384"},
		"ecdsa_secp521r1_sha512": {kmsapi.KeySpecEccNistP521, "ECDSA_SHA_512"}, "ecdsa_secp256k1_sha256": {kmsapi.KeySpecEccSecgP256k1, "ECDSA_SHA_256"},
		"ed25519": {kmsapi.KeySpecEccNistEdwards25519, "ED25519_SHA_512"},
	} {
		eachVector(t, file, func(g wycheproofGroup, v wycheproofTest) {
			if err := check(s.spec, unhex(t, g.PublicKeyDer), s.alg, keypair.Raw, unhex(t, v.Msg), unhex(t, v.Sig)); (err == nil) != v.valid() {
				t.Errorf("%s, %d %s: %v, want %s", file, v.TcID, v.Comment, err, v.Result)
			}
			n[v.Result]++
		})
	}
	n.floor(t, 2000)
}

// A PSS signature has MGF1 with the same hash, and a salt as long as the hash.
func TestWycheproofRSAVerify(t *testing.T) {
	n := tally{}
	verify := func(scheme string) func(wycheproofGroup, wycheproofTest) {
		return func(g wycheproofGroup, v wycheproofTest) {
			bits, ours := hashBits(g.Sha)
			spec := rsaSpec(g.KeySize)
			if !ours || spec == "" {
				n["left out: a hash or modulus that KMS does not have"]++
				return
			}
			if _, err := keypair.ParsePublic(keypair.Spec(spec), unhex(t, g.PublicKeyDer)); err != nil {
				n["left out: not an RSA key of KMS's kind ("+g.Type+")"]++
				return
			}
			alg := kmsapi.SigningAlgorithmSpec(scheme + bits)
			want := v.valid()
			if strings.HasPrefix(scheme, "RSASSA_PSS") {
				length := map[string]int{"256": 32, "384": 48, "512": 64}[bits]
				// Some are wrong for their group by the length that is right for us.
				want = g.MgfSha == g.Sha && (want && g.SLen == length || v.Comment == fmt.Sprint("s_len changed to ", length))
			}
			if err := check(spec, unhex(t, g.PublicKeyDer), alg, keypair.Raw, unhex(t, v.Msg), unhex(t, v.Sig)); (err == nil) != want {
				t.Errorf("%s, %d %s: %v, want %s", alg, v.TcID, v.Comment, err, v.Result)
			}
			n[scheme]++
		}
	}
	eachVector(t, "rsa_pss_*", verify("RSASSA_PSS_SHA_"))
	eachVector(t, "rsa_signature_*", verify("RSASSA_PKCS1_V1_5_SHA_"))
	n.floor(t, 2400)
}

// latticeSPKI is the SubjectPublicKeyInfo of ML-DSA (RFC 9881) and ML-KEM (RFC 9935) keys, whose names are numbered.
func latticeSPKI(t *testing.T, arc, number int, raw []byte) []byte {
	t.Helper()
	der, err := asn1.Marshal(publicKeyInfo{
		Algorithm: pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, arc, number}},
		Key:       asn1.BitString{Bytes: raw, BitLength: 8 * len(raw)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func mldsaSPKI(t *testing.T, size string, raw []byte) []byte {
	t.Helper()
	return latticeSPKI(t, 3, map[string]int{"44": 17, "65": 18, "87": 19}[size], raw)
}

// text reads a JSON string.
func text(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// A signature with a context is not one of KMS, whose context is empty. μ hides the context: with EXTERNAL_MU all verify.
func TestWycheproofMLDSA(t *testing.T) {
	n := tally{}
	const alg = kmsapi.SigningAlgorithmSpecMlDsaShake256
	for _, size := range []string{"44", "65", "87"} {
		spec := kmsapi.KeySpec("ML_DSA_" + size)
		eachVector(t, "mldsa_"+size+"_verify", func(g wycheproofGroup, v wycheproofTest) {
			err := check(spec, mldsaSPKI(t, size, unhex(t, text(t, g.PublicKey))), alg, keypair.Raw, unhex(t, v.Msg), unhex(t, v.Sig))
			if want := v.valid() && v.Ctx == ""; (err == nil) != want {
				t.Errorf("%s, %d %s: %v, want %s", spec, v.TcID, v.Comment, err, v.Result)
			}
			n["verify "+v.Result]++
		})
		eachVector(t, "mldsa_"+size+"_sign_seed", func(g wycheproofGroup, v wycheproofTest) {
			key, err := keypair.ParseSecret(keypair.Spec(spec), unhex(t, g.PrivateSeed))
			if err != nil || !v.valid() {
				if v.valid() {
					t.Errorf("%s, %d %s: %v", spec, v.TcID, v.Comment, err)
				}
				n["invalid seed or context"]++
				return
			}
			if got := key.Public().SPKI(); !bytes.Equal(got, mldsaSPKI(t, size, unhex(t, text(t, g.PublicKey)))) {
				t.Errorf("%s, %d: another public key", spec, v.TcID)
			}
			forms := map[keypair.MessageType][]byte{}
			if v.Mu != "" {
				forms[keypair.ExternalMu] = unhex(t, v.Mu)
			}
			if v.Ctx == "" && v.Msg != "" {
				forms[keypair.Raw] = unhex(t, v.Msg)
			}
			for kind, m := range forms {
				own, err := key.Sign(keypair.Algorithm(alg), kind, m)
				if err != nil {
					t.Fatal(err)
				}
				for _, signature := range [][]byte{own, unhex(t, v.Sig)} {
					if err := key.Public().Verify(keypair.Algorithm(alg), kind, m, signature); err != nil {
						t.Errorf("%s, %d %s, %s: %v", spec, v.TcID, v.Comment, kind, err)
					}
				}
				n["sign "+string(kind)]++
			}
		})
	}
	n.floor(t, 900)
}

// ML-KEM keys cannot be imported: the vectors go to what Decapsulate calls.
func TestWycheproofMLKEM(t *testing.T) {
	n := tally{}
	for number, size := range []string{"512", "768", "1024"} {
		spec := keypair.Spec("ML_KEM_" + size)
		spkiOf := func(raw string) []byte { return latticeSPKI(t, 4, number+1, unhex(t, raw)) }
		eachVector(t, "mlkem_"+size+"*", func(g wycheproofGroup, v wycheproofTest) {
			switch g.Type {
			case "MLKEMTest", "MLKEMKeyGen":
				key, err := keypair.ParseSecret(spec, unhex(t, v.Seed))
				var secret []byte
				if err == nil && g.Type == "MLKEMTest" {
					secret, err = key.Decapsulate(unhex(t, v.C))
				}
				if (err == nil) != v.valid() || v.valid() && !bytes.Equal(secret, unhex(t, v.K)) {
					t.Errorf("%s, %d %s: got %x, %v, want %s", spec, v.TcID, v.Comment, secret, err, v.Result)
				}
				if v.valid() && v.Ek != "" && !bytes.Equal(key.Public().SPKI(), spkiOf(v.Ek)) {
					t.Errorf("%s, %d %s: another public key", spec, v.TcID, v.Comment)
				}
				n[g.Type+" "+v.Result]++
			case "MLKEMEncapsTest":
				if _, err := keypair.ParsePublic(spec, spkiOf(v.Ek)); (err == nil) != v.valid() {
					t.Errorf("%s, %d %s: %v, want %s", spec, v.TcID, v.Comment, err, v.Result)
				}
				n["public key "+v.Result]++
			default:
				n["left out: expanded private keys, which KMS does not have"]++
			}
		})
	}
	n.floor(t, 1500)
}
