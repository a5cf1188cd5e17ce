package kms_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// specRow is a row of "Key spec reference" of the KMS Developer Guide (and, for ML-KEM, of the Go SDK's model): what a key
// of a spec and usage can do. Every combination that has no row is refused.
type specRow struct {
	spec       kmsapi.KeySpec
	usage      kmsapi.KeyUsageType
	algorithms string
}

const (
	pkcs1AndPSS = "RSASSA_PKCS1_V1_5_SHA_256 RSASSA_PKCS1_V1_5_SHA_384 RSASSA_PKCS1_V1_5_SHA_512 RSASSA_PSS_SHA_256 RSASSA_PSS_SHA_384 RSASSA_PSS_SHA_512"
	oaep        = "RSAES_OAEP_SHA_1 RSAES_OAEP_SHA_256"
)

func specRows() []specRow {
	return []specRow{
		{"SYMMETRIC_DEFAULT", encrypting, "SYMMETRIC_DEFAULT"},
		{"RSA_2048", encrypting, oaep},
		{"RSA_3072", encrypting, oaep},
		{"RSA_4096", encrypting, oaep},
		{"SM2", encrypting, "SM2PKE"},
		{"RSA_2048", signing, pkcs1AndPSS},
		{"RSA_3072", signing, pkcs1AndPSS},
		{"RSA_4096", signing, pkcs1AndPSS},
		{"ECC_NIST_P256", signing, "ECDSA_SHA_256"},
		{"ECC_NIST_P384", signing, "ECDSA_SHA_384"},
		{"ECC_NIST_P521", signing, "ECDSA_SHA_512"},
		{"ECC_SECG_P256K1", signing, "ECDSA_SHA_256"},
		{"ECC_NIST_EDWARDS25519", signing, "ED25519_SHA_512 ED25519_PH_SHA_512"},
		{"ML_DSA_44", signing, "ML_DSA_SHAKE_256"},
		{"ML_DSA_65", signing, "ML_DSA_SHAKE_256"},
		{"ML_DSA_87", signing, "ML_DSA_SHAKE_256"},
		{"SM2", signing, "SM2DSA"},
		{"HMAC_224", authenticates, "HMAC_SHA_224"},
		{"HMAC_256", authenticates, "HMAC_SHA_256"},
		{"HMAC_384", authenticates, "HMAC_SHA_384"},
		{"HMAC_512", authenticates, "HMAC_SHA_512"},
		{"ECC_NIST_P256", agreeing, "ECDH"},
		{"ECC_NIST_P384", agreeing, "ECDH"},
		{"ECC_NIST_P521", agreeing, "ECDH"},
		{"SM2", agreeing, "ECDH"},
		{"ML_KEM_512", encapsulating, "ML_KEM"},
		{"ML_KEM_768", encapsulating, "ML_KEM"},
		{"ML_KEM_1024", encapsulating, "ML_KEM"},
	}
}

func (r specRow) has(algorithm string) bool {
	return slices.Contains(strings.Fields(r.algorithms), algorithm)
}

// plaintextLimits are in bytes (KMS API Reference, Encrypt).
var plaintextLimits = map[string]int{
	"SYMMETRIC_DEFAULT SYMMETRIC_DEFAULT": 4096,
	"RSA_2048 RSAES_OAEP_SHA_1":           214, "RSA_2048 RSAES_OAEP_SHA_256": 190,
	"RSA_3072 RSAES_OAEP_SHA_1": 342, "RSA_3072 RSAES_OAEP_SHA_256": 318,
	"RSA_4096 RSAES_OAEP_SHA_1": 470, "RSA_4096 RSAES_OAEP_SHA_256": 446,
	"SM2 SM2PKE": 1024,
}

// specTest asks one key of a spec and usage.
type specTest struct {
	user
	specRow
	id      string
	asked   *int   // counts the combinations
	foreign []byte // a ciphertext of a symmetric key
	peer    []byte // a public key on P-256
}

// TestSpecsUsagesAndAlgorithms asks for every spec × usage × origin of CreateKey, and of one key of each that there is
// for every algorithm of every operation that takes one.
func TestSpecsUsagesAndAlgorithms(t *testing.T) {
	u := newWorld(t).as(alice)
	created, asked := 0, 0
	foreign := u.encrypt(u.createKey(), secret, nil)
	for _, spec := range kmsapi.KeySpec("").Values() {
		for _, usage := range kmsapi.KeyUsageType("").Values() {
			rows := specRows()
			row := slices.IndexFunc(rows, func(r specRow) bool { return r.spec == spec && r.usage == usage })
			for _, origin := range []kmsapi.OriginType{ofAWS, external} {
				created++
				in := &kmsapi.CreateKeyRequest{KeySpec: &spec, KeyUsage: &usage, Origin: &origin}
				switch {
				case row < 0:
					u.refused(in, "ValidationException", "KeyUsage "+string(usage)+" is not compatible with KeySpec "+string(spec))
				case origin == external && strings.HasPrefix(string(spec), "ML_"): // KMS Developer Guide, "Importing key material"
					u.refused(in, "UnsupportedOperationException", "KeySpec "+string(spec)+" is not supported for Origin EXTERNAL")
				default:
					m := do[kmsapi.CreateKeyResponse](u, in).KeyMetadata
					shown := fmt.Sprint(m.EncryptionAlgorithms, m.SigningAlgorithms, m.MacAlgorithms, m.KeyAgreementAlgorithms, m.EncapsulationAlgorithms)
					if got := strings.Fields(strings.NewReplacer("[", " ", "]", " ").Replace(shown)); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(strings.Fields(rows[row].algorithms)))) {
						t.Errorf("%s for %s has %v", spec, usage, got)
					}
					if origin == ofAWS {
						k := specTest{u, rows[row], *m.KeyId, &asked, foreign, somebodysKey(t)}
						t.Run(string(spec)+"/"+string(usage), k.test)
					}
				}
			}
		}
	}
	if created != 20*5*2 || asked < 900 {
		t.Errorf("%d combinations of CreateKey, %d of algorithms", created, asked)
	}
}

func (k specTest) test(t *testing.T) {
	for _, alg := range kmsapi.SigningAlgorithmSpec("").Values() {
		k.testSigning(t, alg)
	}
	for _, alg := range kmsapi.EncryptionAlgorithmSpec("").Values() {
		k.testEncryption(t, alg)
	}
	for _, alg := range kmsapi.MacAlgorithmSpec("").Values() {
		k.testMAC(t, alg)
	}
	k.testSecrets(t)
}

// refusal is what an operation for keys of a usage, with an algorithm, answers to this key; "" when it works.
func (k specTest) refusal(in request, usage kmsapi.KeyUsageType, algorithm string) (code, text string) {
	*k.asked++
	switch {
	case k.usage != usage:
		return "InvalidKeyUsageException", k.keyARN(k.id) + " key usage is " + string(k.usage) + " which is not valid for " + operationOf(in) + "."
	case !k.has(algorithm):
		return "InvalidKeyUsageException", "Algorithm " + algorithm + " is incompatible with key spec " + string(k.spec) + "."
	}
	return "", ""
}

// ask sends a request that works if key and algorithm are such; it says so, and then the answer is in out.
func (k specTest) ask(in request, usage kmsapi.KeyUsageType, algorithm string, out api.Shape) bool {
	k.t.Helper()
	code, text := k.refusal(in, usage, algorithm)
	a := k.refused(in, code, text)
	if !a.ok() {
		return false
	}
	if err := api.Decode(a.body, out); err != nil {
		k.t.Errorf("%s: %v", a.operation, err)
	}
	return true
}

// digestSizes are in bytes; Ed25519 signs no digests, ML-DSA another kind (FIPS 204, external μ).
var digestSizes = map[kmsapi.SigningAlgorithmSpec]int{
	"RSASSA_PKCS1_V1_5_SHA_256": 32, "RSASSA_PKCS1_V1_5_SHA_384": 48, "RSASSA_PKCS1_V1_5_SHA_512": 64,
	"RSASSA_PSS_SHA_256": 32, "RSASSA_PSS_SHA_384": 48, "RSASSA_PSS_SHA_512": 64,
	"ECDSA_SHA_256": 32, "ECDSA_SHA_384": 48, "ECDSA_SHA_512": 64, "ED25519_PH_SHA_512": 64, "SM2DSA": 32,
}

func (k specTest) testSigning(t *testing.T, alg kmsapi.SigningAlgorithmSpec) {
	kind, message := kmsapi.MessageTypeRaw, []byte(secret)
	if alg == kmsapi.SigningAlgorithmSpecEd25519PhSha512 {
		kind, message = kmsapi.MessageTypeDigest, make([]byte, 64)
	}
	verify := &kmsapi.VerifyRequest{KeyId: &k.id, Message: message, MessageType: &kind, SigningAlgorithm: &alg, Signature: []byte("x")}
	var signed kmsapi.SignResponse
	if !k.ask(&kmsapi.SignRequest{KeyId: &k.id, Message: message, MessageType: &kind, SigningAlgorithm: &alg}, signing, string(alg), &signed) {
		k.ask(verify, signing, string(alg), nil)
		return
	}
	k.refused(verify, "KMSInvalidSignatureException", "")
	verify.Signature = signed.Signature
	if out := new(kmsapi.VerifyResponse); k.ask(verify, signing, string(alg), out) && !*out.SignatureValid {
		t.Errorf("%s: not valid", alg)
	}
	k.testMessages(t, alg)
}

// testMessages asks for signatures of messages of every type and of the sizes on both sides of each limit.
func (k specTest) testMessages(t *testing.T, alg kmsapi.SigningAlgorithmSpec) {
	digest, signsDigests := digestSizes[alg]
	onlyDigests, lattice := alg == "ED25519_PH_SHA_512", alg == "ML_DSA_SHAKE_256"
	for _, kind := range kmsapi.MessageType("").Values() {
		for _, size := range []int{0, 1, 31, 32, 33, 47, 48, 49, 63, 64, 65, 4096, 4097} {
			want := ""
			switch {
			case size == 0 || size > 4096, kind == "RAW" && onlyDigests, kind == "DIGEST" && !signsDigests, kind == "EXTERNAL_MU" && !lattice:
				want = "ValidationException"
			case kind == "DIGEST" && size != digest:
				want = "ValidationException Digest is invalid length for algorithm " + string(alg) + "."
			case kind == "EXTERNAL_MU" && size != 64:
				want = "ValidationException"
			}
			*k.asked++
			a := k.send(&kmsapi.SignRequest{KeyId: &k.id, Message: make([]byte, size), MessageType: &kind, SigningAlgorithm: &alg})
			if got := a.code + " " + a.message; want == "" && !a.ok() || !strings.HasPrefix(got, want) || want != "" && a.ok() {
				t.Errorf("%s, %s of %d bytes: got %q, want %q", alg, kind, size, got, want)
			}
		}
	}
}

func (k specTest) testEncryption(t *testing.T, alg kmsapi.EncryptionAlgorithmSpec) {
	in := &kmsapi.EncryptRequest{KeyId: &k.id, Plaintext: []byte(secret), EncryptionAlgorithm: &alg}
	var made kmsapi.EncryptResponse
	works := k.ask(in, encrypting, string(alg), &made)
	k.testDecryption(t, alg, made.CiphertextBlob)

	var again kmsapi.ReEncryptResponse
	if k.ask(&kmsapi.ReEncryptRequest{CiphertextBlob: k.foreign, DestinationKeyId: &k.id, DestinationEncryptionAlgorithm: &alg}, encrypting, string(alg), &again) {
		k.testDecryption(t, alg, again.CiphertextBlob)
	}
	if !works {
		return
	}
	limit := plaintextLimits[string(k.spec)+" "+string(alg)]
	in.Plaintext = bytes.Repeat([]byte{0xff}, limit)
	k.must(in)
	in.Plaintext = append(in.Plaintext, 0xff)
	text := fmt.Sprintf("Algorithm %s and key spec %s cannot encrypt data larger than %d bytes.", alg, k.spec, limit)
	if limit == 4096 {
		text = "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096"
	}
	k.refused(in, "ValidationException", text)
}

// testDecryption decrypts what the key has made, or else what another key has.
func (k specTest) testDecryption(t *testing.T, alg kmsapi.EncryptionAlgorithmSpec, own []byte) {
	t.Helper()
	*k.asked++
	in := &kmsapi.DecryptRequest{KeyId: &k.id, EncryptionAlgorithm: &alg, CiphertextBlob: k.foreign}
	if own != nil {
		in.CiphertextBlob = own
		if out := do[kmsapi.DecryptResponse](k.user, in); string(out.Plaintext) != secret {
			t.Errorf("%s: got %q", alg, out.Plaintext)
		}
		return
	}
	switch {
	case alg == "SYMMETRIC_DEFAULT": // the ciphertext says whose it is
		k.refused(in, "IncorrectKeyException", incorrect)
	case k.spec == "SYMMETRIC_DEFAULT":
		k.refused(in, "InvalidCiphertextException", "")
	default:
		k.ask(in, encrypting, string(alg), nil)
	}
}

func (k specTest) testMAC(t *testing.T, alg kmsapi.MacAlgorithmSpec) {
	verify := &kmsapi.VerifyMacRequest{KeyId: &k.id, Message: []byte(secret), MacAlgorithm: &alg, Mac: []byte("x")}
	in := &kmsapi.GenerateMacRequest{KeyId: &k.id, Message: []byte(secret), MacAlgorithm: &alg}
	var made kmsapi.GenerateMacResponse
	if !k.ask(in, authenticates, string(alg), &made) {
		k.ask(verify, authenticates, string(alg), nil)
		return
	}
	k.refused(verify, "KMSInvalidMacException", "")
	verify.Mac = made.Mac
	k.must(verify)
	for size, code := range map[int]string{0: "ValidationException", 1: "", 4096: "", 4097: "ValidationException"} {
		in.Message = make([]byte, size)
		if a := k.send(in); a.code != code {
			t.Errorf("a message of %d bytes: got %q %q, want %q", size, a.code, a.message, code)
		}
	}
}

// testSecrets asks for what makes and tells shared secrets.
func (k specTest) testSecrets(t *testing.T) {
	derive := &kmsapi.DeriveSharedSecretRequest{KeyId: &k.id, KeyAgreementAlgorithm: new(kmsapi.KeyAgreementAlgorithmSpecEcdh), PublicKey: k.peer}
	if code, text := k.refusal(derive, agreeing, "ECDH"); code != "" || k.spec == "ECC_NIST_P256" {
		k.refused(derive, code, text)
	} else {
		k.refused(derive, "ValidationException", "") // a key on another curve
	}
	encapsulate := &kmsapi.EncapsulateRequest{KeyId: &k.id, EncapsulationAlgorithm: new(kmsapi.EncapsulationAlgorithmSpecMlKem)}
	decapsulate := &kmsapi.DecapsulateRequest{KeyId: &k.id, EncapsulationAlgorithm: new(kmsapi.EncapsulationAlgorithmSpecMlKem), SharedSecretCiphertextBlob: []byte("x")}
	var made kmsapi.EncapsulateResponse
	if !k.ask(encapsulate, encapsulating, "ML_KEM", &made) {
		k.ask(decapsulate, encapsulating, "ML_KEM", nil)
		return
	}
	k.refused(decapsulate, "InvalidCiphertextException", "")
	decapsulate.SharedSecretCiphertextBlob = made.SharedSecretCiphertextBlob
	var opened kmsapi.DecapsulateResponse
	if k.ask(decapsulate, encapsulating, "ML_KEM", &opened) && !bytes.Equal(opened.SharedSecret, made.SharedSecret) {
		t.Error("another secret")
	}
}
