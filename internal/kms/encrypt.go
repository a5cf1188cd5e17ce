package kms

import (
	"context"
	"errors"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/hsm"
	"github.com/trent-kms/trent/internal/service"
)

const symmetric = kmsapi.EncryptionAlgorithmSpecSymmetricDefault

func (s *Service) encrypt(ctx context.Context, c *service.Call, in *kmsapi.EncryptRequest, t *keyTarget) (*kmsapi.EncryptResponse, error) {
	fill(&in.EncryptionAlgorithm, symmetric)
	if err := checkAlgorithm(*in.EncryptionAlgorithm, t.key); err != nil {
		return nil, err
	}
	material := t.key.current()
	ciphertext, err := s.hsm.Encrypt(ctx, material, in.EncryptionContext, in.Plaintext)
	if err != nil {
		return nil, err
	}
	logMaterial(c, material)
	return &kmsapi.EncryptResponse{CiphertextBlob: ciphertext, KeyId: new(t.key.ARN()), EncryptionAlgorithm: in.EncryptionAlgorithm}, nil
}

// checkAlgorithm refuses an algorithm that does not fit the key that is to encrypt. One that does not fit a ciphertext
// is material's question.
func checkAlgorithm(alg kmsapi.EncryptionAlgorithmSpec, k *Key) error {
	if alg != symmetric {
		return kmsapi.InvalidKeyUsageException("Algorithm %s is incompatible with key spec %s.", alg, k.Spec)
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
	return err
}

// sourceKey is the key of a ciphertext: what the caller named, or what the ciphertext's header names.
type sourceKey struct {
	*keyTarget
	// header is the ciphertext's own word: nil when it is to be ignored (IGNORE_CIPHERTEXT), zero when it cannot be read.
	header *hsm.Header
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
		return &sourceKey{t, &header}, err
	}
	if headerErr != nil {
		return nil, invalidCiphertext(headerErr)
	}
	own := ref{account: header.Account, region: c.Region, id: header.KeyID}
	if own.account != c.Caller.Account {
		return nil, hiddenKey()
	}
	k, revision, err := s.get(ctx, c, own.account, own.region, own.id)
	if err != nil {
		return nil, err
	}
	if k == nil {
		return nil, hiddenKey()
	}
	record(c, k)
	return &sourceKey{&keyTarget{action: r.action, ref: own, key: k, revision: revision}, &header}, nil
}

// material returns the key material that the ciphertext was made with. A ciphertext of this service was made with no
// other algorithm than the symmetric one.
func (t *sourceKey) material(alg kmsapi.EncryptionAlgorithmSpec) (hsm.Key, error) {
	if *t.header == (hsm.Header{}) || alg != symmetric {
		return hsm.Key{}, kmsapi.InvalidCiphertextException("")
	}
	if t.header.Account != t.key.Account || t.header.KeyID != t.key.ID {
		return hsm.Key{}, kmsapi.IncorrectKeyException("The key ID in the request does not identify a CMK that can perform this operation.")
	}
	m, found := t.key.find(t.header.MaterialID)
	if !found {
		return hsm.Key{}, kmsapi.InvalidCiphertextException("")
	}
	return m, nil
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

// checkSource leaves out the state when the ciphertext is ignored: then a dry run tests authorization alone (KMS API
// Reference, DryRunModifiers).
func checkSource(c *service.Call, _ *kmsapi.DecryptRequest, t *sourceKey) error {
	if t.header == nil {
		return nil
	}
	return checkState(c.Operation, t.key, c.Now)
}

func (s *Service) decrypt(ctx context.Context, c *service.Call, in *kmsapi.DecryptRequest, t *sourceKey) (*kmsapi.DecryptResponse, error) {
	if t.header == nil {
		return &kmsapi.DecryptResponse{}, nil
	}
	m, err := t.material(*in.EncryptionAlgorithm)
	if err != nil {
		return nil, err
	}
	plaintext, err := s.hsm.Decrypt(ctx, m, in.EncryptionContext, in.CiphertextBlob)
	if err != nil {
		return nil, invalidCiphertext(err)
	}
	logMaterial(c, m)
	return &kmsapi.DecryptResponse{
		KeyId: new(t.key.ARN()), Plaintext: plaintext, EncryptionAlgorithm: in.EncryptionAlgorithm, KeyMaterialId: new(m.MaterialID),
	}, nil
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
		action: "kms:ReEncryptFrom", keyMember: "SourceKeyId", keyID: in.SourceKeyId, ciphertext: in.CiphertextBlob,
		dryRun: isTrue(in.DryRun), modifiers: in.DryRunModifiers,
	})
	if err != nil {
		return nil, err
	}
	to, err := s.resolve(ctx, c, "kms:ReEncryptTo", *in.DestinationKeyId, anyForm)
	return &reEncryptKeys{from, to}, err
}

func checkReEncrypt(c *service.Call, _ *kmsapi.ReEncryptRequest, t *reEncryptKeys) error {
	if t.from.header == nil {
		return nil
	}
	if err := checkState(c.Operation, t.from.key, c.Now); err != nil {
		return err
	}
	return checkState(c.Operation, t.to.key, c.Now)
}

func (s *Service) reEncrypt(ctx context.Context, c *service.Call, in *kmsapi.ReEncryptRequest, t *reEncryptKeys) (*kmsapi.ReEncryptResponse, error) {
	if t.from.header == nil {
		return &kmsapi.ReEncryptResponse{}, nil
	}
	from, err := t.from.material(*in.SourceEncryptionAlgorithm)
	if err != nil {
		return nil, err
	}
	if err := checkAlgorithm(*in.DestinationEncryptionAlgorithm, t.to.key); err != nil {
		return nil, err
	}
	to := t.to.key.current()
	ciphertext, err := s.hsm.ReEncrypt(ctx, from, in.SourceEncryptionContext, in.CiphertextBlob, to, in.DestinationEncryptionContext)
	if err != nil {
		return nil, invalidCiphertext(err)
	}
	c.Event.AdditionalEventData = []byte(`{"sourceKeyMaterialId":"` + from.MaterialID + `","destinationKeyMaterialId":"` + to.MaterialID + `"}`)
	return &kmsapi.ReEncryptResponse{
		CiphertextBlob: ciphertext, SourceKeyId: new(t.from.key.ARN()), KeyId: new(t.to.key.ARN()),
		SourceEncryptionAlgorithm: in.SourceEncryptionAlgorithm, DestinationEncryptionAlgorithm: in.DestinationEncryptionAlgorithm,
		SourceKeyMaterialId: &from.MaterialID, DestinationKeyMaterialId: &to.MaterialID,
	}, nil
}
