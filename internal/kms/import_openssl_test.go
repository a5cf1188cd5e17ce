package kms_test

import (
	"bytes"
	cryptoaes "crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// openssl runs Debian's openssl, the program that owners of keys use before an import, and returns what it writes.
func openssl(t testing.TB, stdin []byte, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "openssl", args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var talk bytes.Buffer
	cmd.Stderr = &talk
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, talk.Bytes())
	}
	return out
}

// opensslKey is a private key in DER PKCS #8 from openssl: "RSA 2048", "ED25519" or the name of a curve, and anything
// after another space for one more. Each is made once.
func opensslKey(t testing.TB, name string) []byte {
	t.Helper()
	made, _ := opensslKeys.LoadOrStore(name, sync.OnceValues(func() ([]byte, error) {
		args := []string{"genpkey", "-algorithm"}
		word := strings.Fields(name)
		switch word[0] {
		case "RSA":
			args = append(args, "RSA", "-pkeyopt", "rsa_keygen_bits:"+word[1])
		case "ED25519":
			args = append(args, word[0])
		default:
			args = append(args, "EC", "-pkeyopt", "ec_paramgen_curve:"+word[0], "-pkeyopt", "ec_param_enc:named_curve")
		}
		pem, err := exec.Command("openssl", args...).Output()
		if err != nil {
			return nil, err
		}
		convert := exec.Command("openssl", "pkcs8", "-topk8", "-nocrypt", "-outform", "DER")
		convert.Stdin = bytes.NewReader(pem)
		return convert.Output()
	}))
	key, err := made.(func() ([]byte, error))()
	if err != nil {
		t.Fatalf("openssl genpkey %s: %v", name, err)
	}
	return key
}

var opensslKeys sync.Map // of functions

// file writes b to a file for openssl.
func file(t testing.TB, b []byte) string {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	return filepath.Clean(f.Name())
}

// wrapWithOpenSSL wraps material as the KMS Developer Guide shows it ("Encrypt the key material").
func wrapWithOpenSSL(t testing.TB, algorithm kmsapi.AlgorithmSpec, public, material []byte) []byte {
	t.Helper()
	encrypt := func(plaintext []byte, options ...string) []byte {
		args := append([]string{"pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", file(t, public)}, options...)
		return openssl(t, plaintext, args...)
	}
	if algorithm == kmsapi.AlgorithmSpecSm2pke {
		return encrypt(material)
	}
	md := "sha256"
	if strings.HasSuffix(string(algorithm), "_SHA_1") {
		md = "sha1"
	}
	oaep := []string{"-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:" + md, "-pkeyopt", "rsa_mgf1_md:" + md}
	if strings.HasPrefix(string(algorithm), "RSAES_OAEP") {
		return encrypt(material, oaep...)
	}
	kek := make([]byte, 32)
	rand.Read(kek)
	return append(encrypt(kek, oaep...), openssl(t, material, "enc", "-id-aes256-wrap-pad", "-K", hex.EncodeToString(kek), "-iv", "A65959A6")...)
}

// ownKey is a kind of key that is made outside, and how its owner tells that the imported one is it.
type ownKey struct {
	spec     kmsapi.KeySpec
	usage    kmsapi.KeyUsageType
	material func(testing.TB) []byte
	proof    func(u user, id string, material []byte)
}

func ownKeys() []ownKey {
	random := func(n int) func(testing.TB) []byte {
		return func(testing.TB) []byte { b := make([]byte, n); rand.Read(b); return b }
	}
	pair := func(name string) func(testing.TB) []byte {
		return func(t testing.TB) []byte { t.Helper(); return opensslKey(t, name) }
	}
	const encrypts, signs, authenticates = kmsapi.KeyUsageTypeEncryptDecrypt, kmsapi.KeyUsageTypeSignVerify, kmsapi.KeyUsageTypeGenerateVerifyMac
	signed := func(a kmsapi.SigningAlgorithmSpec, options ...string) func(user, string, []byte) {
		return func(u user, id string, material []byte) { u.t.Helper(); proveSigning(u, id, material, a, options) }
	}
	mac := func(a kmsapi.MacAlgorithmSpec, h func() hash.Hash) func(user, string, []byte) {
		return func(u user, id string, material []byte) { u.t.Helper(); proveMAC(u, id, material, a, h) }
	}
	return []ownKey{
		{kmsapi.KeySpecSymmetricDefault, encrypts, random(32), proveSymmetric},
		{kmsapi.KeySpecHmac224, authenticates, random(28), mac(kmsapi.MacAlgorithmSpecHmacSha224, sha256.New224)},
		{kmsapi.KeySpecHmac256, authenticates, random(128), mac(kmsapi.MacAlgorithmSpecHmacSha256, sha256.New)},
		{kmsapi.KeySpecHmac384, authenticates, random(77), mac(kmsapi.MacAlgorithmSpecHmacSha384, sha512.New384)},
		{kmsapi.KeySpecHmac512, authenticates, random(64), mac(kmsapi.MacAlgorithmSpecHmacSha512, sha512.New)},
		{kmsapi.KeySpecRsa2048, encrypts, pair("RSA 2048"), proveDecryption},
		{kmsapi.KeySpecRsa3072, signs, pair("RSA 3072"), signed(kmsapi.SigningAlgorithmSpecRsassaPkcs1V15Sha384, "-digest", "sha384")},
		{kmsapi.KeySpecRsa4096, signs, pair("RSA 4096"), signed(kmsapi.SigningAlgorithmSpecRsassaPssSha512, "-digest", "sha512", "-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest")},
		{kmsapi.KeySpecEccNistP256, kmsapi.KeyUsageTypeKeyAgreement, pair("P-256"), proveAgreement},
		{kmsapi.KeySpecEccNistP384, signs, pair("P-384"), signed(kmsapi.SigningAlgorithmSpecEcdsaSha384, "-digest", "sha384")},
		{kmsapi.KeySpecEccNistP521, signs, pair("P-521"), signed(kmsapi.SigningAlgorithmSpecEcdsaSha512, "-digest", "sha512")},
		{kmsapi.KeySpecEccSecgP256k1, signs, pair("secp256k1"), signed(kmsapi.SigningAlgorithmSpecEcdsaSha256, "-digest", "sha256")},
		{kmsapi.KeySpecEccNistEdwards25519, signs, pair("ED25519"), signed(kmsapi.SigningAlgorithmSpecEd25519Sha512)},
		{kmsapi.KeySpecSm2, signs, pair("SM2"), signed(kmsapi.SigningAlgorithmSpecSm2dsa, "-digest", "sm3", "-pkeyopt", "distid:1234567812345678")},
	}
}

// proveSymmetric opens a ciphertext with the original key, as docs/formats.md draws it.
func proveSymmetric(u user, id string, material []byte) {
	u.t.Helper()
	ciphertext := u.encrypt(id, secret, nil)
	const prefix, salt, nonce = 60, 16, 12
	h := hmac.New(sha256.New, material)
	h.Write([]byte("\x00\x00\x00\x01trent/ciphertext/1\x00"))
	h.Write(ciphertext[prefix : prefix+salt])
	h.Write([]byte{0, 0, 1, 0})
	block, err := cryptoaes.NewCipher(h.Sum(nil))
	if err != nil {
		u.t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		u.t.Fatal(err)
	}
	noContext := binary.BigEndian.AppendUint32(nil, 0)
	aad := append(bytes.Clone(ciphertext[:prefix+salt]), noContext...)
	got, err := gcm.Open(nil, ciphertext[prefix+salt:prefix+salt+nonce], ciphertext[prefix+salt+nonce:], aad)
	if err != nil || string(got) != secret {
		u.t.Errorf("with the original key it opens to %q, %v", got, err)
	}
}

func proveMAC(u user, id string, material []byte, a kmsapi.MacAlgorithmSpec, h func() hash.Hash) {
	u.t.Helper()
	got := do[kmsapi.GenerateMacResponse](u, &kmsapi.GenerateMacRequest{KeyId: &id, Message: []byte(secret), MacAlgorithm: &a}).Mac
	m := hmac.New(h, material)
	m.Write([]byte(secret))
	if !hmac.Equal(got, m.Sum(nil)) {
		u.t.Errorf("%s differs from that of the original key", a)
	}
}

// publicOf is the public key of a private one, which must be what GetPublicKey answers.
func publicOf(u user, id string, material []byte) []byte {
	u.t.Helper()
	want := openssl(u.t, nil, "pkey", "-inform", "DER", "-in", file(u.t, material), "-pubout", "-outform", "DER")
	if got := do[kmsapi.GetPublicKeyResponse](u, &kmsapi.GetPublicKeyRequest{KeyId: &id}).PublicKey; !bytes.Equal(got, want) {
		u.t.Errorf("GetPublicKey answers %x, want %x", got, want)
	}
	return want
}

func proveSigning(u user, id string, material []byte, a kmsapi.SigningAlgorithmSpec, options []string) {
	u.t.Helper()
	signature := do[kmsapi.SignResponse](u, &kmsapi.SignRequest{KeyId: &id, Message: []byte(secret), SigningAlgorithm: &a}).Signature
	args := []string{"pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", file(u.t, publicOf(u, id, material)), "-rawin"}
	args = append(args, "-in", file(u.t, []byte(secret)), "-sigfile", file(u.t, signature))
	openssl(u.t, nil, append(args, options...)...)
}

func proveDecryption(u user, id string, material []byte) {
	u.t.Helper()
	a := kmsapi.EncryptionAlgorithmSpecRsaesOaepSha256
	ciphertext := wrapWithOpenSSL(u.t, kmsapi.AlgorithmSpecRsaesOaepSha256, publicOf(u, id, material), []byte(secret))
	out := do[kmsapi.DecryptResponse](u, &kmsapi.DecryptRequest{KeyId: &id, CiphertextBlob: ciphertext, EncryptionAlgorithm: &a})
	if string(out.Plaintext) != secret {
		u.t.Errorf("got %q", out.Plaintext)
	}
}

func proveAgreement(u user, id string, material []byte) {
	u.t.Helper()
	peer := file(u.t, opensslKey(u.t, "P-256 peer"))
	public := openssl(u.t, nil, "pkey", "-inform", "DER", "-in", peer, "-pubout", "-outform", "DER")
	want := openssl(u.t, nil, "pkeyutl", "-derive", "-keyform", "DER", "-inkey", peer, "-peerform", "DER", "-peerkey", file(u.t, publicOf(u, id, material)))
	got := do[kmsapi.DeriveSharedSecretResponse](u, &kmsapi.DeriveSharedSecretRequest{
		KeyId: &id, PublicKey: public, KeyAgreementAlgorithm: new(kmsapi.KeyAgreementAlgorithmSpecEcdh),
	}).SharedSecret
	if !bytes.Equal(got, want) {
		u.t.Error("the shared secret differs from that of the original key")
	}
}

// carries says what GetParametersForImport is to answer (KMS Developer Guide, "Select a wrapping algorithm").
func carries(k kmsapi.KeySpec, a kmsapi.AlgorithmSpec, w kmsapi.WrappingKeySpec) bool {
	alone := strings.HasPrefix(string(a), "RSAES_OAEP")
	switch {
	case a == kmsapi.AlgorithmSpecSm2pke:
		return k != kmsapi.KeySpecSymmetricDefault && !strings.HasPrefix(string(k), "HMAC")
	case strings.HasPrefix(string(k), "RSA"):
		return !alone
	case k == kmsapi.KeySpecEccNistP521:
		return !alone || w != kmsapi.WrappingKeySpecRsa2048
	}
	return true
}

// TestImportOfWhatOpenSSLWraps imports every kind of key by every wrapping algorithm. Long wrapping keys take long to make,
// and are the same but for their length: they come with each algorithm, and with what only they can carry.
func TestImportOfWhatOpenSSLWraps(t *testing.T) {
	u := newWorld(t).as(alice)
	algorithms := []kmsapi.AlgorithmSpec{
		kmsapi.AlgorithmSpecRsaesOaepSha1, kmsapi.AlgorithmSpecRsaesOaepSha256,
		kmsapi.AlgorithmSpecRsaAesKeyWrapSha1, kmsapi.AlgorithmSpecRsaAesKeyWrapSha256,
	}
	imported, refused := 0, 0
	pairs := map[string]bool{}
	try := func(k ownKey, a kmsapi.AlgorithmSpec, w kmsapi.WrappingKeySpec) {
		id := u.createExternal(kmsapi.CreateKeyRequest{KeySpec: &k.spec, KeyUsage: &k.usage})
		in := &kmsapi.GetParametersForImportRequest{KeyId: &id, WrappingAlgorithm: &a, WrappingKeySpec: &w}
		if !carries(k.spec, a, w) {
			u.refusedAs(in, "UnsupportedOperationException")
			refused++
			return
		}
		out := do[kmsapi.GetParametersForImportResponse](u, in)
		material := k.material(t)
		if answer := u.send(&kmsapi.ImportKeyMaterialRequest{
			KeyId: &id, ImportToken: out.ImportToken, EncryptedKeyMaterial: wrapWithOpenSSL(t, a, out.PublicKey, material),
			ExpirationModel: new(kmsapi.ExpirationModelTypeKeyMaterialDoesNotExpire),
		}); !answer.ok() {
			t.Errorf("%s by %s with %s: %s %s", k.spec, a, w, answer.code, answer.message)
			return
		}
		k.proof(u, id, material)
		imported++
		pairs[string(a)+string(w)] = true
	}
	long := map[kmsapi.KeySpec]map[kmsapi.WrappingKeySpec][]kmsapi.AlgorithmSpec{
		kmsapi.KeySpecSymmetricDefault: {
			kmsapi.WrappingKeySpecRsa3072: {kmsapi.AlgorithmSpecRsaesOaepSha256}, kmsapi.WrappingKeySpecRsa4096: {kmsapi.AlgorithmSpecRsaesOaepSha1},
		},
		kmsapi.KeySpecHmac256: {kmsapi.WrappingKeySpecRsa3072: {kmsapi.AlgorithmSpecRsaesOaepSha1}},
		kmsapi.KeySpecHmac512: {kmsapi.WrappingKeySpecRsa4096: {kmsapi.AlgorithmSpecRsaAesKeyWrapSha1}},
		kmsapi.KeySpecEccNistP521: {
			kmsapi.WrappingKeySpecRsa3072: {kmsapi.AlgorithmSpecRsaesOaepSha1, kmsapi.AlgorithmSpecRsaesOaepSha256},
			kmsapi.WrappingKeySpecRsa4096: {kmsapi.AlgorithmSpecRsaesOaepSha256},
		},
		kmsapi.KeySpecRsa3072:             {kmsapi.WrappingKeySpecRsa3072: {kmsapi.AlgorithmSpecRsaAesKeyWrapSha1}},
		kmsapi.KeySpecEccNistEdwards25519: {kmsapi.WrappingKeySpecRsa3072: {kmsapi.AlgorithmSpecRsaAesKeyWrapSha256}},
		kmsapi.KeySpecRsa4096: {
			kmsapi.WrappingKeySpecRsa3072: {kmsapi.AlgorithmSpecRsaesOaepSha256}, kmsapi.WrappingKeySpecRsa4096: {kmsapi.AlgorithmSpecRsaAesKeyWrapSha256},
		},
	}
	for _, k := range ownKeys() {
		for _, a := range algorithms {
			try(k, a, kmsapi.WrappingKeySpecRsa2048)
		}
		for w, with := range long[k.spec] {
			for _, a := range with {
				try(k, a, w)
			}
		}
		try(k, kmsapi.AlgorithmSpecSm2pke, kmsapi.WrappingKeySpecSm2)
	}
	t.Logf("%d imports, %d combinations refused, %d pairs of wrapping algorithm and key", imported, refused, len(pairs))
	if imported != 67 || refused != 14 || len(pairs) != 13 {
		t.Error("too few")
	}
}
