package sdk

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/google/go-cmp/cmp"

	"github.com/trent-kms/trent/test/internal/harness"
)

const forever = types.ExpirationModelTypeKeyMaterialDoesNotExpire

// wrap wraps material for a key as its owner would, with Go's own RSA-OAEP, and returns the request that imports it.
func wrap(t *testing.T, c *kms.Client, key string, algorithm types.AlgorithmSpec, material []byte) kms.ImportKeyMaterialInput {
	t.Helper()
	p := must(c.GetParametersForImport(t.Context(), &kms.GetParametersForImportInput{
		KeyId: &key, WrappingAlgorithm: algorithm, WrappingKeySpec: types.WrappingKeySpecRsa2048,
	}))(t)
	if len(p.ImportToken) == 0 || p.ParametersValidTo == nil {
		t.Errorf("%+v", p)
	}
	hash := sha256.New()
	if algorithm == types.AlgorithmSpecRsaesOaepSha1 {
		hash = sha1.New()
	}
	public := must(x509.ParsePKIXPublicKey(p.PublicKey))(t).(*rsa.PublicKey)
	return kms.ImportKeyMaterialInput{
		KeyId: &key, ImportToken: p.ImportToken, ExpirationModel: forever,
		EncryptedKeyMaterial: must(rsa.EncryptOAEP(hash, rand.Reader, public, material, nil))(t),
	}
}

// imports brings material of its own, takes it away and brings it back.
func (s *story) imports(t *testing.T) {
	first, second := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	key := s.make(t, kms.CreateKeyInput{Origin: types.OriginTypeExternal})
	if k := s.describe(t, key); k.KeyState != types.KeyStatePendingImport || k.Enabled || k.Origin != types.OriginTypeExternal || k.CurrentKeyMaterialId != nil {
		t.Errorf("%+v", k)
	}
	in := wrap(t, s.kms, key, types.AlgorithmSpecRsaesOaepSha256, first)
	s.crash(t) // the private key that unwraps is in the token alone
	validTo := time.Now().Add(time.Hour).Truncate(time.Second)
	in.ExpirationModel, in.ValidTo, in.KeyMaterialDescription = types.ExpirationModelTypeKeyMaterialExpires, &validTo, aws.String("the first")
	imported := must(s.kms.ImportKeyMaterial(t.Context(), &in))(t)
	k := s.describe(t, key)
	if *imported.KeyId != arn(key) || *imported.KeyMaterialId != *k.CurrentKeyMaterialId || k.KeyState != types.KeyStateEnabled || !k.Enabled ||
		k.ExpirationModel != types.ExpirationModelTypeKeyMaterialExpires || !k.ValidTo.Equal(validTo) {
		t.Errorf("imported %+v, key %+v", imported, k)
	}
	old := must(s.kms.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &key, Plaintext: []byte("old")}))(t).CiphertextBlob

	// New material waits until it is rotated in. What the old material encrypted opens for as long as both are here.
	in = wrap(t, s.kms, key, types.AlgorithmSpecRsaesOaepSha1, second)
	in.ImportType = types.ImportTypeNewKeyMaterial
	next := must(s.kms.ImportKeyMaterial(t.Context(), &in))(t).KeyMaterialId
	s.crash(t)
	s.rotations(t, key, "CURRENT IMPORTED", "PENDING_ROTATION IMPORTED")
	must(s.kms.RotateKeyOnDemand(t.Context(), &kms.RotateKeyOnDemandInput{KeyId: &key}))(t)
	s.rotations(t, key, "NON_CURRENT IMPORTED", "CURRENT IMPORTED ON_DEMAND")
	s.opens(t, key, old, *imported.KeyMaterialId)

	// Without one of them the key waits; it takes back this one alone.
	gone := must(s.kms.DeleteImportedKeyMaterial(t.Context(), &kms.DeleteImportedKeyMaterialInput{KeyId: &key, KeyMaterialId: imported.KeyMaterialId}))(t)
	if *gone.KeyId != arn(key) || *gone.KeyMaterialId != *imported.KeyMaterialId {
		t.Errorf("%+v", gone)
	}
	s.crash(t)
	s.rotations(t, key, "NON_CURRENT PENDING_IMPORT", "CURRENT IMPORTED ON_DEMAND")
	_, err := s.kms.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: old})
	refused(t, err, "KMSInvalidStateException", arn(key)+" is pending import.")
	in = wrap(t, s.kms, key, types.AlgorithmSpecRsaesOaepSha256, bytes.Repeat([]byte{3}, 32))
	_, err = s.kms.ImportKeyMaterial(t.Context(), &in)
	refuseAll(t, []refusal{{"other material", "IncorrectKeyMaterialException", ours, func() error { return err }}})
	in = wrap(t, s.kms, key, types.AlgorithmSpecRsaesOaepSha256, first)
	if again := must(s.kms.ImportKeyMaterial(t.Context(), &in))(t); *again.KeyMaterialId != *imported.KeyMaterialId {
		t.Errorf("the same material has the ids %s and %s", *imported.KeyMaterialId, *again.KeyMaterialId)
	}
	s.opens(t, key, old, *imported.KeyMaterialId)
	if deleted := must(s.kms.DeleteImportedKeyMaterial(t.Context(), &kms.DeleteImportedKeyMaterialInput{KeyId: &key}))(t); *deleted.KeyMaterialId != *next {
		t.Errorf("deleted %s, not the current %s", *deleted.KeyMaterialId, *next)
	}

	s.importMAC(t)
	s.importPair(t)
}

// rotations fails unless the material of a key is as said: state, where it is, how it became current.
func (s *story) rotations(t *testing.T, key string, want ...string) {
	t.Helper()
	var got []string
	for p := kms.NewListKeyRotationsPaginator(s.kms, &kms.ListKeyRotationsInput{
		KeyId: &key, Limit: aws.Int32(1), IncludeKeyMaterial: types.IncludeKeyMaterialAllKeyMaterial,
	}); p.HasMorePages(); {
		for _, r := range must(p.NextPage(t.Context()))(t).Rotations {
			said := string(r.KeyMaterialState)
			if r.ImportState != "" {
				said += " " + string(r.ImportState)
			}
			if r.RotationType != "" {
				said += " " + string(r.RotationType)
			}
			if *r.KeyId != key || len(*r.KeyMaterialId) != 64 || (r.RotationDate == nil) != (r.RotationType == "") {
				t.Errorf("%+v", r)
			}
			got = append(got, said)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// opens fails unless a ciphertext opens, with the material that is named.
func (s *story) opens(t *testing.T, key string, ciphertext []byte, material string) {
	t.Helper()
	d := must(s.kms.Decrypt(t.Context(), &kms.DecryptInput{KeyId: &key, CiphertextBlob: ciphertext}))(t)
	if *d.KeyId != arn(key) || *d.KeyMaterialId != material {
		t.Errorf("%s with material %s, want %s", *d.KeyId, *d.KeyMaterialId, material)
	}
}

// importMAC imports a key that Go has too.
func (s *story) importMAC(t *testing.T) {
	material, message := bytes.Repeat([]byte{4}, 61), []byte("message")
	key := s.make(t, kms.CreateKeyInput{KeySpec: types.KeySpecHmac256, KeyUsage: types.KeyUsageTypeGenerateVerifyMac, Origin: types.OriginTypeExternal})
	in := wrap(t, s.kms, key, types.AlgorithmSpecRsaesOaepSha256, material)
	if out := must(s.kms.ImportKeyMaterial(t.Context(), &in))(t); out.KeyMaterialId != nil {
		t.Errorf("material id %s", *out.KeyMaterialId)
	}
	s.crash(t)
	want := hmac.New(sha256.New, material)
	want.Write(message)
	got := must(s.kms.GenerateMac(t.Context(), &kms.GenerateMacInput{KeyId: &key, MacAlgorithm: types.MacAlgorithmSpecHmacSha256, Message: message}))(t)
	if !hmac.Equal(got.Mac, want.Sum(nil)) {
		t.Errorf("%x, want %x", got.Mac, want.Sum(nil))
	}
}

// importPair imports a private key whose public key Go has.
func (s *story) importPair(t *testing.T) {
	own := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	key := s.make(t, kms.CreateKeyInput{KeySpec: types.KeySpecEccNistP256, KeyUsage: types.KeyUsageTypeSignVerify, Origin: types.OriginTypeExternal})
	in := wrap(t, s.kms, key, types.AlgorithmSpecRsaesOaepSha256, must(x509.MarshalPKCS8PrivateKey(own))(t))
	must(s.kms.ImportKeyMaterial(t.Context(), &in))(t)
	s.crash(t)
	public := must(s.kms.GetPublicKey(t.Context(), &kms.GetPublicKeyInput{KeyId: &key}))(t).PublicKey
	if !bytes.Equal(public, must(x509.MarshalPKIXPublicKey(own.Public()))(t)) {
		t.Errorf("public key %x", public)
	}
	message := []byte("message")
	signature := must(s.kms.Sign(t.Context(), &kms.SignInput{KeyId: &key, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256, Message: message}))(t).Signature
	if sum := sha256.Sum256(message); !ecdsa.VerifyASN1(&own.PublicKey, sum[:], signature) {
		t.Error("the signature is not the imported key's")
	}
}

// TestWhatImportRefuses are the errors of the three operations of import.
func TestWhatImportRefuses(t *testing.T) {
	s := harness.Start(t, "--dev")
	c := newClient(s)
	external := func(spec types.KeySpec, usage types.KeyUsageType) string {
		return *must(c.CreateKey(t.Context(), &kms.CreateKeyInput{KeySpec: spec, KeyUsage: usage, Origin: types.OriginTypeExternal}))(t).KeyMetadata.KeyId
	}
	ordinary := *must(c.CreateKey(t.Context(), &kms.CreateKeyInput{}))(t).KeyMetadata.KeyId
	symmetric, another, mac := external("", ""), external("", ""), external(types.KeySpecHmac384, types.KeyUsageTypeGenerateVerifyMac)
	pair, rsa2048 := external(types.KeySpecEccNistP256, types.KeyUsageTypeSignVerify), external(types.KeySpecRsa2048, types.KeyUsageTypeSignVerify)
	p521 := external(types.KeySpecEccNistP521, types.KeyUsageTypeSignVerify)
	const oaep = types.AlgorithmSpecRsaesOaepSha256
	material := bytes.Repeat([]byte{1}, 32)
	good := wrap(t, c, symmetric, oaep, material)
	load := func(change func(*kms.ImportKeyMaterialInput)) func() error {
		in := good
		change(&in)
		return attempt(t, c.ImportKeyMaterial, in)
	}
	carry := func(key string, material []byte) func() error {
		return attempt(t, c.ImportKeyMaterial, wrap(t, c, key, oaep, material))
	}
	parameters := func(key string, algorithm types.AlgorithmSpec, spec types.WrappingKeySpec) func() error {
		return attempt(t, c.GetParametersForImport, kms.GetParametersForImportInput{KeyId: &key, WrappingAlgorithm: algorithm, WrappingKeySpec: spec})
	}
	wrongCurve := must(x509.MarshalPKCS8PrivateKey(must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))(t)))(t)
	origin := arn(ordinary) + " origin is AWS_KMS which is not valid for this operation."
	refuseAll(t, []refusal{
		{"GetParametersForImport for a key with material of its own", "UnsupportedOperationException", origin, parameters(ordinary, oaep, types.WrappingKeySpecRsa2048)},
		{"GetParametersForImport with PKCS #1", "UnsupportedOperationException", ours, parameters(symmetric, types.AlgorithmSpecRsaesPkcs1V15, types.WrappingKeySpecRsa2048)},
		{"GetParametersForImport with no room for RSA", "UnsupportedOperationException", ours, parameters(rsa2048, oaep, types.WrappingKeySpecRsa4096)},
		{"GetParametersForImport with no room for P-521", "UnsupportedOperationException", ours, parameters(p521, oaep, types.WrappingKeySpecRsa2048)},
		{"GetParametersForImport with a spec that does not fit", "UnsupportedOperationException", ours, parameters(symmetric, types.AlgorithmSpecSm2pke, types.WrappingKeySpecRsa2048)},

		{"ImportKeyMaterial into a key with material of its own", "UnsupportedOperationException", origin, load(func(in *kms.ImportKeyMaterialInput) { in.KeyId = &ordinary })},
		{"ImportKeyMaterial without an end", "ValidationException", "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES",
			load(func(in *kms.ImportKeyMaterialInput) { in.ExpirationModel = "" })},
		{"ImportKeyMaterial with an end for ever", "ValidationException", ours, load(func(in *kms.ImportKeyMaterialInput) { in.ValidTo = aws.Time(time.Now().Add(time.Hour)) })},
		{"ImportKeyMaterial that has ended", "ValidationException", ours, load(func(in *kms.ImportKeyMaterialInput) {
			in.ExpirationModel, in.ValidTo = "", aws.Time(time.Now().Add(-time.Hour))
		})},
		{"ImportKeyMaterial for more than a year", "ValidationException", ours, load(func(in *kms.ImportKeyMaterialInput) {
			in.ExpirationModel, in.ValidTo = "", aws.Time(time.Now().AddDate(0, 0, 366))
		})},
		{"ImportKeyMaterial with another key's token", "InvalidImportTokenException", ours, load(func(in *kms.ImportKeyMaterialInput) { in.KeyId = &another })},
		{"ImportKeyMaterial with a token that is none", "InvalidImportTokenException", ours, load(func(in *kms.ImportKeyMaterialInput) { in.ImportToken = []byte("token") })},
		{"ImportKeyMaterial with a token that was changed", "InvalidImportTokenException", ours, load(func(in *kms.ImportKeyMaterialInput) {
			in.ImportToken = bytes.Clone(in.ImportToken)
			in.ImportToken[len(in.ImportToken)-1] ^= 1
		})},
		{"ImportKeyMaterial of what does not unwrap", "InvalidCiphertextException", "", load(func(in *kms.ImportKeyMaterialInput) {
			in.EncryptedKeyMaterial = bytes.Clone(in.EncryptedKeyMaterial)
			in.EncryptedKeyMaterial[9] ^= 1
		})},
		{"ImportKeyMaterial too short", "IncorrectKeyMaterialException", ours, carry(symmetric, material[1:])},
		{"ImportKeyMaterial too short for a code", "IncorrectKeyMaterialException", ours, carry(mac, material)},
		{"ImportKeyMaterial of another curve", "IncorrectKeyMaterialException", ours, carry(pair, wrongCurve)},
		{"ImportKeyMaterial described, for a key pair", "UnsupportedOperationException", ours, load(func(in *kms.ImportKeyMaterialInput) {
			in.KeyId, in.KeyMaterialDescription = &pair, aws.String("mine")
		})},
		{"ImportKeyMaterial of known material that is not", "IncorrectKeyMaterialException", ours, load(func(in *kms.ImportKeyMaterialInput) {
			in.ImportType = types.ImportTypeExistingKeyMaterial
		})},
		{"DeleteImportedKeyMaterial of a key with material of its own", "UnsupportedOperationException", origin,
			attempt(t, c.DeleteImportedKeyMaterial, kms.DeleteImportedKeyMaterialInput{KeyId: &ordinary})},
		{"RotateKeyOnDemand without material", "KMSInvalidStateException", arn(symmetric) + " is pending import.", attempt(t, c.RotateKeyOnDemand, kms.RotateKeyOnDemandInput{KeyId: &symmetric})},
		{"EnableKeyRotation of imported material", "UnsupportedOperationException", arn(symmetric) + " origin is EXTERNAL which is not valid for this operation.",
			attempt(t, c.EnableKeyRotation, kms.EnableKeyRotationInput{KeyId: &symmetric})},
		{"CreateKey for material that cannot be imported", "UnsupportedOperationException", ours, attempt(t, c.CreateKey, kms.CreateKeyInput{
			KeySpec: types.KeySpecMlDsa65, KeyUsage: types.KeyUsageTypeSignVerify, Origin: types.OriginTypeExternal})},
	})

	// Nothing of it was imported. With material, there is more to refuse.
	first := *must(c.ImportKeyMaterial(t.Context(), &good))(t).KeyMaterialId
	pending := wrap(t, c, symmetric, oaep, bytes.Repeat([]byte{2}, 32))
	pending.ImportType = types.ImportTypeNewKeyMaterial
	refuseAll(t, []refusal{
		{"RotateKeyOnDemand without new material", "KMSInvalidStateException", "No available key material pending rotation for the key: " + arn(symmetric) + ".",
			attempt(t, c.RotateKeyOnDemand, kms.RotateKeyOnDemandInput{KeyId: &symmetric})},
		{"ImportKeyMaterial as new that is not", "IncorrectKeyMaterialException", ours, load(func(in *kms.ImportKeyMaterialInput) { in.ImportType = types.ImportTypeNewKeyMaterial })},
		{"DeleteImportedKeyMaterial that is not there", "NotFoundException", ours, attempt(t, c.DeleteImportedKeyMaterial, kms.DeleteImportedKeyMaterialInput{
			KeyId: &symmetric, KeyMaterialId: aws.String(first[1:] + "0")})},
	})
	second := *must(c.ImportKeyMaterial(t.Context(), &pending))(t).KeyMaterialId
	third := wrap(t, c, symmetric, oaep, bytes.Repeat([]byte{3}, 32))
	third.ImportType = types.ImportTypeNewKeyMaterial
	_, err := c.ImportKeyMaterial(t.Context(), &third)
	refuseAll(t, []refusal{{"ImportKeyMaterial while other material waits", "KMSInvalidStateException", ours, func() error { return err }}})
	if text := err.Error(); !bytes.Contains([]byte(text), []byte("another key material (id: "+second+") is pending rotation.")) {
		t.Error(text)
	}
}

// TestImportOverTime lets an import token, and material, grow old.
func TestImportOverTime(t *testing.T) {
	s := harness.Start(t, "--dev")
	c := newClient(s)
	key := *must(c.CreateKey(t.Context(), &kms.CreateKeyInput{Origin: types.OriginTypeExternal}))(t).KeyMetadata.KeyId
	material := bytes.Repeat([]byte{1}, 32)
	in := wrap(t, c, key, types.AlgorithmSpecRsaesOaepSha256, material)
	stale := wrap(t, c, key, types.AlgorithmSpecRsaesOaepSha256, material)
	in.ExpirationModel, in.ValidTo = "", aws.Time(time.Now().Add(12*time.Hour))
	must(c.ImportKeyMaterial(t.Context(), &in))(t)
	advance(t, s, "13h")
	if k := must(c.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &key}))(t).KeyMetadata; k.KeyState != types.KeyStatePendingImport || k.Enabled {
		t.Errorf("after its material has ended: %s", k.KeyState)
	}
	_, err := c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &key, Plaintext: []byte("x")})
	refused(t, err, "KMSInvalidStateException", arn(key)+" is pending import.")
	advance(t, s, "12h")
	refuseAll(t, []refusal{{"an old token", "ExpiredImportTokenException", ours, attempt(t, c.ImportKeyMaterial, stale)}})
	again := wrap(t, c, key, types.AlgorithmSpecRsaesOaepSha256, material)
	must(c.ImportKeyMaterial(t.Context(), &again))(t)
	if k := must(c.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &key}))(t).KeyMetadata; k.KeyState != types.KeyStateEnabled || k.ValidTo != nil || k.ExpirationModel != forever {
		t.Errorf("%+v", k)
	}
}
