package kms_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/kms"
	"github.com/trent-kms/trent/internal/store"
)

// keyKind is a kind of key that some operation tells from others.
type keyKind struct {
	name   string
	spec   kmsapi.KeySpec
	usage  kmsapi.KeyUsageType
	origin kmsapi.OriginType
	role   kmsapi.MultiRegionKeyType // "": of one Region
	alone  bool                      // a primary key without replicas
}

const (
	ofAWS    = kmsapi.OriginTypeAwsKms
	external = kmsapi.OriginTypeExternal

	encrypting    = kmsapi.KeyUsageTypeEncryptDecrypt
	signing       = kmsapi.KeyUsageTypeSignVerify
	authenticates = kmsapi.KeyUsageTypeGenerateVerifyMac
	agreeing      = kmsapi.KeyUsageTypeKeyAgreement
	encapsulating = kmsapi.KeyUsageTypeEncapsulateDecapsulate
)

// keyKinds has all kinds, the one that most operations take first.
func keyKinds() []keyKind {
	const primary, replica = kmsapi.MultiRegionKeyTypePrimary, kmsapi.MultiRegionKeyTypeReplica
	return []keyKind{
		{"symmetric", kmsapi.KeySpecSymmetricDefault, encrypting, ofAWS, "", false},
		{"symmetric, imported", kmsapi.KeySpecSymmetricDefault, encrypting, external, "", false},
		{"RSA encryption", kmsapi.KeySpecRsa2048, encrypting, ofAWS, "", false},
		{"ECC signing", kmsapi.KeySpecEccNistP256, signing, ofAWS, "", false},
		{"RSA signing", kmsapi.KeySpecRsa2048, signing, ofAWS, "", false},
		{"Ed25519", kmsapi.KeySpecEccNistEdwards25519, signing, ofAWS, "", false},
		{"ML-DSA", kmsapi.KeySpecMlDsa44, signing, ofAWS, "", false},
		{"SM2 signing", kmsapi.KeySpecSm2, signing, ofAWS, "", false},
		{"HMAC", kmsapi.KeySpecHmac256, authenticates, ofAWS, "", false},
		{"key agreement", kmsapi.KeySpecEccNistP256, agreeing, ofAWS, "", false},
		{"ML-KEM", kmsapi.KeySpecMlKem768, encapsulating, ofAWS, "", false},
		{"multi-Region primary", kmsapi.KeySpecSymmetricDefault, encrypting, ofAWS, primary, false},
		{"multi-Region primary without replicas", kmsapi.KeySpecSymmetricDefault, encrypting, ofAWS, primary, true},
		{"multi-Region replica", kmsapi.KeySpecSymmetricDefault, encrypting, ofAWS, replica, false},
		{"multi-Region primary, imported", kmsapi.KeySpecSymmetricDefault, encrypting, external, primary, false},
		{"multi-Region replica, imported", kmsapi.KeySpecSymmetricDefault, encrypting, external, replica, false},
		// In these, what was imported is no symmetric key.
		{"HMAC, imported", kmsapi.KeySpecHmac256, authenticates, external, "", false},
		{"ECC signing, imported", kmsapi.KeySpecEccNistP256, signing, external, "", false},
		{"key agreement, imported", kmsapi.KeySpecEccNistP256, agreeing, external, "", false},
	}
}

func (k keyKind) external() bool  { return k.origin == external }
func (k keyKind) symmetric() bool { return k.spec == kmsapi.KeySpecSymmetricDefault }
func (k keyKind) replica() bool   { return k.role == kmsapi.MultiRegionKeyTypeReplica }
func (k keyKind) primary() bool   { return k.role == kmsapi.MultiRegionKeyTypePrimary }

// asymmetric keys have a public key.
func (k keyKind) asymmetric() bool {
	return !k.symmetric() && !strings.HasPrefix(string(k.spec), "HMAC_")
}

// encryption and signature name an algorithm of the kind; for other kinds one that exists.

func (k keyKind) encryption() kmsapi.EncryptionAlgorithmSpec {
	if k.usage == encrypting && !k.symmetric() {
		return kmsapi.EncryptionAlgorithmSpecRsaesOaepSha256
	}
	return kmsapi.EncryptionAlgorithmSpecSymmetricDefault
}

func (k keyKind) signature() kmsapi.SigningAlgorithmSpec {
	switch k.spec {
	case kmsapi.KeySpecRsa2048:
		return kmsapi.SigningAlgorithmSpecRsassaPssSha256
	case kmsapi.KeySpecEccNistEdwards25519:
		return kmsapi.SigningAlgorithmSpecEd25519Sha512
	case kmsapi.KeySpecMlDsa44:
		return kmsapi.SigningAlgorithmSpecMlDsaShake256
	case kmsapi.KeySpecSm2:
		return kmsapi.SigningAlgorithmSpecSm2dsa
	}
	return kmsapi.SigningAlgorithmSpecEcdsaSha256
}

// wrongKind is what an operation answers to a key of a kind that it does not take, in whatever state the key is; "" when
// it does take it (operations.md of the specification, "Key:" and the errors of each).
func wrongKind(operation string, k keyKind, arn string) string {
	operation, role, _ := strings.Cut(operation, " ")
	usage, has := wantedUsage[operation]
	switch {
	case operation == "ReEncrypt" && role == "from", !has:
	case k.usage != usage:
		return "InvalidKeyUsageException " + arn + " key usage is " + string(k.usage) + " which is not valid for " + operation + "."
	}
	origin := "UnsupportedOperationException " + arn + " origin is " + string(k.origin) + " which is not valid for this operation."
	notPrimary := "UnsupportedOperationException " + arn + " is not a multi-region primary key."
	switch operation {
	case "GenerateDataKey", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "GenerateDataKeyWithoutPlaintext":
		if !k.symmetric() {
			return "InvalidKeyUsageException " + arn + " key spec is " + string(k.spec) + " which is not valid for " + operation + "."
		}
	case "GetPublicKey":
		if !k.asymmetric() {
			return "UnsupportedOperationException " + arn + " key spec is " + string(k.spec) + " which is not valid for GetPublicKey."
		}
	case "GetParametersForImport", "ImportKeyMaterial", "DeleteImportedKeyMaterial":
		if !k.external() {
			return origin
		}
	case "ReplicateKey", "UpdatePrimaryRegion":
		if !k.primary() {
			return notPrimary
		}
	case "EnableKeyRotation", "DisableKeyRotation", "RotateKeyOnDemand":
		switch {
		case !k.symmetric():
			return "UnsupportedOperationException "
		case k.replica():
			return notPrimary
		case k.external() && operation != "RotateKeyOnDemand":
			return origin
		}
	}
	return ""
}

// wantedUsage is the usage that an operation asks of its key. Decrypt, and the source of ReEncrypt, are not here: what
// they say of another usage depends on the ciphertext.
var wantedUsage = map[string]kmsapi.KeyUsageType{
	"Encrypt": encrypting, "ReEncrypt": encrypting, "GenerateDataKey": encrypting, "GenerateDataKeyWithoutPlaintext": encrypting,
	"GenerateDataKeyPair": encrypting, "GenerateDataKeyPairWithoutPlaintext": encrypting, "Sign": signing, "Verify": signing,
	"GenerateMac": authenticates, "VerifyMac": authenticates, "DeriveSharedSecret": agreeing,
	"Encapsulate": encapsulating, "Decapsulate": encapsulating,
}

// kindFor returns the first kind that an operation takes.
func kindFor(operation string) keyKind {
	kinds := keyKinds()
	i := slices.IndexFunc(kinds, func(k keyKind) bool {
		decrypts := operation == "Decrypt" || strings.HasPrefix(operation, "ReEncrypt")
		return wrongKind(operation, k, "") == "" && (!decrypts || k.usage == encrypting)
	})
	return kinds[i]
}

// specimen is an enabled key of a kind, and what was made with it.
type specimen struct {
	user // in the key's Region
	kind keyKind
	id   string
	twin string // another key with the same spec and usage, with the alias "alias/twin-of-" and id
	made evidence
	own  []byte // the material of an imported key
}

// evidence is what operations want to see that others have made. Where a key cannot make it, it is there all the same,
// for an operation that has to refuse it.
type evidence struct {
	ciphertext   []byte // of secret
	foreign      []byte // of secret, by the key with spareAlias
	signature    []byte // of secret
	mac          []byte // of secret
	encapsulated []byte
	token        []byte   // of GetParametersForImport
	wrapped      []byte   // for that token: the key's own material
	grants       []string // ids
	aliases      []string // names
}

func (s *specimen) arn() string { return s.keyARN(s.id) }

// specimen makes a key of a kind. The account needs a symmetric key with spareAlias in the key's Region.
func (u user) specimen(k keyKind) *specimen {
	u.t.Helper()
	in := &kmsapi.CreateKeyRequest{KeySpec: &k.spec, KeyUsage: &k.usage, Origin: &k.origin, MultiRegion: new(k.role != "")}
	s := &specimen{user: u, kind: k, id: *do[kmsapi.CreateKeyResponse](u, in).KeyMetadata.KeyId}
	if k.external() {
		s.own = newMaterial(u, k)
		s.parameters()
		s.importOwn()
	}
	if k.role != "" && !k.alone {
		u.must(&kmsapi.ReplicateKeyRequest{KeyId: &s.id, ReplicaRegion: new(abroad)})
		s.settle(u.in(abroad), "", -time.Hour)
	}
	if k.replica() {
		s.user = u.in(abroad)
		if k.external() {
			s.parameters()
			s.importOwn()
		}
	}
	s.twin = *do[kmsapi.CreateKeyResponse](s.user, &kmsapi.CreateKeyRequest{KeySpec: &k.spec, KeyUsage: &k.usage}).KeyMetadata.KeyId
	s.createAlias(s.twinAlias(), s.twin)
	s.witness()
	for i := range 16 {
		s.grant()
		s.made.aliases = append(s.made.aliases, fmt.Sprintf("alias/%d-of-%s", i, s.id))
		s.createAlias(s.made.aliases[i], s.id)
	}
	return s
}

func (s *specimen) twinAlias() string { return "alias/twin-of-" + s.id }

// witness makes the evidence.
func (s *specimen) witness() {
	s.t.Helper()
	e, k := &s.made, s.kind
	e.foreign = s.encrypt(spareAlias, secret, nil)
	e.ciphertext, e.signature, e.mac, e.encapsulated = e.foreign, []byte("signature"), make([]byte, 32), make([]byte, 1088)
	if !k.external() {
		e.token, e.wrapped = []byte("token"), []byte("wrapped")
	}
	message := []byte(secret)
	switch k.usage {
	case encrypting:
		e.ciphertext = do[kmsapi.EncryptResponse](s.user, &kmsapi.EncryptRequest{KeyId: &s.id, Plaintext: message, EncryptionAlgorithm: new(k.encryption())}).CiphertextBlob
	case signing:
		e.signature = do[kmsapi.SignResponse](s.user, &kmsapi.SignRequest{KeyId: &s.id, Message: message, SigningAlgorithm: new(k.signature())}).Signature
	case authenticates:
		e.mac = do[kmsapi.GenerateMacResponse](s.user, &kmsapi.GenerateMacRequest{KeyId: &s.id, Message: message, MacAlgorithm: new(kmsapi.MacAlgorithmSpecHmacSha256)}).Mac
	case encapsulating:
		e.encapsulated = do[kmsapi.EncapsulateResponse](s.user, &kmsapi.EncapsulateRequest{KeyId: &s.id, EncapsulationAlgorithm: new(kmsapi.EncapsulationAlgorithmSpecMlKem)}).SharedSecretCiphertextBlob
	}
}

// grant makes a grant of the key.
func (s *specimen) grant() {
	s.t.Helper()
	out := do[kmsapi.CreateGrantResponse](s.user, &kmsapi.CreateGrantRequest{
		KeyId: &s.id, GranteePrincipal: new(s.principal()), RetiringPrincipal: new(s.principal()),
		Operations: []kmsapi.GrantOperation{kmsapi.GrantOperationDescribeKey},
	})
	s.made.grants = append(s.made.grants, *out.GrantId)
}

// newMaterial makes what the owner of an imported key has to import.
func newMaterial(u user, k keyKind) []byte {
	u.t.Helper()
	if !k.asymmetric() {
		b := make([]byte, 32)
		rand.Read(b)
		return b
	}
	pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		u.t.Fatal(err)
	}
	b, err := x509.MarshalPKCS8PrivateKey(pair)
	if err != nil {
		u.t.Fatal(err)
	}
	return b
}

// parameters asks for what an import needs, and wraps the key's material for it.
func (s *specimen) parameters() {
	s.t.Helper()
	out := do[kmsapi.GetParametersForImportResponse](s.user, &kmsapi.GetParametersForImportRequest{
		KeyId: &s.id, WrappingAlgorithm: new(kmsapi.AlgorithmSpecRsaesOaepSha256), WrappingKeySpec: new(kmsapi.WrappingKeySpecRsa2048),
	})
	public, err := x509.ParsePKIXPublicKey(out.PublicKey)
	if err != nil {
		s.t.Fatal(err)
	}
	s.made.token = out.ImportToken
	if s.made.wrapped, err = rsa.EncryptOAEP(sha256.New(), rand.Reader, public.(*rsa.PublicKey), s.own, nil); err != nil {
		s.t.Fatal(err)
	}
}

func (s *specimen) importOwn() {
	s.t.Helper()
	s.must(&kmsapi.ImportKeyMaterialRequest{
		KeyId: &s.id, ImportToken: s.made.token, EncryptedKeyMaterial: s.made.wrapped,
		ExpirationModel: new(kmsapi.ExpirationModelTypeKeyMaterialDoesNotExpire),
	})
}

// states that a key of a kind can be in, in an order that bring can go through: "" is when its waiting period is over.
func (k keyKind) states() []kmsapi.KeyState {
	all := []kmsapi.KeyState{kmsapi.KeyStateEnabled, kmsapi.KeyStateDisabled}
	if k.external() {
		all = append(all, kmsapi.KeyStatePendingImport)
	}
	if k.replica() {
		all = append(all, kmsapi.KeyStateCreating)
	}
	if k.role != "" && !k.alone {
		all = append(all, kmsapi.KeyStateUpdating)
	}
	if k.primary() && !k.alone {
		return append(all, kmsapi.KeyStatePendingReplicaDeletion)
	}
	return append(all, kmsapi.KeyStatePendingDeletion, "")
}

// bring brings the key into a state, from whatever other.
func (s *specimen) bring(to kmsapi.KeyState) {
	s.t.Helper()
	is := func(states ...kmsapi.KeyState) bool {
		return slices.Contains(states, kmsapi.KeyState(s.keyState(s.id)))
	}
	if is(to) {
		return
	}
	if is(kmsapi.KeyStatePendingDeletion, kmsapi.KeyStatePendingReplicaDeletion) {
		s.must(&kmsapi.CancelKeyDeletionRequest{KeyId: &s.id})
	}
	if is(kmsapi.KeyStateCreating, kmsapi.KeyStateUpdating) {
		s.settle(s.user, "", -time.Hour)
	}
	if is(kmsapi.KeyStatePendingImport) {
		s.importOwn()
	}
	s.must(&kmsapi.EnableKeyRequest{KeyId: &s.id})
	switch to {
	case kmsapi.KeyStateDisabled:
		s.disable(s.id)
	case kmsapi.KeyStatePendingImport:
		s.must(&kmsapi.DeleteImportedKeyMaterialRequest{KeyId: &s.id})
	case kmsapi.KeyStateCreating, kmsapi.KeyStateUpdating:
		s.settle(s.user, to, time.Hour)
	case kmsapi.KeyStatePendingReplicaDeletion, kmsapi.KeyStatePendingDeletion:
		s.schedule(s.id)
	}
	if !is(to) {
		s.t.Fatalf("%s: the key is %s, want %s", s.kind.name, s.keyState(s.id), to)
	}
}

// settle has the key in u's Region show a state that passes, for so long; a test has no time to lose to its own clock.
// It changes the key's record where nobody has read it since it was written last, so that no cache holds it.
func (s *specimen) settle(u user, state kmsapi.KeyState, d time.Duration) {
	s.t.Helper()
	u.must(&kmsapi.UpdateKeyDescriptionRequest{KeyId: &s.id, Description: new("")})
	r, err := s.store.Get(context.Background(), u.keyPath(s.id))
	if err != nil {
		s.t.Fatal(err)
	}
	k, err := kms.DecodeKey(r.Value)
	if err != nil {
		s.t.Fatal(err)
	}
	k.Settling, k.SettledAt = state, u.now().Add(d)
	value, err := json.Marshal(k)
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = s.store.Commit(context.Background(), store.Txn{
		Checks: []store.Check{{Key: r.Key, Revision: r.Revision}}, Puts: []store.Put{{Key: r.Key, Value: value}},
	})
	if err != nil {
		s.t.Fatal(err)
	}
}
