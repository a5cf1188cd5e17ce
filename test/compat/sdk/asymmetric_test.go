package sdk

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/mlkem"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	_ "crypto/sha512" // for crypto.Hash
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/google/go-cmp/cmp"

	"github.com/trent-kms/trent/test/internal/harness"
)

var (
	rsaSigning = []types.SigningAlgorithmSpec{
		types.SigningAlgorithmSpecRsassaPkcs1V15Sha256, types.SigningAlgorithmSpecRsassaPkcs1V15Sha384,
		types.SigningAlgorithmSpecRsassaPkcs1V15Sha512, types.SigningAlgorithmSpecRsassaPssSha256,
		types.SigningAlgorithmSpecRsassaPssSha384, types.SigningAlgorithmSpecRsassaPssSha512,
	}
	mlDSA = []types.SigningAlgorithmSpec{types.SigningAlgorithmSpecMlDsaShake256}
)

// signers are the specs that sign, with all their algorithms (KMS Developer Guide, "Key spec reference").
var signers = []struct {
	spec       types.KeySpec
	algorithms []types.SigningAlgorithmSpec
}{
	{types.KeySpecRsa2048, rsaSigning},
	{types.KeySpecRsa4096, rsaSigning},
	{types.KeySpecEccNistP256, []types.SigningAlgorithmSpec{types.SigningAlgorithmSpecEcdsaSha256}},
	{types.KeySpecEccNistP384, []types.SigningAlgorithmSpec{types.SigningAlgorithmSpecEcdsaSha384}},
	{types.KeySpecEccNistP521, []types.SigningAlgorithmSpec{types.SigningAlgorithmSpecEcdsaSha512}},
	{types.KeySpecEccSecgP256k1, []types.SigningAlgorithmSpec{types.SigningAlgorithmSpecEcdsaSha256}},
	{types.KeySpecEccNistEdwards25519, []types.SigningAlgorithmSpec{types.SigningAlgorithmSpecEd25519PhSha512, types.SigningAlgorithmSpecEd25519Sha512}},
	{types.KeySpecMlDsa44, mlDSA}, {types.KeySpecMlDsa65, mlDSA}, {types.KeySpecMlDsa87, mlDSA},
	{types.KeySpecSm2, []types.SigningAlgorithmSpec{types.SigningAlgorithmSpecSm2dsa}},
}

// signed is a signature that has to be valid after the server was killed.
type signed struct {
	verify kms.VerifyInput
	public []byte
}

func (s *story) signing(t *testing.T) {
	var all []signed
	for _, signer := range signers {
		all = append(all, s.sign(t, signer.spec, signer.algorithms)...)
	}
	s.crash(t)
	checked := 0
	for i := range all {
		in := &all[i].verify
		v := must(s.kms.Verify(t.Context(), in))(t)
		if !v.SignatureValid || *v.KeyId != *in.KeyId || v.SigningAlgorithm != in.SigningAlgorithm {
			t.Errorf("%+v", v)
		}
		if known, valid := verifies(all[i].public, in); known {
			checked++
			if !valid {
				t.Errorf("Go does not verify a signature of %s over a %s message", in.SigningAlgorithm, in.MessageType)
			}
		}
		wrong := *in
		wrong.Signature = bytes.Clone(in.Signature)
		wrong.Signature[len(wrong.Signature)-1] ^= 1
		_, err := s.kms.Verify(t.Context(), &wrong)
		refused(t, err, "KMSInvalidSignatureException", "")
	}
	// Two RSA keys with six algorithms, three curves, each raw and as a digest, and Edwards 25519 both ways.
	if len(all) < 40 || checked != 2*6*2+3*2+2 {
		t.Errorf("%d signatures, %d of them verified by Go", len(all), checked)
	}
}

// sign makes a key and a signature with each of its algorithms over each type of message.
func (s *story) sign(t *testing.T, spec types.KeySpec, algorithms []types.SigningAlgorithmSpec) []signed {
	t.Helper()
	key := s.make(t, kms.CreateKeyInput{KeySpec: spec, KeyUsage: types.KeyUsageTypeSignVerify})
	public := must(s.kms.GetPublicKey(t.Context(), &kms.GetPublicKeyInput{KeyId: &key}))(t)
	if *public.KeyId != arn(key) || public.KeySpec != spec || public.KeyUsage != types.KeyUsageTypeSignVerify ||
		public.EncryptionAlgorithms != nil || public.KeyAgreementAlgorithms != nil {
		t.Errorf("%+v", public)
	}
	for _, list := range [][]types.SigningAlgorithmSpec{public.SigningAlgorithms, s.describe(t, key).SigningAlgorithms} {
		slices.Sort(list)
		if diff := cmp.Diff(algorithms, list); diff != "" {
			t.Errorf("%s: %s", spec, diff)
		}
	}
	var all []signed
	for _, algorithm := range algorithms {
		for kind, message := range messages(spec, algorithm, public.PublicKey) {
			out := must(s.kms.Sign(t.Context(), &kms.SignInput{KeyId: &key, SigningAlgorithm: algorithm, MessageType: kind, Message: message}))(t)
			if *out.KeyId != arn(key) || out.SigningAlgorithm != algorithm {
				t.Errorf("%s %s", *out.KeyId, out.SigningAlgorithm)
			}
			all = append(all, signed{kms.VerifyInput{
				KeyId: out.KeyId, SigningAlgorithm: algorithm, MessageType: kind, Message: message, Signature: out.Signature,
			}, public.PublicKey})
		}
		// What was signed in one form verifies in the other: it is the same message.
		if forms := messages(spec, algorithm, public.PublicKey); len(forms) == 2 {
			a, b := all[len(all)-1].verify, all[len(all)-2].verify
			a.Signature = b.Signature
			must(s.kms.Verify(t.Context(), &a))(t)
		}
	}
	return all
}

// messages are one message in every form that an algorithm signs.
func messages(spec types.KeySpec, algorithm types.SigningAlgorithmSpec, public []byte) map[types.MessageType][]byte {
	m := []byte("the message that is signed")
	switch {
	case algorithm == types.SigningAlgorithmSpecEd25519Sha512, algorithm == types.SigningAlgorithmSpecSm2dsa: // Go has no SM3
		return map[types.MessageType][]byte{types.MessageTypeRaw: m}
	case algorithm == types.SigningAlgorithmSpecEd25519PhSha512:
		return map[types.MessageType][]byte{types.MessageTypeDigest: digest(algorithm, m)}
	case algorithm == types.SigningAlgorithmSpecMlDsaShake256:
		return map[types.MessageType][]byte{types.MessageTypeRaw: m, types.MessageTypeExternalMu: externalMu(public, m)}
	}
	return map[types.MessageType][]byte{types.MessageTypeRaw: m, types.MessageTypeDigest: digest(algorithm, m)}
}

func hashOf(algorithm types.SigningAlgorithmSpec) crypto.Hash {
	switch {
	case strings.HasSuffix(string(algorithm), "256"):
		return crypto.SHA256
	case strings.HasSuffix(string(algorithm), "384"):
		return crypto.SHA384
	}
	return crypto.SHA512
}

func digest(algorithm types.SigningAlgorithmSpec, message []byte) []byte {
	h := hashOf(algorithm).New()
	h.Write(message)
	return h.Sum(nil)
}

// subjectPublicKey is the bit string of a DER SubjectPublicKeyInfo.
func subjectPublicKey(der []byte) []byte {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if rest, err := asn1.Unmarshal(der, &info); err != nil || len(rest) > 0 {
		return nil
	}
	return info.Key.Bytes
}

// externalMu is μ of a message with an empty context (FIPS 204, Algorithm 7, lines 6 and 7).
func externalMu(public, message []byte) []byte {
	tr := sha3.SumSHAKE256(subjectPublicKey(public), 64)
	return sha3.SumSHAKE256(slices.Concat(tr, []byte{0, 0}, message), 64)
}

// verifies checks a signature with Go alone. known is false for what Go's library does not have: secp256k1, ML-DSA, SM2.
func verifies(public []byte, in *kms.VerifyInput) (known, valid bool) {
	key, err := x509.ParsePKIXPublicKey(public)
	if err != nil {
		return false, false
	}
	hash, sum := hashOf(in.SigningAlgorithm), in.Message
	if in.MessageType == types.MessageTypeRaw {
		sum = digest(in.SigningAlgorithm, in.Message)
	}
	switch key := key.(type) {
	case *rsa.PublicKey:
		if strings.HasPrefix(string(in.SigningAlgorithm), "RSASSA_PSS") {
			// The salt is as long as the hash, and no other length will do.
			return true, rsa.VerifyPSS(key, hash, sum, in.Signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
		return true, rsa.VerifyPKCS1v15(key, hash, sum, in.Signature) == nil
	case *ecdsa.PublicKey:
		return true, ecdsa.VerifyASN1(key, sum, in.Signature)
	case ed25519.PublicKey:
		if in.MessageType == types.MessageTypeRaw {
			return true, ed25519.Verify(key, in.Message, in.Signature)
		}
		return true, ed25519.VerifyWithOptions(key, sum, in.Signature, &ed25519.Options{Hash: crypto.SHA512}) == nil
	}
	return false, false
}

// rsaEncryption encrypts here and there, and decrypts there: the private key is nowhere else.
func (s *story) rsaEncryption(t *testing.T) {
	key := s.make(t, kms.CreateKeyInput{KeySpec: types.KeySpecRsa3072, KeyUsage: types.KeyUsageTypeEncryptDecrypt})
	got := must(s.kms.GetPublicKey(t.Context(), &kms.GetPublicKeyInput{KeyId: &key}))(t)
	both := []types.EncryptionAlgorithmSpec{types.EncryptionAlgorithmSpecRsaesOaepSha1, types.EncryptionAlgorithmSpecRsaesOaepSha256}
	if diff := cmp.Diff(both, got.EncryptionAlgorithms); diff != "" || got.SigningAlgorithms != nil {
		t.Error(diff, got.SigningAlgorithms)
	}
	public := must(x509.ParsePKIXPublicKey(got.PublicKey))(t).(*rsa.PublicKey)
	largest := bytes.Repeat([]byte{7}, 318)
	outside := map[types.EncryptionAlgorithmSpec][]byte{
		types.EncryptionAlgorithmSpecRsaesOaepSha1:   must(rsa.EncryptOAEP(sha1.New(), rand.Reader, public, largest, nil))(t),
		types.EncryptionAlgorithmSpecRsaesOaepSha256: must(rsa.EncryptOAEP(sha256.New(), rand.Reader, public, largest, nil))(t),
	}
	s.crash(t)
	for algorithm, ciphertext := range outside {
		inside := must(s.kms.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &key, Plaintext: largest, EncryptionAlgorithm: algorithm}))(t)
		if inside.EncryptionAlgorithm != algorithm || len(inside.CiphertextBlob) != public.Size() {
			t.Errorf("%s, %d bytes", inside.EncryptionAlgorithm, len(inside.CiphertextBlob))
		}
		for _, c := range [][]byte{ciphertext, inside.CiphertextBlob} {
			d := must(s.kms.Decrypt(t.Context(), &kms.DecryptInput{KeyId: &key, CiphertextBlob: c, EncryptionAlgorithm: algorithm}))(t)
			if !bytes.Equal(d.Plaintext, largest) || *d.KeyId != arn(key) || d.EncryptionAlgorithm != algorithm || d.KeyMaterialId != nil {
				t.Errorf("%+v", d)
			}
		}
		// From the key pair to the symmetric key and back.
		to := must(s.kms.ReEncrypt(t.Context(), &kms.ReEncryptInput{
			SourceKeyId: &key, SourceEncryptionAlgorithm: algorithm, CiphertextBlob: ciphertext,
			DestinationKeyId: &s.key, DestinationEncryptionContext: map[string]string{"a": "b"},
		}))(t)
		back := must(s.kms.ReEncrypt(t.Context(), &kms.ReEncryptInput{
			CiphertextBlob: to.CiphertextBlob, SourceEncryptionContext: map[string]string{"a": "b"},
			DestinationKeyId: &key, DestinationEncryptionAlgorithm: algorithm,
		}))(t)
		if to.SourceKeyMaterialId != nil || to.DestinationKeyMaterialId == nil || back.DestinationEncryptionAlgorithm != algorithm {
			t.Errorf("there %+v, back %+v", to, back)
		}
		d := must(s.kms.Decrypt(t.Context(), &kms.DecryptInput{KeyId: &key, CiphertextBlob: back.CiphertextBlob, EncryptionAlgorithm: algorithm}))(t)
		if !bytes.Equal(d.Plaintext, largest) {
			t.Errorf("%d bytes came back", len(d.Plaintext))
		}
	}
}

func (s *story) macs(t *testing.T) {
	message := []byte("the message that is authenticated")
	made := map[types.MacAlgorithmSpec]*kms.GenerateMacOutput{}
	for spec, want := range map[types.KeySpec]struct {
		algorithm types.MacAlgorithmSpec
		size      int
	}{
		types.KeySpecHmac224: {types.MacAlgorithmSpecHmacSha224, 28}, types.KeySpecHmac256: {types.MacAlgorithmSpecHmacSha256, 32},
		types.KeySpecHmac384: {types.MacAlgorithmSpecHmacSha384, 48}, types.KeySpecHmac512: {types.MacAlgorithmSpecHmacSha512, 64},
	} {
		key := s.make(t, kms.CreateKeyInput{KeySpec: spec, KeyUsage: types.KeyUsageTypeGenerateVerifyMac})
		if got := s.describe(t, key).MacAlgorithms; len(got) != 1 || got[0] != want.algorithm {
			t.Errorf("%s has %v", spec, got)
		}
		m := must(s.kms.GenerateMac(t.Context(), &kms.GenerateMacInput{KeyId: &key, MacAlgorithm: want.algorithm, Message: message}))(t)
		if len(m.Mac) != want.size || *m.KeyId != arn(key) || m.MacAlgorithm != want.algorithm {
			t.Errorf("%+v", m)
		}
		made[want.algorithm] = m
	}
	s.crash(t)
	for algorithm, m := range made {
		v := must(s.kms.VerifyMac(t.Context(), &kms.VerifyMacInput{KeyId: m.KeyId, MacAlgorithm: algorithm, Message: message, Mac: m.Mac}))(t)
		if !v.MacValid || *v.KeyId != *m.KeyId || v.MacAlgorithm != algorithm {
			t.Errorf("%+v", v)
		}
		_, err := s.kms.VerifyMac(t.Context(), &kms.VerifyMacInput{KeyId: m.KeyId, MacAlgorithm: algorithm, Message: message[1:], Mac: m.Mac})
		refused(t, err, "KMSInvalidMacException", "")
		_, err = s.kms.VerifyMac(t.Context(), &kms.VerifyMacInput{KeyId: m.KeyId, MacAlgorithm: algorithm, Message: message, Mac: m.Mac[:len(m.Mac)-1]})
		refused(t, err, "KMSInvalidMacException", "")
	}
}

// agreement agrees with a key that Go holds, and on what Go derives.
func (s *story) agreement(t *testing.T) {
	for spec, curve := range map[types.KeySpec]ecdh.Curve{
		types.KeySpecEccNistP256: ecdh.P256(), types.KeySpecEccNistP384: ecdh.P384(), types.KeySpecEccNistP521: ecdh.P521(),
	} {
		key := s.make(t, kms.CreateKeyInput{KeySpec: spec, KeyUsage: types.KeyUsageTypeKeyAgreement})
		own := must(curve.GenerateKey(rand.Reader))(t)
		got := must(s.kms.GetPublicKey(t.Context(), &kms.GetPublicKeyInput{KeyId: &key}))(t)
		if len(got.KeyAgreementAlgorithms) != 1 || got.KeyAgreementAlgorithms[0] != types.KeyAgreementAlgorithmSpecEcdh || got.SigningAlgorithms != nil {
			t.Errorf("%+v", got)
		}
		peer := must(must(x509.ParsePKIXPublicKey(got.PublicKey))(t).(*ecdsa.PublicKey).ECDH())(t)
		want := must(own.ECDH(peer))(t)
		s.crash(t)
		out := must(s.kms.DeriveSharedSecret(t.Context(), &kms.DeriveSharedSecretInput{
			KeyId: &key, KeyAgreementAlgorithm: types.KeyAgreementAlgorithmSpecEcdh, PublicKey: must(x509.MarshalPKIXPublicKey(own.PublicKey()))(t),
		}))(t)
		if !bytes.Equal(out.SharedSecret, want) || *out.KeyId != arn(key) || out.KeyOrigin != types.OriginTypeAwsKms ||
			out.KeyAgreementAlgorithm != types.KeyAgreementAlgorithmSpecEcdh {
			t.Errorf("%s: %+v", spec, out)
		}
	}
}

// encapsulator makes a shared secret for the holder of an ML-KEM key, with Go alone; nil for the set that Go has not.
func encapsulator(t *testing.T, spec types.KeySpec, public []byte) func() (secret, ciphertext []byte) {
	switch spec {
	case types.KeySpecMlKem768:
		return must(mlkem.NewEncapsulationKey768(subjectPublicKey(public)))(t).Encapsulate
	case types.KeySpecMlKem1024:
		return must(mlkem.NewEncapsulationKey1024(subjectPublicKey(public)))(t).Encapsulate
	}
	return nil
}

func (s *story) encapsulation(t *testing.T) {
	mlKEM := types.EncapsulationAlgorithmSpecMlKem
	for spec, size := range map[types.KeySpec]int{types.KeySpecMlKem512: 768, types.KeySpecMlKem768: 1088, types.KeySpecMlKem1024: 1568} {
		key := s.make(t, kms.CreateKeyInput{KeySpec: spec, KeyUsage: types.KeyUsageTypeEncapsulateDecapsulate})
		open := func(ciphertext []byte) []byte {
			d := must(s.kms.Decapsulate(t.Context(), &kms.DecapsulateInput{KeyId: &key, EncapsulationAlgorithm: mlKEM, SharedSecretCiphertextBlob: ciphertext}))(t)
			if len(d.SharedSecret) != 32 || *d.KeyId != arn(key) || d.EncapsulationAlgorithm != mlKEM {
				t.Errorf("%+v", d)
			}
			return d.SharedSecret
		}
		public := must(s.kms.GetPublicKey(t.Context(), &kms.GetPublicKeyInput{KeyId: &key}))(t)
		for _, list := range [][]types.EncapsulationAlgorithmSpec{public.EncapsulationAlgorithms, s.describe(t, key).EncapsulationAlgorithms} {
			if len(list) != 1 || list[0] != mlKEM {
				t.Errorf("%s has %v", spec, list)
			}
		}
		e := must(s.kms.Encapsulate(t.Context(), &kms.EncapsulateInput{KeyId: &key, EncapsulationAlgorithm: mlKEM}))(t)
		if len(e.SharedSecretCiphertextBlob) != size || len(e.SharedSecret) != 32 || *e.KeyId != arn(key) || e.EncapsulationAlgorithm != mlKEM {
			t.Errorf("%+v", e)
		}
		s.crash(t)
		if !bytes.Equal(open(e.SharedSecretCiphertextBlob), e.SharedSecret) {
			t.Errorf("%s: another secret", spec)
		}
		if encapsulate := encapsulator(t, spec, public.PublicKey); encapsulate != nil {
			secret, ciphertext := encapsulate()
			if !bytes.Equal(open(ciphertext), secret) {
				t.Errorf("%s: not what Go has encapsulated", spec)
			}
		}
		// A wrong blob of the right length opens to a wrong secret, always the same (FIPS 203, implicit rejection).
		wrong := bytes.Clone(e.SharedSecretCiphertextBlob)
		wrong[0] ^= 1
		if a, b := open(wrong), open(wrong); !bytes.Equal(a, b) || bytes.Equal(a, e.SharedSecret) {
			t.Errorf("%s: implicit rejection gives %x and %x", spec, a, b)
		}
	}
}

func (s *story) dataKeyPairs(t *testing.T) {
	context := map[string]string{"file": "2"}
	for _, spec := range []types.DataKeyPairSpec{
		types.DataKeyPairSpecRsa2048, types.DataKeyPairSpecEccNistP256, types.DataKeyPairSpecEccNistP384, types.DataKeyPairSpecEccNistP521,
		types.DataKeyPairSpecEccSecgP256k1, types.DataKeyPairSpecEccNistEdwards25519, types.DataKeyPairSpecSm2,
		types.DataKeyPairSpecMlKem512, types.DataKeyPairSpecMlKem768, types.DataKeyPairSpecMlKem1024,
	} {
		p := must(s.kms.GenerateDataKeyPair(t.Context(), &kms.GenerateDataKeyPairInput{KeyId: &s.key, KeyPairSpec: spec, EncryptionContext: context}))(t)
		if *p.KeyId != arn(s.key) || p.KeyPairSpec != spec || *p.KeyMaterialId != *s.describe(t, s.key).CurrentKeyMaterialId {
			t.Errorf("%s: %s %s %s", spec, *p.KeyId, p.KeyPairSpec, *p.KeyMaterialId)
		}
		d := must(s.kms.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: p.PrivateKeyCiphertextBlob, EncryptionContext: context}))(t)
		if !bytes.Equal(d.Plaintext, p.PrivateKeyPlaintext) {
			t.Errorf("%s: the encrypted private key is another one", spec)
		}
		checkPair(t, spec, p.PrivateKeyPlaintext, p.PublicKey)
	}
	w := must(s.kms.GenerateDataKeyPairWithoutPlaintext(t.Context(), &kms.GenerateDataKeyPairWithoutPlaintextInput{
		KeyId: &s.key, KeyPairSpec: types.DataKeyPairSpecRsa3072, EncryptionContext: context,
	}))(t)
	s.crash(t)
	d := must(s.kms.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: w.PrivateKeyCiphertextBlob, EncryptionContext: context}))(t)
	checkPair(t, w.KeyPairSpec, d.Plaintext, w.PublicKey)
}

// checkPair holds a private key, as PKCS#8, against its public key. What Go cannot read is held against its length.
func checkPair(t *testing.T, spec types.DataKeyPairSpec, private, public []byte) {
	t.Helper()
	bits := map[types.DataKeyPairSpec]int{types.DataKeyPairSpecRsa2048: 2048, types.DataKeyPairSpecRsa3072: 3072}
	curves := map[types.DataKeyPairSpec]elliptic.Curve{
		types.DataKeyPairSpecEccNistP256: elliptic.P256(), types.DataKeyPairSpecEccNistP384: elliptic.P384(), types.DataKeyPairSpecEccNistP521: elliptic.P521(),
	}
	switch spec {
	case types.DataKeyPairSpecEccSecgP256k1, types.DataKeyPairSpecSm2:
		if point := subjectPublicKey(public); len(point) != 65 || point[0] != 4 || !bytes.Contains(private, point) {
			t.Errorf("%s: %x", spec, public)
		}
		return
	case types.DataKeyPairSpecMlKem512:
		if len(subjectPublicKey(public)) != 800 {
			t.Errorf("%s: %d bytes", spec, len(subjectPublicKey(public)))
		}
		return
	case types.DataKeyPairSpecMlKem768, types.DataKeyPairSpecMlKem1024:
		// The private key ends with its seed (RFC 9935).
		seed := private[len(private)-mlkem.SeedSize:]
		got := must(mlkem.NewDecapsulationKey768(seed))(t).EncapsulationKey().Bytes()
		if spec == types.DataKeyPairSpecMlKem1024 {
			got = must(mlkem.NewDecapsulationKey1024(seed))(t).EncapsulationKey().Bytes()
		}
		if !bytes.Equal(got, subjectPublicKey(public)) {
			t.Errorf("%s: the private key is of another public key", spec)
		}
		return
	}
	key := must(x509.ParsePKCS8PrivateKey(private))(t)
	if got := must(x509.MarshalPKIXPublicKey(key.(interface{ Public() crypto.PublicKey }).Public()))(t); !bytes.Equal(got, public) {
		t.Errorf("%s: the private key is of another public key", spec)
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		if key.N.BitLen() != bits[spec] || key.E != 65537 || key.Validate() != nil {
			t.Errorf("%s: %d bits, e = %d", spec, key.N.BitLen(), key.E)
		}
	case *ecdsa.PrivateKey:
		if key.Curve != curves[spec] {
			t.Errorf("%s: %s", spec, key.Curve.Params().Name)
		}
	case ed25519.PrivateKey:
		if spec != types.DataKeyPairSpecEccNistEdwards25519 {
			t.Errorf("%s: %s", spec, reflect.TypeOf(key))
		}
	}
}

// TestWhatKeyPairsRefuse are the errors of signing, codes, agreement, encapsulation and pairs of data keys.
func TestWhatKeyPairsRefuse(t *testing.T) {
	s := harness.Start(t, "--dev")
	c := newClient(s)
	key := func(spec types.KeySpec, usage types.KeyUsageType) *string {
		return must(c.CreateKey(t.Context(), &kms.CreateKeyInput{KeySpec: spec, KeyUsage: usage}))(t).KeyMetadata.KeyId
	}
	symmetric, rsa2048 := key("", ""), key(types.KeySpecRsa2048, types.KeyUsageTypeEncryptDecrypt)
	p256, edwards := key(types.KeySpecEccNistP256, types.KeyUsageTypeSignVerify), key(types.KeySpecEccNistEdwards25519, types.KeyUsageTypeSignVerify)
	lattice, agree := key(types.KeySpecMlDsa44, types.KeyUsageTypeSignVerify), key(types.KeySpecEccNistP256, types.KeyUsageTypeKeyAgreement)
	kem, mac := key(types.KeySpecMlKem512, types.KeyUsageTypeEncapsulateDecapsulate), key(types.KeySpecHmac256, types.KeyUsageTypeGenerateVerifyMac)
	off := key(types.KeySpecEccNistP256, types.KeyUsageTypeSignVerify)
	must(c.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: off}))(t)
	var (
		ecdsa256, ecdsa384     = types.SigningAlgorithmSpecEcdsaSha256, types.SigningAlgorithmSpecEcdsaSha384
		overECDH, kemAlgorithm = types.KeyAgreementAlgorithmSpecEcdh, types.EncapsulationAlgorithmSpecMlKem
		hmac256                = types.MacAlgorithmSpecHmacSha256
		oaep                   = types.EncryptionAlgorithmSpecRsaesOaepSha256
		m                      = []byte("message")
		sum                    = sha256.Sum256(m)
		yes                    = aws.Bool(true)
	)
	signature := must(c.Sign(t.Context(), &kms.SignInput{KeyId: p256, SigningAlgorithm: ecdsa256, Message: m}))(t).Signature
	code := must(c.GenerateMac(t.Context(), &kms.GenerateMacInput{KeyId: mac, MacAlgorithm: hmac256, Message: m}))(t).Mac
	peer := must(x509.MarshalPKIXPublicKey(must(ecdh.P384().GenerateKey(rand.Reader))(t).PublicKey()))(t)
	mu := bytes.Repeat([]byte{1}, 64)
	sign := func(in kms.SignInput) func() error { return attempt(t, c.Sign, in) }
	verify := func(in kms.VerifyInput) func() error { return attempt(t, c.Verify, in) }
	usage := func(id *string, is types.KeyUsageType, operation string) string {
		return arn(*id) + " key usage is " + string(is) + " which is not valid for " + operation + "."
	}
	const encrypts, signs = types.KeyUsageTypeEncryptDecrypt, types.KeyUsageTypeSignVerify
	refuseAll(t, []refusal{
		{"Sign with a key that encrypts", "InvalidKeyUsageException", usage(symmetric, encrypts, "Sign"), sign(kms.SignInput{KeyId: symmetric, SigningAlgorithm: ecdsa256, Message: m})},
		{"Sign with a key pair that encrypts", "InvalidKeyUsageException", usage(rsa2048, encrypts, "Sign"), sign(kms.SignInput{KeyId: rsa2048, SigningAlgorithm: ecdsa256, Message: m})},
		{"Sign with an algorithm of other keys", "InvalidKeyUsageException", "Algorithm ECDSA_SHA_384 is incompatible with key spec ECC_NIST_P256.",
			sign(kms.SignInput{KeyId: p256, SigningAlgorithm: ecdsa384, Message: m})},
		{"Sign a digest of another length", "ValidationException", "Digest is invalid length for algorithm ECDSA_SHA_256.",
			sign(kms.SignInput{KeyId: p256, SigningAlgorithm: ecdsa256, Message: m, MessageType: types.MessageTypeDigest})},
		{"Sign μ with a key that has none", "ValidationException", ours, sign(kms.SignInput{KeyId: p256, SigningAlgorithm: ecdsa256, Message: mu, MessageType: types.MessageTypeExternalMu})},
		{"Sign μ of another length", "ValidationException", ours,
			sign(kms.SignInput{KeyId: lattice, SigningAlgorithm: types.SigningAlgorithmSpecMlDsaShake256, Message: mu[1:], MessageType: types.MessageTypeExternalMu})},
		{"Sign a digest with ML-DSA", "ValidationException", ours,
			sign(kms.SignInput{KeyId: lattice, SigningAlgorithm: types.SigningAlgorithmSpecMlDsaShake256, Message: mu, MessageType: types.MessageTypeDigest})},
		{"Sign a digest with Ed25519", "ValidationException", ours,
			sign(kms.SignInput{KeyId: edwards, SigningAlgorithm: types.SigningAlgorithmSpecEd25519Sha512, Message: mu, MessageType: types.MessageTypeDigest})},
		{"Sign a message with Ed25519ph", "ValidationException", ours,
			sign(kms.SignInput{KeyId: edwards, SigningAlgorithm: types.SigningAlgorithmSpecEd25519PhSha512, Message: mu})},
		{"Sign nothing", "ValidationException", "1 validation error detected: Value at 'message' failed to satisfy constraint: Member must have length greater than or equal to 1",
			sign(kms.SignInput{KeyId: p256, SigningAlgorithm: ecdsa256, Message: []byte{}})},
		{"Sign too much", "ValidationException", "1 validation error detected: Value at 'message' failed to satisfy constraint: Member must have length less than or equal to 4096",
			sign(kms.SignInput{KeyId: p256, SigningAlgorithm: ecdsa256, Message: make([]byte, 4097)})},
		{"Sign for show", "DryRunOperationException", dry, sign(kms.SignInput{KeyId: p256, SigningAlgorithm: ecdsa256, Message: m, DryRun: yes})},
		{"Sign with a key that is off", "DisabledException", arn(*off) + " is disabled.", sign(kms.SignInput{KeyId: off, SigningAlgorithm: ecdsa256, Message: m})},

		{"Verify for show", "DryRunOperationException", dry, verify(kms.VerifyInput{KeyId: p256, SigningAlgorithm: ecdsa256, Message: m, Signature: signature, DryRun: yes})},
		{"Verify noise", "KMSInvalidSignatureException", "", verify(kms.VerifyInput{KeyId: p256, SigningAlgorithm: ecdsa256, Message: m, Signature: m})},
		{"Verify what another key has signed", "KMSInvalidSignatureException", "", verify(kms.VerifyInput{
			KeyId: key(types.KeySpecEccNistP256, signs), SigningAlgorithm: ecdsa256, Message: m, Signature: signature})},
		{"Verify a digest as a message", "KMSInvalidSignatureException", "", verify(kms.VerifyInput{KeyId: p256, SigningAlgorithm: ecdsa256, Message: sum[:], Signature: signature})},
		{"Verify with a key that encrypts", "InvalidKeyUsageException", usage(symmetric, encrypts, "Verify"),
			verify(kms.VerifyInput{KeyId: symmetric, SigningAlgorithm: ecdsa256, Message: m, Signature: signature})},
		{"Verify with an algorithm of other keys", "InvalidKeyUsageException", "Algorithm RSASSA_PSS_SHA_256 is incompatible with key spec ECC_NIST_P256.",
			verify(kms.VerifyInput{KeyId: p256, SigningAlgorithm: types.SigningAlgorithmSpecRsassaPssSha256, Message: m, Signature: signature})},

		{"GetPublicKey of a symmetric key", "UnsupportedOperationException", ours, attempt(t, c.GetPublicKey, kms.GetPublicKeyInput{KeyId: symmetric})},
		{"GetPublicKey of an HMAC key", "UnsupportedOperationException", ours, attempt(t, c.GetPublicKey, kms.GetPublicKeyInput{KeyId: mac})},

		{"Encrypt with a key that signs", "InvalidKeyUsageException", usage(p256, signs, "Encrypt"), attempt(t, c.Encrypt, kms.EncryptInput{KeyId: p256, Plaintext: m})},
		{"Encrypt with a key pair as if it were symmetric", "InvalidKeyUsageException", "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.",
			attempt(t, c.Encrypt, kms.EncryptInput{KeyId: rsa2048, Plaintext: m})},
		{"Encrypt too much with RSA", "ValidationException", "Algorithm RSAES_OAEP_SHA_256 and key spec RSA_2048 cannot encrypt data larger than 190 bytes.",
			attempt(t, c.Encrypt, kms.EncryptInput{KeyId: rsa2048, Plaintext: make([]byte, 191), EncryptionAlgorithm: oaep})},
		{"Encrypt with RSA in a context", "ValidationException", ours,
			attempt(t, c.Encrypt, kms.EncryptInput{KeyId: rsa2048, Plaintext: m, EncryptionAlgorithm: oaep, EncryptionContext: map[string]string{"a": "b"}})},
		{"Decrypt noise with RSA", "InvalidCiphertextException", "", attempt(t, c.Decrypt, kms.DecryptInput{KeyId: rsa2048, CiphertextBlob: make([]byte, 256), EncryptionAlgorithm: oaep})},
		{"Decrypt with RSA without a key", "InvalidCiphertextException", "", attempt(t, c.Decrypt, kms.DecryptInput{CiphertextBlob: make([]byte, 256), EncryptionAlgorithm: oaep})},

		{"GenerateMac with a key that encrypts", "InvalidKeyUsageException", usage(symmetric, encrypts, "GenerateMac"),
			attempt(t, c.GenerateMac, kms.GenerateMacInput{KeyId: symmetric, MacAlgorithm: hmac256, Message: m})},
		{"GenerateMac with an algorithm of other keys", "InvalidKeyUsageException", "Algorithm HMAC_SHA_512 is incompatible with key spec HMAC_256.",
			attempt(t, c.GenerateMac, kms.GenerateMacInput{KeyId: mac, MacAlgorithm: types.MacAlgorithmSpecHmacSha512, Message: m})},
		{"GenerateMac for show", "DryRunOperationException", dry, attempt(t, c.GenerateMac, kms.GenerateMacInput{KeyId: mac, MacAlgorithm: hmac256, Message: m, DryRun: yes})},
		{"GenerateMac over too much", "ValidationException", "1 validation error detected: Value at 'message' failed to satisfy constraint: Member must have length less than or equal to 4096",
			attempt(t, c.GenerateMac, kms.GenerateMacInput{KeyId: mac, MacAlgorithm: hmac256, Message: make([]byte, 4097)})},
		{"VerifyMac of another message", "KMSInvalidMacException", "", attempt(t, c.VerifyMac, kms.VerifyMacInput{KeyId: mac, MacAlgorithm: hmac256, Message: m[1:], Mac: code})},
		{"VerifyMac for show", "DryRunOperationException", dry, attempt(t, c.VerifyMac, kms.VerifyMacInput{KeyId: mac, MacAlgorithm: hmac256, Message: m, Mac: code, DryRun: yes})},
		{"VerifyMac with an algorithm of other keys", "InvalidKeyUsageException", "Algorithm HMAC_SHA_224 is incompatible with key spec HMAC_256.",
			attempt(t, c.VerifyMac, kms.VerifyMacInput{KeyId: mac, MacAlgorithm: types.MacAlgorithmSpecHmacSha224, Message: m, Mac: code})},

		{"DeriveSharedSecret with a key of another curve", "ValidationException", "",
			attempt(t, c.DeriveSharedSecret, kms.DeriveSharedSecretInput{KeyId: agree, KeyAgreementAlgorithm: overECDH, PublicKey: peer})},
		{"DeriveSharedSecret with noise", "ValidationException", "", attempt(t, c.DeriveSharedSecret, kms.DeriveSharedSecretInput{KeyId: agree, KeyAgreementAlgorithm: overECDH, PublicKey: m})},
		{"DeriveSharedSecret with a key that signs", "InvalidKeyUsageException", usage(p256, signs, "DeriveSharedSecret"),
			attempt(t, c.DeriveSharedSecret, kms.DeriveSharedSecretInput{KeyId: p256, KeyAgreementAlgorithm: overECDH, PublicKey: peer})},
		{"DeriveSharedSecret for an enclave", "UnsupportedOperationException", ours, attempt(t, c.DeriveSharedSecret, kms.DeriveSharedSecretInput{
			KeyId: agree, KeyAgreementAlgorithm: overECDH, PublicKey: peer, Recipient: &types.RecipientInfo{AttestationDocument: m, KeyEncryptionAlgorithm: types.KeyEncryptionMechanismRsaesOaepSha256}})},
		{"DeriveSharedSecret for show", "DryRunOperationException", dry, attempt(t, c.DeriveSharedSecret, kms.DeriveSharedSecretInput{
			KeyId: agree, KeyAgreementAlgorithm: overECDH, PublicKey: must(c.GetPublicKey(t.Context(), &kms.GetPublicKeyInput{KeyId: p256}))(t).PublicKey, DryRun: yes})},

		{"Encapsulate with a key that signs", "InvalidKeyUsageException", usage(p256, signs, "Encapsulate"),
			attempt(t, c.Encapsulate, kms.EncapsulateInput{KeyId: p256, EncapsulationAlgorithm: kemAlgorithm})},
		{"Encapsulate for show", "DryRunOperationException", dry, attempt(t, c.Encapsulate, kms.EncapsulateInput{KeyId: kem, EncapsulationAlgorithm: kemAlgorithm, DryRun: yes})},
		{"Decapsulate a piece", "InvalidCiphertextException", "", attempt(t, c.Decapsulate, kms.DecapsulateInput{
			KeyId: kem, EncapsulationAlgorithm: kemAlgorithm, SharedSecretCiphertextBlob: make([]byte, 767)})},
		{"Decapsulate for show", "DryRunOperationException", dry, attempt(t, c.Decapsulate, kms.DecapsulateInput{
			KeyId: kem, EncapsulationAlgorithm: kemAlgorithm, SharedSecretCiphertextBlob: make([]byte, 768), DryRun: yes})},
		{"Decapsulate with a key that encrypts", "InvalidKeyUsageException", usage(symmetric, encrypts, "Decapsulate"), attempt(t, c.Decapsulate, kms.DecapsulateInput{
			KeyId: symmetric, EncapsulationAlgorithm: kemAlgorithm, SharedSecretCiphertextBlob: make([]byte, 768)})},

		{"GenerateDataKeyPair with a key pair", "InvalidKeyUsageException", ours,
			attempt(t, c.GenerateDataKeyPair, kms.GenerateDataKeyPairInput{KeyId: rsa2048, KeyPairSpec: types.DataKeyPairSpecEccNistP256})},
		{"GenerateDataKeyPair of no such spec", "ValidationException", ours, attempt(t, c.GenerateDataKeyPair, kms.GenerateDataKeyPairInput{KeyId: symmetric, KeyPairSpec: "ML_DSA_44"})},
		{"GenerateDataKeyPair for an enclave", "UnsupportedOperationException", ours, attempt(t, c.GenerateDataKeyPair, kms.GenerateDataKeyPairInput{
			KeyId: symmetric, KeyPairSpec: types.DataKeyPairSpecEccNistP256, Recipient: &types.RecipientInfo{AttestationDocument: m, KeyEncryptionAlgorithm: types.KeyEncryptionMechanismRsaesOaepSha256}})},
		{"GenerateDataKeyPair for show", "DryRunOperationException", dry,
			attempt(t, c.GenerateDataKeyPair, kms.GenerateDataKeyPairInput{KeyId: symmetric, KeyPairSpec: types.DataKeyPairSpecRsa4096, DryRun: yes})},
		{"GenerateDataKeyPairWithoutPlaintext for show", "DryRunOperationException", dry, attempt(t, c.GenerateDataKeyPairWithoutPlaintext,
			kms.GenerateDataKeyPairWithoutPlaintextInput{KeyId: symmetric, KeyPairSpec: types.DataKeyPairSpecRsa4096, DryRun: yes})},
		{"GenerateDataKeyPairWithoutPlaintext with a key that signs", "InvalidKeyUsageException", usage(p256, signs, "GenerateDataKeyPairWithoutPlaintext"), attempt(t,
			c.GenerateDataKeyPairWithoutPlaintext, kms.GenerateDataKeyPairWithoutPlaintextInput{KeyId: p256, KeyPairSpec: types.DataKeyPairSpecEccNistP256})},
	})
}
