package kms_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/asn1"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// signer is a spec with one of its signing algorithms.
type signer struct {
	spec kmsapi.KeySpec
	alg  kmsapi.SigningAlgorithmSpec
	size int  // of a signature in bytes
	der  bool // a SEQUENCE of two numbers, at most size bytes
	// short is what stands for a message: a DIGEST, or an EXTERNAL_MU. shorten makes it of a message and the public key.
	short   kmsapi.MessageType
	shorten func(t *testing.T, message, spki []byte) []byte
}

// Name is unique.
func (s signer) String() string { return string(s.spec) + "/" + string(s.alg) }

// raw says whether the algorithm takes messages as they are.
func (s signer) raw() bool { return s.alg != kmsapi.SigningAlgorithmSpecEd25519PhSha512 }

// signers are all there are (KMS Developer Guide, "Key spec reference").
func signers(t *testing.T) []signer {
	t.Helper()
	hashes := map[string]func(*testing.T, []byte, []byte) []byte{
		"256": func(_ *testing.T, m, _ []byte) []byte { h := sha256.Sum256(m); return h[:] },
		"384": func(_ *testing.T, m, _ []byte) []byte { h := sha512.Sum384(m); return h[:] },
		"512": func(_ *testing.T, m, _ []byte) []byte { h := sha512.Sum512(m); return h[:] },
	}
	all := []signer{
		{kmsapi.KeySpecEccNistP256, "ECDSA_SHA_256", 72, true, "DIGEST", hashes["256"]},
		{kmsapi.KeySpecEccNistP384, "ECDSA_SHA_384", 104, true, "DIGEST", hashes["384"]},
		{kmsapi.KeySpecEccNistP521, "ECDSA_SHA_512", 139, true, "DIGEST", hashes["512"]},
		{kmsapi.KeySpecEccSecgP256k1, "ECDSA_SHA_256", 72, true, "DIGEST", hashes["256"]},
		{kmsapi.KeySpecEccNistEdwards25519, "ED25519_SHA_512", 64, false, "", nil},
		{kmsapi.KeySpecEccNistEdwards25519, "ED25519_PH_SHA_512", 64, false, "DIGEST", hashes["512"]},
		{kmsapi.KeySpecMlDsa44, "ML_DSA_SHAKE_256", 2420, false, "EXTERNAL_MU", mu},
		{kmsapi.KeySpecMlDsa65, "ML_DSA_SHAKE_256", 3309, false, "EXTERNAL_MU", mu},
		{kmsapi.KeySpecMlDsa87, "ML_DSA_SHAKE_256", 4627, false, "EXTERNAL_MU", mu},
		{kmsapi.KeySpecSm2, "SM2DSA", 72, true, "DIGEST", sm3WithID},
	}
	for spec, size := range map[kmsapi.KeySpec]int{kmsapi.KeySpecRsa2048: 256, kmsapi.KeySpecRsa3072: 384, kmsapi.KeySpecRsa4096: 512} {
		for bits, hash := range hashes {
			for _, scheme := range []string{"RSASSA_PSS_SHA_", "RSASSA_PKCS1_V1_5_SHA_"} {
				all = append(all, signer{spec, kmsapi.SigningAlgorithmSpec(scheme + bits), size, false, "DIGEST", hash})
			}
		}
	}
	if len(all) != 28 {
		t.Fatalf("%d signers", len(all))
	}
	return all
}

// quickSigners leaves out the long RSA keys, which take seconds to make.
func quickSigners(t *testing.T) []signer {
	t.Helper()
	return slices.DeleteFunc(signers(t), func(s signer) bool {
		return s.spec == kmsapi.KeySpecRsa3072 || s.spec == kmsapi.KeySpecRsa4096
	})
}

// mu is μ of a message with an empty context (FIPS 204, Algorithm 2 and Algorithm 7, line 6).
func mu(_ *testing.T, message, spki []byte) []byte {
	var info struct {
		Algorithm asn1.RawValue
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(spki, &info); err != nil {
		panic(err)
	}
	tr := sha3.SumSHAKE256(info.Key.Bytes, 64)
	return sha3.SumSHAKE256(slices.Concat(tr, []byte{0, 0}, message), 64)
}

// sm3WithID is SM3 of a message after ZA, which names the signer 1234567812345678 and its key (GB/T 32918.2, 5.5).
func sm3WithID(t *testing.T, message, spki []byte) []byte {
	t.Helper()
	key, err := smx509.ParsePKIXPublicKey(spki)
	if err != nil {
		t.Fatal(err)
	}
	za, err := sm2.CalculateZA(sm2Public(t, key), []byte("1234567812345678"))
	if err != nil {
		t.Fatal(err)
	}
	h := sm3.Sum(append(za, message...))
	return h[:]
}

func (u user) sign(id string, alg kmsapi.SigningAlgorithmSpec, kind kmsapi.MessageType, message []byte) []byte {
	u.t.Helper()
	return do[kmsapi.SignResponse](u, &kmsapi.SignRequest{KeyId: &id, SigningAlgorithm: &alg, MessageType: &kind, Message: message}).Signature
}

func verifyRequest(id string, alg kmsapi.SigningAlgorithmSpec, kind kmsapi.MessageType, message, signature []byte) *kmsapi.VerifyRequest {
	return &kmsapi.VerifyRequest{KeyId: &id, SigningAlgorithm: &alg, MessageType: &kind, Message: message, Signature: signature}
}

// verifies holds that a signature verifies, and what the answer says.
func (u user) verifies(id string, alg kmsapi.SigningAlgorithmSpec, kind kmsapi.MessageType, message, signature []byte) {
	u.t.Helper()
	out := do[kmsapi.VerifyResponse](u, verifyRequest(id, alg, kind, message, signature))
	if !*out.SignatureValid || *out.KeyId != u.keyARN(id) || *out.SigningAlgorithm != alg {
		u.t.Errorf("Verify: valid %v, key %s, algorithm %s", *out.SignatureValid, *out.KeyId, *out.SigningAlgorithm)
	}
}

// forged holds that a signature does not verify.
func (u user) forged(in *kmsapi.VerifyRequest) {
	u.t.Helper()
	u.refused(in, "KMSInvalidSignatureException", "")
}

// ring makes keys of one usage, one for each spec.
type ring struct {
	user
	usage kmsapi.KeyUsageType
	keys  map[kmsapi.KeySpec]string
}

func (u user) ring(usage kmsapi.KeyUsageType) *ring {
	return &ring{u, usage, map[kmsapi.KeySpec]string{}}
}

// of returns the ring's key of a spec. Long RSA keys, which take seconds to make, are brought along.
func (r *ring) of(spec kmsapi.KeySpec) string {
	r.t.Helper()
	switch {
	case r.keys[spec] != "":
	case spec == kmsapi.KeySpecRsa3072, spec == kmsapi.KeySpecRsa4096:
		name, size, _ := strings.Cut(string(spec), "_")
		r.keys[spec] = keeper{r.user, map[kmsapi.KeySpec]bool{spec: true}}.mustAdopt(spec, r.usage, opensslKey(r.t, name+" "+size))
	default:
		r.keys[spec] = r.keyOf(spec, r.usage)
	}
	return r.keys[spec]
}

// Every algorithm signs messages of every length, and what stands for a message in its place, each for the other.
func TestSignAndVerify(t *testing.T) {
	u := newWorld(t).as(alice)
	keys := u.ring(kmsapi.KeyUsageTypeSignVerify)
	for _, s := range signers(t) {
		id := keys.of(s.spec)
		spki := u.publicKey(id)
		t.Run(s.String(), func(t *testing.T) {
			for _, size := range []int{1, 100, 4096} {
				message := bytes.Repeat([]byte{'m'}, size)
				forms := map[kmsapi.MessageType][]byte{}
				if s.raw() {
					forms["RAW"] = message
				}
				if s.short != "" {
					forms[s.short] = s.shorten(t, message, spki)
				}
				for kind, m := range forms {
					signature := u.sign(id, s.alg, kind, m)
					if len(signature) > s.size || !s.der && len(signature) != s.size {
						t.Errorf("%s: signature of %d bytes, want %d", kind, len(signature), s.size)
					}
					for other, m := range forms {
						u.verifies(id, s.alg, other, m, signature)
					}
				}
			}
		})
	}
}

func TestSignAnswer(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.keyOf(kmsapi.KeySpecEccNistP256, kmsapi.KeyUsageTypeSignVerify)
	u.createAlias("alias/app", id)
	alg := kmsapi.SigningAlgorithmSpecEcdsaSha256
	for _, key := range []string{id, u.keyARN(id), "alias/app", u.arn("alias/app")} {
		out := do[kmsapi.SignResponse](u, &kmsapi.SignRequest{KeyId: &key, SigningAlgorithm: &alg, Message: []byte(secret)}) // RAW
		if *out.KeyId != u.keyARN(id) || *out.SigningAlgorithm != alg {
			t.Errorf("key %s, algorithm %s", *out.KeyId, *out.SigningAlgorithm)
		}
		u.verifies(id, alg, "RAW", []byte(secret), out.Signature)
		yes := new(true)
		u.refused(&kmsapi.SignRequest{KeyId: &key, SigningAlgorithm: &alg, Message: []byte(secret), DryRun: yes}, "DryRunOperationException", dryRun)
		in := verifyRequest(key, alg, "RAW", []byte(secret), out.Signature)
		in.DryRun = yes
		u.refused(in, "DryRunOperationException", dryRun)
		in.Message = []byte("another")
		u.forged(in)
	}
}

// A digest is signed as it is: hashed once more it would be another message's signature.
func TestDigestIsNotHashedAgain(t *testing.T) {
	u := newWorld(t).as(alice)
	keys := u.ring(kmsapi.KeyUsageTypeSignVerify)
	tried := 0
	for _, s := range quickSigners(t) {
		if s.short != "DIGEST" || !s.raw() {
			continue
		}
		id := keys.of(s.spec)
		digest := s.shorten(t, []byte(secret), u.publicKey(id))
		u.forged(verifyRequest(id, s.alg, "RAW", digest, u.sign(id, s.alg, "DIGEST", digest)))
		u.forged(verifyRequest(id, s.alg, "DIGEST", digest, u.sign(id, s.alg, "RAW", digest)))
		tried++
	}
	if tried != 11 {
		t.Errorf("%d algorithms", tried)
	}
}

// RSASSA-PKCS1-v1_5 and pure Ed25519 are deterministic; the others use fresh randomness for each signature.
func TestWhichSignaturesRepeat(t *testing.T) {
	u := newWorld(t).as(alice)
	keys := u.ring(kmsapi.KeyUsageTypeSignVerify)
	for _, s := range quickSigners(t) {
		if !s.raw() {
			continue
		}
		id := keys.of(s.spec)
		same := bytes.Equal(u.sign(id, s.alg, "RAW", []byte(secret)), u.sign(id, s.alg, "RAW", []byte(secret)))
		fixed := strings.HasPrefix(string(s.alg), "RSASSA_PKCS1") || s.alg == kmsapi.SigningAlgorithmSpecEd25519Sha512 ||
			s.spec == kmsapi.KeySpecEccSecgP256k1 // RFC 6979
		if same != fixed {
			t.Errorf("%s: equal signatures: %v, want %v", s, same, fixed)
		}
	}
}

// TestChangedSignatures changes message, signature and key: one answer, without a word more.
func TestChangedSignatures(t *testing.T) {
	u := newWorld(t).as(alice)
	keys, others := u.ring(kmsapi.KeyUsageTypeSignVerify), u.ring(kmsapi.KeyUsageTypeSignVerify)
	tried := 0
	for _, s := range quickSigners(t) {
		id := keys.of(s.spec)
		kind, message := kmsapi.MessageType("RAW"), []byte(secret)
		if !s.raw() {
			kind, message = s.short, s.shorten(t, message, nil)
		}
		signature := u.sign(id, s.alg, kind, message)
		for i := range message {
			changed := slices.Clone(message)
			changed[i] ^= 1 << (i % 8)
			u.forged(verifyRequest(id, s.alg, kind, changed, signature))
			tried++
		}
		for i := 0; i < len(signature); i += 1 + len(signature)/256 {
			changed := slices.Clone(signature)
			changed[i] ^= 1 << (i % 8)
			u.forged(verifyRequest(id, s.alg, kind, message, changed))
			tried++
		}
		for _, signature := range [][]byte{
			append(slices.Clone(signature), 0), append([]byte{0}, signature...), signature[:len(signature)-1], signature[1:], signature[:1],
			{0}, make([]byte, len(signature)), bytes.Repeat([]byte{0xff}, len(signature)), bytes.Repeat(signature, 2)[:min(6144, 2*len(signature))], make([]byte, 6144),
		} {
			u.forged(verifyRequest(id, s.alg, kind, message, signature))
			tried++
		}
		u.forged(verifyRequest(others.of(s.spec), s.alg, kind, message, signature))
	}
	if tried < 2500 {
		t.Errorf("only %d changes", tried)
	}
}

// numbers are an ECDSA or SM2 signature's.
type numbers struct{ R, S *big.Int }

// ECDSA signatures have one encoding. Numbers out of range are no signature; the second s of each signature is, for
// nothing in AWS's documentation promises that s is the low one.
func TestNumbersOfECDSASignatures(t *testing.T) {
	orders := map[kmsapi.KeySpec]*big.Int{
		kmsapi.KeySpecEccNistP256:   elliptic.P256().Params().N,
		kmsapi.KeySpecEccNistP384:   elliptic.P384().Params().N,
		kmsapi.KeySpecEccNistP521:   elliptic.P521().Params().N,
		kmsapi.KeySpecEccSecgP256k1: secp256k1.Params().N,
		kmsapi.KeySpecSm2:           sm2.P256().Params().N,
	}
	u := newWorld(t).as(alice)
	for _, s := range quickSigners(t) {
		if !s.der {
			continue
		}
		t.Run(s.String(), func(t *testing.T) {
			n := orders[s.spec]
			id := u.keyOf(s.spec, kmsapi.KeyUsageTypeSignVerify)
			signature := u.sign(id, s.alg, "RAW", []byte(secret))
			var good numbers
			if rest, err := asn1.Unmarshal(signature, &good); err != nil || len(rest) > 0 {
				t.Fatal(err, rest)
			}
			encode := func(r, s *big.Int) []byte {
				der, err := asn1.Marshal(numbers{r, s})
				if err != nil {
					t.Fatal(err)
				}
				return der
			}
			if got := encode(good.R, good.S); !bytes.Equal(got, signature) {
				t.Errorf("%x is not in DER", signature)
			}
			zero, one := new(big.Int), big.NewInt(1)
			plus := func(x *big.Int) *big.Int { return new(big.Int).Add(x, n) }
			for name, bad := range map[string][]byte{
				"r 0": encode(zero, good.S), "s 0": encode(good.R, zero), "both 0": encode(zero, zero), "both 1": encode(one, one),
				"r n": encode(n, good.S), "s n": encode(good.R, n), "r + n": encode(plus(good.R), good.S), "s + n": encode(good.R, plus(good.S)),
				"r - n": encode(new(big.Int).Sub(good.R, n), good.S), "-r": encode(new(big.Int).Neg(good.R), good.S), "-s": encode(good.R, new(big.Int).Neg(good.S)),
				"swapped": encode(good.S, good.R), "padded": padded(t, good), "long form": longForm(signature), "raw": slices.Concat(good.R.Bytes(), good.S.Bytes()),
				"inside": append(slices.Concat([]byte{0x30, signature[1] + 2}, signature[2:]), 5, 0),
			} {
				if signature[1] >= 0x80 && (name == "inside" || name == "long form") {
					continue // P-521: the length has a second byte already
				}
				a := u.send(verifyRequest(id, s.alg, "RAW", []byte(secret), bad))
				if a.code != "KMSInvalidSignatureException" || a.message != "" {
					t.Errorf("%s: got %d %q %q", name, a.status, a.code, a.message)
				}
			}
			other := encode(good.R, new(big.Int).Sub(n, good.S))
			if s.spec == kmsapi.KeySpecSm2 { // where s is no symmetric number
				u.forged(verifyRequest(id, s.alg, "RAW", []byte(secret), other))
			} else {
				u.verifies(id, s.alg, "RAW", []byte(secret), other)
			}
		})
	}
}

// padded encodes r with a zero more than it needs.
func padded(t *testing.T, n numbers) []byte {
	t.Helper()
	r, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagInteger, Bytes: append([]byte{0, 0}, n.R.Bytes()...)})
	if err != nil {
		t.Fatal(err)
	}
	s, err := asn1.Marshal(n.S)
	if err != nil {
		t.Fatal(err)
	}
	der, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: append(r, s...)})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// longForm writes the length of a short SEQUENCE in two bytes, as BER may.
func longForm(der []byte) []byte { return slices.Concat([]byte{0x30, 0x81}, der[1:]) }

// A message has to fit the algorithm.
func TestMessagesThatDoNotFit(t *testing.T) {
	u := newWorld(t).as(alice)
	keys := u.ring(kmsapi.KeyUsageTypeSignVerify)
	refusals := 0
	for _, s := range quickSigners(t) {
		id := keys.of(s.spec)
		refuse := func(kind kmsapi.MessageType, size int, message string) {
			t.Helper()
			refusals++
			m := make([]byte, size)
			u.refused(&kmsapi.SignRequest{KeyId: &id, SigningAlgorithm: &s.alg, MessageType: &kind, Message: m}, "ValidationException", message)
			u.refused(verifyRequest(id, s.alg, kind, m, []byte("signature")), "ValidationException", message)
		}
		for _, kind := range []kmsapi.MessageType{"RAW", "DIGEST", "EXTERNAL_MU"} {
			switch {
			case kind != s.short && (kind != "RAW" || !s.raw()):
				refuse(kind, 64, "MessageType "+string(kind)+" is not valid for algorithm "+string(s.alg)+".")
			case kind == "DIGEST":
				right := len(s.shorten(t, nil, u.publicKey(id)))
				for _, size := range []int{1, 20, 28, 31, 32, 33, 48, 63, 64, 65, 4096} {
					if size != right {
						refuse(kind, size, "Digest is invalid length for algorithm "+string(s.alg)+".")
					}
				}
			case kind == "EXTERNAL_MU":
				for _, size := range []int{1, 32, 63, 65, 4096} {
					refuse(kind, size, "The message must be 64 bytes long for MessageType EXTERNAL_MU.")
				}
			}
			refuse(kind, 0, "1 validation error detected: Value at 'message' failed to satisfy constraint: Member must have length greater than or equal to 1")
			refuse(kind, 4097, "1 validation error detected: Value at 'message' failed to satisfy constraint: Member must have length less than or equal to 4096")
		}
	}
	if refusals < 240 {
		t.Errorf("only %d refusals", refusals)
	}
}

// A key has the algorithms of its spec, and no others.
func TestSigningAlgorithmsOfOtherSpecs(t *testing.T) {
	u := newWorld(t).as(alice)
	keys := u.ring(kmsapi.KeyUsageTypeSignVerify)
	all := quickSigners(t)
	for _, s := range all {
		for _, other := range all {
			if slices.ContainsFunc(all, func(have signer) bool { return have.spec == s.spec && have.alg == other.alg }) {
				continue
			}
			id, kind := keys.of(s.spec), kmsapi.MessageType("RAW")
			message := "Algorithm " + string(other.alg) + " is incompatible with key spec " + string(s.spec) + "."
			u.refused(&kmsapi.SignRequest{KeyId: &id, SigningAlgorithm: &other.alg, MessageType: &kind, Message: []byte(secret)}, "InvalidKeyUsageException", message)
			u.refused(verifyRequest(id, other.alg, kind, []byte(secret), []byte(secret)), "InvalidKeyUsageException", message)
		}
	}
}

// A signature is its algorithm's: under another of the same key it is none.
func TestSignatureOfAnotherAlgorithm(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.keyOf(kmsapi.KeySpecRsa2048, kmsapi.KeyUsageTypeSignVerify)
	tried := 0
	for _, made := range quickSigners(t) {
		for _, given := range quickSigners(t) {
			if made.spec == kmsapi.KeySpecRsa2048 && given.spec == kmsapi.KeySpecRsa2048 && made.alg != given.alg {
				tried++
				u.forged(verifyRequest(id, given.alg, "RAW", []byte(secret), u.sign(id, made.alg, "RAW", []byte(secret))))
			}
		}
	}
	if tried != 30 {
		t.Errorf("%d pairs", tried)
	}
	// One key signs the same digest as itself and as Ed25519ph, which are told apart by a prefix (RFC 8032, 5.1).
	id = u.keyOf(kmsapi.KeySpecEccNistEdwards25519, kmsapi.KeyUsageTypeSignVerify)
	digest := sha512.Sum512([]byte(secret))
	const pure, prehashed = kmsapi.SigningAlgorithmSpecEd25519Sha512, kmsapi.SigningAlgorithmSpecEd25519PhSha512
	u.forged(verifyRequest(id, prehashed, "DIGEST", digest[:], u.sign(id, pure, "RAW", digest[:])))
	u.forged(verifyRequest(id, pure, "RAW", digest[:], u.sign(id, prehashed, "DIGEST", digest[:])))
}

// Sign and Verify want a key of their usage.
func TestSigningWithKeysOfOtherUsages(t *testing.T) {
	u := newWorld(t).as(alice)
	for _, id := range []string{
		u.createKey(), u.keyOf(kmsapi.KeySpecRsa2048, kmsapi.KeyUsageTypeEncryptDecrypt), u.keyOf(kmsapi.KeySpecHmac256, kmsapi.KeyUsageTypeGenerateVerifyMac),
		u.keyOf(kmsapi.KeySpecEccNistP256, kmsapi.KeyUsageTypeKeyAgreement), u.keyOf(kmsapi.KeySpecMlKem768, kmsapi.KeyUsageTypeEncapsulateDecapsulate),
	} {
		message := u.keyARN(id) + " key usage is " + string(*u.describe(id).KeyUsage) + " which is not valid for "
		for _, alg := range []kmsapi.SigningAlgorithmSpec{"ECDSA_SHA_256", "RSASSA_PSS_SHA_256"} {
			u.refused(&kmsapi.SignRequest{KeyId: &id, SigningAlgorithm: &alg, Message: []byte(secret)}, "InvalidKeyUsageException", message+"Sign.")
			u.refused(verifyRequest(id, alg, "RAW", []byte(secret), []byte(secret)), "InvalidKeyUsageException", message+"Verify.")
		}
	}
}

// A key that cannot be used signs nothing.
func TestSigningWithKeysThatCannotBeUsed(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.keyOf(kmsapi.KeySpecEccNistP256, kmsapi.KeyUsageTypeSignVerify)
	const alg = kmsapi.SigningAlgorithmSpecEcdsaSha256
	signature := u.sign(id, alg, "RAW", []byte(secret))
	refused := func(code, message string) {
		t.Helper()
		u.refused(&kmsapi.SignRequest{KeyId: &id, SigningAlgorithm: new(alg), Message: []byte(secret)}, code, message)
		u.refused(verifyRequest(id, alg, "RAW", []byte(secret), signature), code, message)
	}
	u.disable(id)
	refused("DisabledException", u.keyARN(id)+" is disabled.")
	u.must(&kmsapi.EnableKeyRequest{KeyId: &id})
	u.verifies(id, alg, "RAW", []byte(secret), signature)
	u.schedule(id)
	refused("KMSInvalidStateException", u.keyARN(id)+" is pending deletion.")
}
