package kms_test

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"filippo.io/mldsa"
	circlsign "github.com/cloudflare/circl/sign"
	"github.com/cloudflare/circl/sign/mldsa/mldsa44"
	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
	"github.com/cloudflare/circl/sign/mldsa/mldsa87"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// signingWords are the program's words for a signing algorithm.
func signingWords(alg kmsapi.SigningAlgorithmSpec) []string {
	name := string(alg)
	digest := []string{"-digest", "sha" + name[len(name)-3:]}
	switch {
	case alg == kmsapi.SigningAlgorithmSpecEd25519Sha512:
		return nil
	case alg == kmsapi.SigningAlgorithmSpecSm2dsa:
		return []string{"-digest", "sm3", "-pkeyopt", "distid:1234567812345678"}
	case strings.HasPrefix(name, "RSASSA_PSS"):
		return append(digest, "-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest")
	case strings.HasPrefix(name, "RSASSA_PKCS1"):
		return append(digest, "-pkeyopt", "rsa_padding_mode:pkcs1")
	}
	return digest
}

// opensslSigners are what the program knows: not ML-DSA, and not Ed25519ph.
func opensslSigners(t *testing.T) []signer {
	t.Helper()
	return slices.DeleteFunc(signers(t), func(s signer) bool {
		return strings.HasPrefix(string(s.spec), "ML_DSA") || s.alg == kmsapi.SigningAlgorithmSpecEd25519PhSha512
	})
}

// openssl verifies what the service signs, with the downloaded public key, and refuses another message's signature.
func TestOpenSSLVerifiesSignatures(t *testing.T) {
	u := newWorld(t).as(alice)
	keys := u.ring(kmsapi.KeyUsageTypeSignVerify)
	verified := 0
	message := file(t, []byte(secret))
	other := file(t, []byte("another message"))
	for _, s := range opensslSigners(t) {
		id := keys.of(s.spec)
		public := file(t, u.publicKey(id))
		signature := file(t, u.sign(id, s.alg, "RAW", []byte(secret)))
		verify := func(message string) error {
			return exec.CommandContext(t.Context(), "openssl", append([]string{"pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", public, "-sigfile", signature, "-rawin", "-in", message}, signingWords(s.alg)...)...).Run()
		}
		if err := verify(message); err != nil {
			t.Errorf("%s: %v", s, err)
		}
		if s.spec != kmsapi.KeySpecRsa3072 && s.spec != kmsapi.KeySpecRsa4096 && verify(other) == nil {
			t.Errorf("%s: another message verifies", s)
		}
		verified++
	}
	if verified != 24 {
		t.Errorf("%d algorithms", verified)
	}
}

// opensslKeyOf makes a key of a spec outside: its PKCS #8, and the file that has it.
func opensslKeyOf(t *testing.T, spec kmsapi.KeySpec) (path string, pkcs8 []byte) {
	t.Helper()
	name := map[kmsapi.KeySpec]string{
		kmsapi.KeySpecRsa2048: "RSA 2048", kmsapi.KeySpecEccNistEdwards25519: "ED25519", kmsapi.KeySpecEccNistP256: "P-256", kmsapi.KeySpecEccNistP384: "P-384",
		kmsapi.KeySpecEccNistP521: "P-521", kmsapi.KeySpecEccSecgP256k1: "secp256k1", kmsapi.KeySpecSm2: "SM2",
	}[spec]
	pkcs8 = opensslKey(t, name)
	return file(t, pkcs8), pkcs8
}

// What openssl signs with a key that it has made, the service verifies with that key.
func TestSignaturesOfOpenSSLVerify(t *testing.T) {
	u := newKeeper(t)
	message := file(t, []byte(secret))
	verified := 0
	for _, s := range opensslSigners(t) {
		if s.spec == kmsapi.KeySpecRsa3072 || s.spec == kmsapi.KeySpecRsa4096 {
			continue
		}
		path, pkcs8 := opensslKeyOf(t, s.spec)
		id := u.mustAdopt(s.spec, kmsapi.KeyUsageTypeSignVerify, pkcs8)
		if want := openssl(t, nil, "pkey", "-inform", "DER", "-in", path, "-pubout", "-outform", "DER"); !bytes.Equal(u.publicKey(id), want) {
			t.Errorf("%s: public key %x, want %x", s.spec, u.publicKey(id), want)
		}
		signature := openssl(t, nil, append([]string{"pkeyutl", "-sign", "-keyform", "DER", "-inkey", path, "-rawin", "-in", message}, signingWords(s.alg)...)...)
		u.verifies(id, s.alg, "RAW", []byte(secret), signature)
		verified++
	}
	if verified != 12 {
		t.Errorf("%d algorithms", verified)
	}
}

// opensslOAEP are the program's words for RSA-OAEP, and for SM2 none.
func opensslOAEP(alg kmsapi.EncryptionAlgorithmSpec) []string {
	if alg == sm2pke {
		return []string{"-pkeyopt", "digest:sm3"}
	}
	hash := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(string(alg), "RSAES_OAEP_"), "_", ""))
	return []string{"-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:" + hash, "-pkeyopt", "rsa_mgf1_md:" + hash}
}

// What openssl encrypts with a downloaded public key, the service decrypts; openssl decrypts with its own key what the
// service encrypts with it.
func TestOpenSSLEncryptsAndDecrypts(t *testing.T) {
	u := newKeeper(t)
	keys := u.ring(kmsapi.KeyUsageTypeEncryptDecrypt)
	plaintext := file(t, []byte(secret))
	for _, e := range encrypters() {
		if e.spec == kmsapi.KeySpecRsa3072 || e.spec == kmsapi.KeySpecRsa4096 {
			continue
		}
		id := keys.of(e.spec)
		public := file(t, u.publicKey(id))
		ciphertext := openssl(t, nil, append([]string{"pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", public, "-in", plaintext}, opensslOAEP(e.alg)...)...)
		if got := u.opens(id, e.alg, ciphertext); string(got) != secret {
			t.Errorf("%s, %s: got %q", e.spec, e.alg, got)
		}
		path, pkcs8 := opensslKeyOf(t, e.spec)
		theirs := u.mustAdopt(e.spec, kmsapi.KeyUsageTypeEncryptDecrypt, pkcs8)
		sealed := file(t, do[kmsapi.EncryptResponse](u.user, encryptRequest(theirs, e.alg, []byte(secret))).CiphertextBlob)
		if got := openssl(t, nil, append([]string{"pkeyutl", "-decrypt", "-keyform", "DER", "-inkey", path, "-in", sealed}, opensslOAEP(e.alg)...)...); string(got) != secret {
			t.Errorf("%s, %s: openssl got %q", e.spec, e.alg, got)
		}
	}
}

// openssl uses data key pairs: it reads the private key, finds the same public key, and what the one half does, the other
// undoes.
func TestOpenSSLUsesDataKeyPairs(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	message := file(t, []byte(secret))
	used := 0
	for _, spec := range pairSpecs() {
		if strings.HasPrefix(string(spec), "ML_KEM") || spec == kmsapi.DataKeyPairSpecRsa4096 {
			continue
		}
		out := do[kmsapi.GenerateDataKeyPairResponse](u, pairRequest(id, spec))
		private, public := file(t, []byte(u.decrypt(out.PrivateKeyCiphertextBlob, nil))), file(t, out.PublicKey)
		if got := openssl(t, nil, "pkey", "-check", "-noout", "-inform", "DER", "-in", private); !bytes.Contains(got, []byte("valid")) && spec != kmsapi.DataKeyPairSpecEccNistEdwards25519 {
			t.Errorf("%s: %s", spec, got)
		}
		if got := openssl(t, nil, "pkey", "-inform", "DER", "-in", private, "-pubout", "-outform", "DER"); !bytes.Equal(got, out.PublicKey) {
			t.Errorf("%s: public key %x, want %x", spec, out.PublicKey, got)
		}
		i := slices.IndexFunc(opensslSigners(t), func(s signer) bool { return string(s.spec) == string(spec) })
		words := signingWords(opensslSigners(t)[i].alg)
		signature := file(t, openssl(t, nil, append([]string{"pkeyutl", "-sign", "-keyform", "DER", "-inkey", private, "-rawin", "-in", message}, words...)...))
		openssl(t, nil, append([]string{"pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", public, "-sigfile", signature, "-rawin", "-in", message}, words...)...)
		if strings.HasPrefix(string(spec), "RSA") {
			ciphertext := file(t, openssl(t, nil, append([]string{"pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", public, "-in", message}, opensslOAEP(oaep256)...)...))
			if got := openssl(t, nil, append([]string{"pkeyutl", "-decrypt", "-keyform", "DER", "-inkey", private, "-in", ciphertext}, opensslOAEP(oaep256)...)...); string(got) != secret {
				t.Errorf("%s: got %q", spec, got)
			}
		}
		used++
	}
	if used != 8 {
		t.Errorf("%d specs", used)
	}
}

// openssl derives the same secret from its private key and the downloaded public one.
func TestOpenSSLDerivesTheSameSecret(t *testing.T) {
	u := newWorld(t).as(alice)
	for spec := range curves() {
		id := u.keyOf(spec, kmsapi.KeyUsageTypeKeyAgreement)
		path, _ := opensslKeyOf(t, spec)
		peer := file(t, u.publicKey(id))
		public := openssl(t, nil, "pkey", "-inform", "DER", "-in", path, "-pubout", "-outform", "DER")
		want := openssl(t, nil, "pkeyutl", "-derive", "-keyform", "DER", "-inkey", path, "-peerform", "DER", "-peerkey", peer)
		if got := u.agree(id, public); !bytes.Equal(got, want) {
			t.Errorf("%s: got %x, want %x", spec, got, want)
		}
	}
}

// openssl 3.0 has no ML-DSA. Two other implementations verify its signatures, with the key out of the downloaded
// SubjectPublicKeyInfo, and one makes them from the same μ.
func TestOtherImplementationsVerifyMLDSA(t *testing.T) {
	u := newWorld(t).as(alice)
	for spec, of := range map[kmsapi.KeySpec]struct {
		parameters mldsa.Parameters
		scheme     circlsign.Scheme
	}{
		kmsapi.KeySpecMlDsa44: {mldsa.MLDSA44(), mldsa44.Scheme()}, kmsapi.KeySpecMlDsa65: {mldsa.MLDSA65(), mldsa65.Scheme()}, kmsapi.KeySpecMlDsa87: {mldsa.MLDSA87(), mldsa87.Scheme()},
	} {
		id := u.keyOf(spec, kmsapi.KeyUsageTypeSignVerify)
		spki := u.publicKey(id)
		key, err := mldsa.NewPublicKey(of.parameters, rawKey(t, spki))
		if err != nil {
			t.Fatal(err)
		}
		other, err := of.scheme.UnmarshalBinaryPublicKey(rawKey(t, spki))
		if err != nil {
			t.Fatal(err)
		}
		message := []byte(secret)
		for kind, m := range map[kmsapi.MessageType][]byte{"RAW": message, "EXTERNAL_MU": mu(t, message, spki)} {
			signature := u.sign(id, kmsapi.SigningAlgorithmSpecMlDsaShake256, kind, m)
			if err := mldsa.Verify(key, message, signature, nil); err != nil {
				t.Errorf("%s, %s: %v", spec, kind, err)
			}
			if !of.scheme.Verify(other, message, signature, nil) {
				t.Errorf("%s, %s: circl refuses", spec, kind)
			}
			if of.scheme.Verify(other, append(message, 0), signature, nil) {
				t.Errorf("%s, %s: circl accepts another message", spec, kind)
			}
		}
	}
}
