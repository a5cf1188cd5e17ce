package kms

import (
	"context"
	"errors"
	"strings"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/hsm"
	"github.com/trent-kms/trent/internal/service"
)

const symmetric = kmsapi.EncryptionAlgorithmSpecSymmetricDefault

func (s *Service) encrypt(ctx context.Context, c *service.Call, in *kmsapi.EncryptRequest, t *keyTarget) (*kmsapi.EncryptResponse, error) {
	fill(&in.EncryptionAlgorithm, symmetric)
	to, err := destination(*in.EncryptionAlgorithm, in.EncryptionContext, t.key)
	if err != nil {
		return nil, err
	}
	out := &kmsapi.EncryptResponse{KeyId: new(t.key.ARN()), EncryptionAlgorithm: in.EncryptionAlgorithm}
	if to.Algorithm == "" {
		logMaterial(c, to.Key)
		out.CiphertextBlob, err = s.hsm.Encrypt(ctx, to.Key, to.Context, in.Plaintext)
		return out, err
	}
	if err := checkPlaintext(*in.EncryptionAlgorithm, t.key, len(in.Plaintext)); err != nil {
		return nil, err
	}
	out.CiphertextBlob, err = s.hsm.EncryptAsymmetric(ctx, to.Key, to.Algorithm, in.Plaintext)
	return out, unsupported(err)
}

// destination is what encrypts: the current material of a key, with an algorithm and a context that fit it.
func destination(alg kmsapi.EncryptionAlgorithmSpec, context map[string]string, k *Key) (hsm.Side, error) {
	if k.symmetric() && alg == symmetric {
		return hsm.Side{Key: k.current(), Context: context}, nil
	}
	can, _ := encryptionAlgorithms(k.Spec)
	if err := checkAlgorithm(alg, can, k); err != nil {
		return hsm.Side{}, err
	}
	return hsm.Side{Key: k.current(), Algorithm: string(alg)}, noContext(context, k)
}

// noContext refuses an encryption context for a key pair, whose ciphertexts cannot be bound to one.
func noContext(context map[string]string, k *Key) error {
	if len(context) > 0 {
		return api.ValidationException("EncryptionContext is not supported for key spec %s; only symmetric encryption keys have one.", k.Spec)
	}
	return nil
}

// logMaterial names the key material that was used in the audit record.
func logMaterial(c *service.Call, k hsm.Key) {
	c.Event.AdditionalEventData = []byte(`{"keyMaterialId":"` + k.MaterialID + `"}`)
}

// hiddenKey is the one answer for a ciphertext whose key is missing, elsewhere or not for the caller.
func hiddenKey() error {
	return api.AccessDeniedException("The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.")
}

// invalidCiphertext is the one answer to a ciphertext that does not open, whatever broke.
func invalidCiphertext(err error) error {
	if errors.Is(err, hsm.ErrCiphertext) {
		return kmsapi.InvalidCiphertextException("")
	}
	return unsupported(err)
}

// sourceKey is the key of a ciphertext: what the caller named, or what the ciphertext's header names.
type sourceKey struct {
	*keyTarget
	// header is the ciphertext's own word: nil when it is to be ignored (IGNORE_CIPHERTEXT), zero when it cannot be read.
	header  *hsm.Header
	unnamed bool // the caller did not say which key
}

// ciphertextRequest is what Decrypt and ReEncrypt have in common.
type ciphertextRequest struct {
	action     string
	keyMember  string
	keyID      *string
	ciphertext []byte
	dryRun     bool
	modifiers  []kmsapi.DryRunModifierType
}

// resolveSource finds the key of a ciphertext.
func (s *Service) resolveSource(ctx context.Context, c *service.Call, r ciphertextRequest) (*sourceKey, error) {
	if r.dryRun && len(r.modifiers) > 0 { // IGNORE_CIPHERTEXT is the only one
		if r.keyID == nil {
			return nil, api.ValidationException("%s is required when DryRunModifiers contains IGNORE_CIPHERTEXT.", r.keyMember)
		}
		t, err := s.resolve(ctx, c, r.action, *r.keyID, anyForm)
		return &sourceKey{keyTarget: t}, err
	}
	if r.ciphertext == nil {
		return nil, api.ValidationException("1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be null")
	}
	header, headerErr := hsm.ParseHeader(r.ciphertext)
	if r.keyID != nil {
		// A header that cannot be read is said last: permission and state of the key come first.
		t, err := s.resolve(ctx, c, r.action, *r.keyID, anyForm)
		return &sourceKey{keyTarget: t, header: &header}, err
	}
	if headerErr != nil {
		return nil, invalidCiphertext(headerErr)
	}
	t := &keyTarget{service: s, action: r.action, ref: ref{account: header.Account, region: c.Region, id: header.KeyID}}
	var err error
	if t.key, t.revision, err = s.get(ctx, c.Now, t.ref.account, t.ref.region, t.ref.id); err != nil {
		return nil, err
	}
	if t.key != nil && t.key.Account == c.Caller.Account {
		record(c, t.key)
	}
	return &sourceKey{keyTarget: t, header: &header, unnamed: true}, nil
}

// Access is the action on the key. Who has not named the key is not told which it is.
func (t *sourceKey) Access(c *service.Call) []authz.Access {
	x := t.access(c)
	if t.unnamed {
		x.Refusal = hiddenKey()
	}
	return []authz.Access{x}
}

// origin is what decrypts: for a symmetric key the material that its ciphertext names, for a key pair the private key. A
// symmetric ciphertext was made with no other algorithm than the symmetric one.
func (t *sourceKey) origin(alg kmsapi.EncryptionAlgorithmSpec, context map[string]string) (hsm.Side, error) {
	if t.key.asymmetric() && alg != symmetric {
		can, _ := encryptionAlgorithms(t.key.Spec)
		if err := checkAlgorithm(alg, can, t.key); err != nil {
			return hsm.Side{}, err
		}
		return hsm.Side{Key: t.key.current(), Algorithm: string(alg)}, noContext(context, t.key)
	}
	if *t.header == (hsm.Header{}) || alg != symmetric {
		return hsm.Side{}, kmsapi.InvalidCiphertextException("")
	}
	if t.header.Account != t.key.Account || t.header.KeyID != t.key.ID || !t.key.symmetric() {
		return hsm.Side{}, kmsapi.IncorrectKeyException("The key ID in the request does not identify a CMK that can perform this operation.")
	}
	m, found := t.key.find(t.header.MaterialID)
	if !found {
		return hsm.Side{}, kmsapi.InvalidCiphertextException("")
	}
	return hsm.Side{Key: m, Context: context}, nil
}

func (s *Service) resolveDecrypt(ctx context.Context, c *service.Call, in *kmsapi.DecryptRequest) (*sourceKey, error) {
	fill(&in.EncryptionAlgorithm, symmetric) // here, so that every audit record has it
	if in.Recipient != nil {
		return nil, recipientUnsupported()
	}
	return s.resolveSource(ctx, c, ciphertextRequest{
		action: "kms:Decrypt", keyMember: "KeyId", keyID: in.KeyId, ciphertext: in.CiphertextBlob,
		dryRun: isTrue(in.DryRun), modifiers: in.DryRunModifiers,
	})
}

// recipientUnsupported refuses an attestation document. An answer in plaintext instead would give the secret to exactly
// the one who asked not to see it.
func recipientUnsupported() error {
	return kmsapi.UnsupportedOperationException("Recipient is not built in this version of Trent.")
}

// check refuses what the kind or state of the key that decrypts does not allow. When the ciphertext is ignored, a
// dry run tests authorization alone (KMS API Reference, DryRunModifiers). A key of another usage is the wrong one for a
// symmetric ciphertext, and the wrong kind for any other.
func (t *sourceKey) check(c *service.Call, alg kmsapi.EncryptionAlgorithmSpec) error {
	if t.header == nil {
		return nil
	}
	if alg != symmetric && t.key.Usage != kmsapi.KeyUsageTypeEncryptDecrypt {
		return wrongUsage(c.Operation, t.key)
	}
	return checkState(c.Operation, t.key, c.Now)
}

func checkDecrypt(c *service.Call, in *kmsapi.DecryptRequest, t *sourceKey) error {
	return t.check(c, *in.EncryptionAlgorithm)
}

func (s *Service) decrypt(ctx context.Context, c *service.Call, in *kmsapi.DecryptRequest, t *sourceKey) (*kmsapi.DecryptResponse, error) {
	if t.header == nil {
		return &kmsapi.DecryptResponse{}, nil
	}
	from, err := t.origin(*in.EncryptionAlgorithm, in.EncryptionContext)
	if err != nil {
		return nil, err
	}
	out := &kmsapi.DecryptResponse{KeyId: new(t.key.ARN()), EncryptionAlgorithm: in.EncryptionAlgorithm}
	if from.Algorithm != "" {
		out.Plaintext, err = s.hsm.DecryptAsymmetric(ctx, from.Key, from.Algorithm, in.CiphertextBlob)
		return out, invalidCiphertext(err)
	}
	if out.Plaintext, err = s.hsm.Decrypt(ctx, from.Key, from.Context, in.CiphertextBlob); err != nil {
		return nil, invalidCiphertext(err)
	}
	logMaterial(c, from.Key)
	out.KeyMaterialId = new(from.MaterialID)
	return out, nil
}

// reEncryptKeys is the target of ReEncrypt.
type reEncryptKeys struct {
	from *sourceKey
	to   *keyTarget
}

// Access is ReEncryptFrom on the one key and ReEncryptTo on the other.
func (t *reEncryptKeys) Access(c *service.Call) []authz.Access {
	return append(t.from.Access(c), t.to.Access(c)...)
}

func (s *Service) resolveReEncrypt(ctx context.Context, c *service.Call, in *kmsapi.ReEncryptRequest) (*reEncryptKeys, error) {
	fill(&in.SourceEncryptionAlgorithm, symmetric)
	fill(&in.DestinationEncryptionAlgorithm, symmetric)
	from, err := s.resolveSource(ctx, c, ciphertextRequest{
		action: reEncryptFrom, keyMember: "SourceKeyId", keyID: in.SourceKeyId, ciphertext: in.CiphertextBlob,
		dryRun: isTrue(in.DryRun), modifiers: in.DryRunModifiers,
	})
	if err != nil {
		return nil, err
	}
	to, err := s.resolve(ctx, c, reEncryptTo, *in.DestinationKeyId, anyForm)
	return &reEncryptKeys{from, to}, err
}

func checkReEncrypt(c *service.Call, in *kmsapi.ReEncryptRequest, t *reEncryptKeys) error {
	if t.from.header == nil {
		return nil
	}
	if err := t.from.check(c, *in.SourceEncryptionAlgorithm); err != nil {
		return err
	}
	if err := encryption(c.Operation, t.to.key); err != nil {
		return err
	}
	return checkState(c.Operation, t.to.key, c.Now)
}

func (s *Service) reEncrypt(ctx context.Context, c *service.Call, in *kmsapi.ReEncryptRequest, t *reEncryptKeys) (*kmsapi.ReEncryptResponse, error) {
	if t.from.header == nil {
		return &kmsapi.ReEncryptResponse{}, nil
	}
	from, err := t.from.origin(*in.SourceEncryptionAlgorithm, in.SourceEncryptionContext)
	if err != nil {
		return nil, err
	}
	to, err := destination(*in.DestinationEncryptionAlgorithm, in.DestinationEncryptionContext, t.to.key)
	if err != nil {
		return nil, err
	}
	out := &kmsapi.ReEncryptResponse{
		SourceKeyId: new(t.from.key.ARN()), KeyId: new(t.to.key.ARN()),
		SourceEncryptionAlgorithm: in.SourceEncryptionAlgorithm, DestinationEncryptionAlgorithm: in.DestinationEncryptionAlgorithm,
	}
	if out.CiphertextBlob, err = s.hsm.ReEncrypt(ctx, from, in.CiphertextBlob, to); errors.Is(err, hsm.ErrInput) && to.Algorithm != "" {
		return nil, api.ValidationException("The plaintext does not fit algorithm %s and key spec %s.", to.Algorithm, t.to.key.Spec)
	} else if err != nil {
		return nil, invalidCiphertext(err)
	}
	if from.Algorithm == "" {
		out.SourceKeyMaterialId = new(from.MaterialID)
	}
	if to.Algorithm == "" {
		out.DestinationKeyMaterialId = new(to.MaterialID)
	}
	c.Event.AdditionalEventData = reEncryptMaterials(out)
	return out, nil
}

// reEncryptMaterials names the key material of the symmetric sides in the audit record.
func reEncryptMaterials(out *kmsapi.ReEncryptResponse) []byte {
	var members []string
	if out.SourceKeyMaterialId != nil {
		members = append(members, `"sourceKeyMaterialId":"`+*out.SourceKeyMaterialId+`"`)
	}
	if out.DestinationKeyMaterialId != nil {
		members = append(members, `"destinationKeyMaterialId":"`+*out.DestinationKeyMaterialId+`"`)
	}
	if members == nil {
		return nil
	}
	return []byte("{" + strings.Join(members, ",") + "}")
}
