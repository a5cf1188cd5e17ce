package kms

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/hsm"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
)

// Limits of import (KMS API Reference, GetParametersForImport and ImportKeyMaterial).
const (
	importParametersLife = 24 * time.Hour
	maxMaterialDays      = 365
)

// getParametersForImport makes a wrapping key pair. Nothing is stored: its private key is in the token, sealed.
func (s *Service) getParametersForImport(ctx context.Context, c *service.Call, in *kmsapi.GetParametersForImportRequest, t *keyTarget) (*kmsapi.GetParametersForImportResponse, error) {
	algorithm, spec := *in.WrappingAlgorithm, *in.WrappingKeySpec
	if err := checkWrapping(t.key, algorithm, spec); err != nil {
		return nil, err
	}
	out := &kmsapi.GetParametersForImportResponse{KeyId: new(t.key.ARN()), ParametersValidTo: new(c.Now.Add(importParametersLife))}
	var err error
	out.PublicKey, out.ImportToken, err = s.hsm.ImportParameters(
		ctx, t.key.binding(), t.key.Region, string(algorithm), string(spec), *out.ParametersValidTo,
	)
	if err != nil {
		return nil, unsupported(err)
	}
	return out, nil
}

// checkWrapping refuses what cannot carry a key's material (KMS Developer Guide, "Select a wrapping algorithm"): RSA-OAEP
// alone has no room for an RSA key, and that of RSA_2048 none for one on P-521.
func checkWrapping(k *Key, algorithm kmsapi.AlgorithmSpec, wrapping kmsapi.WrappingKeySpec) error {
	oaep := algorithm == kmsapi.AlgorithmSpecRsaesOaepSha1 || algorithm == kmsapi.AlgorithmSpecRsaesOaepSha256
	rsa := slices.Contains([]kmsapi.KeySpec{kmsapi.KeySpecRsa2048, kmsapi.KeySpecRsa3072, kmsapi.KeySpecRsa4096}, k.Spec)
	sm2 := algorithm == kmsapi.AlgorithmSpecSm2pke
	switch {
	case algorithm == kmsapi.AlgorithmSpecRsaesPkcs1V15:
		return kmsapi.UnsupportedOperationException("WrappingAlgorithm %s is not supported any more.", algorithm)
	case sm2 != (wrapping == kmsapi.WrappingKeySpecSm2):
		return kmsapi.UnsupportedOperationException("WrappingAlgorithm %s is not compatible with WrappingKeySpec %s.", algorithm, wrapping)
	case oaep && rsa, sm2 && !k.asymmetric():
		return kmsapi.UnsupportedOperationException("WrappingAlgorithm %s is not supported for key spec %s.", algorithm, k.Spec)
	case oaep && k.Spec == kmsapi.KeySpecEccNistP521 && wrapping == kmsapi.WrappingKeySpecRsa2048:
		return kmsapi.UnsupportedOperationException("WrappingKeySpec %s is too short for WrappingAlgorithm %s and key spec %s.", wrapping, algorithm, k.Spec)
	}
	return nil
}

// importKeyMaterial gives a key its first material, or back the material that it has lost, or new material that waits for
// the next rotation.
func (s *Service) importKeyMaterial(ctx context.Context, c *service.Call, in *kmsapi.ImportKeyMaterialRequest, t *keyTarget) (*kmsapi.ImportKeyMaterialResponse, error) {
	assume(c, "expirationModel", &in.ExpirationModel, kmsapi.ExpirationModelTypeKeyMaterialExpires)
	if err := checkExpiry(in, c.Now); err != nil {
		return nil, err
	}
	if err := checkImport(in, t.key); err != nil {
		return nil, err
	}
	made, err := s.hsm.Import(ctx, t.key.binding(), t.key.Region, in.ImportToken, in.EncryptedKeyMaterial, c.Now)
	if err != nil {
		return nil, importError(err, t.key)
	}
	m := newMaterial(made, c.Now)
	if in.ValidTo != nil {
		m.ValidTo = in.ValidTo.UTC()
	}
	if in.KeyMaterialDescription != nil {
		m.Description = *in.KeyMaterialDescription
	}
	if isNew(in, t.key) {
		err = s.importNew(ctx, in, t, m)
	} else {
		err = s.importExisting(ctx, c, in, t, m)
	}
	if err != nil {
		return nil, err
	}
	out := &kmsapi.ImportKeyMaterialResponse{KeyId: new(t.key.ARN())}
	if t.key.symmetric() {
		out.KeyMaterialId = &m.ID
	}
	return out, nil
}

// checkExpiry refuses an expiration model that ValidTo does not fit.
func checkExpiry(in *kmsapi.ImportKeyMaterialRequest, now time.Time) error {
	expires := *in.ExpirationModel == kmsapi.ExpirationModelTypeKeyMaterialExpires
	switch {
	case expires && in.ValidTo == nil:
		return api.ValidationException("A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES")
	case !expires && in.ValidTo != nil:
		return api.ValidationException("A validTo date must not be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE")
	case expires && !in.ValidTo.After(now):
		return api.ValidationException("The validTo date must be in the future.")
	case expires && in.ValidTo.After(now.Add(days(maxMaterialDays))):
		return api.ValidationException("The validTo date must be within %d days.", maxMaterialDays)
	}
	return nil
}

// checkImport refuses members that are not for such a key: only symmetric encryption keys have more than one set of
// material, to be named and described, and relatives share the description that their primary key is given.
func checkImport(in *kmsapi.ImportKeyMaterialRequest, k *Key) error {
	asNew := in.ImportType != nil && *in.ImportType == kmsapi.ImportTypeNewKeyMaterial
	switch {
	case !k.symmetric() && (in.ImportType != nil || in.KeyMaterialDescription != nil || in.KeyMaterialId != nil):
		return kmsapi.UnsupportedOperationException("ImportType, KeyMaterialDescription and KeyMaterialId are not supported for key spec %s.", k.Spec)
	case asNew && in.KeyMaterialId != nil:
		return api.ValidationException("KeyMaterialId cannot be specified with ImportType %s.", *in.ImportType)
	case k.replica() && (asNew || in.KeyMaterialDescription != nil):
		return notPrimary(k)
	}
	return nil
}

// importError is the answer to what the hsm refuses.
func importError(err error, k *Key) error {
	switch {
	case errors.Is(err, hsm.ErrToken):
		return kmsapi.InvalidImportTokenException("The import token is not valid for the key %s.", k.ARN())
	case errors.Is(err, hsm.ErrTokenExpired):
		return kmsapi.ExpiredImportTokenException("The import token has expired.")
	case errors.Is(err, hsm.ErrMaterial):
		return kmsapi.IncorrectKeyMaterialException("The key material is not valid for key spec %s.", k.Spec)
	}
	return invalidCiphertext(err)
}

// isNew says whether material is to be new to the key. It is not written into the request: what is left out means
// another thing when the import is tried again because somebody else has been faster.
func isNew(in *kmsapi.ImportKeyMaterialRequest, k *Key) bool {
	if in.ImportType != nil {
		return *in.ImportType == kmsapi.ImportTypeNewKeyMaterial
	}
	return len(k.Materials) == 0 && !k.replica()
}

// importNew makes m the first material of a key, current at once, or else the one that waits for a rotation. Relatives
// learn of it, and have to import it too.
func (s *Service) importNew(ctx context.Context, in *kmsapi.ImportKeyMaterialRequest, t *keyTarget, m Material) error {
	switch pending := t.key.Pending; {
	case in.KeyMaterialId != nil && *in.KeyMaterialId != m.ID:
		return kmsapi.IncorrectKeyMaterialException("The key material is not the one that KeyMaterialId names.")
	case t.key.importedAs(m.ID) != nil:
		return kmsapi.IncorrectKeyMaterialException("The key material (id: %s) is already associated with the key %s.", m.ID, t.key.ARN())
	case pending != nil:
		return kmsapi.KMSInvalidStateException("New key material (id: %s) cannot be imported into KMS key %s, because another key material (id: %s) is pending rotation.", m.ID, t.key.ARN(), pending.ID)
	}
	_, err := s.share(ctx, t, store.Txn{}, func(k *Key) {
		own := m
		switch k.Region {
		case t.key.Region:
			if len(k.Materials) == 0 {
				k.State = kmsapi.KeyStateEnabled
			}
		default: // a relative, whose state is its own
			own.Wrapped, own.ValidTo = nil, time.Time{}
		}
		if len(k.Materials) > 0 {
			k.Pending = &own
			return
		}
		k.Materials = []Material{own}
	})
	return err
}

// importExisting brings back material that the key has, or changes its expiry. When nothing is missing any more, the key
// is enabled (KMS Developer Guide, "Reimporting key material").
func (s *Service) importExisting(ctx context.Context, c *service.Call, in *kmsapi.ImportKeyMaterialRequest, t *keyTarget, m Material) error {
	if t.key.importedAs(m.ID) == nil || in.KeyMaterialId != nil && *in.KeyMaterialId != m.ID {
		return kmsapi.IncorrectKeyMaterialException("The key material is not the one that was imported into the key %s before.", t.key.ARN())
	}
	here := func(k *Key) {
		old, missing := k.importedAs(m.ID), !k.complete(c.Now)
		old.Wrapped, old.Public, old.ValidTo = m.Wrapped, m.Public, m.ValidTo
		if missing && k.complete(c.Now) {
			k.State = kmsapi.KeyStateEnabled
		}
	}
	if in.KeyMaterialDescription == nil {
		k := t.key.clone()
		here(k)
		return s.save(ctx, t, k, store.Txn{})
	}
	_, err := s.share(ctx, t, store.Txn{}, func(k *Key) {
		if k.Region == t.key.Region {
			here(k)
		}
		if known := k.importedAs(m.ID); known != nil {
			known.Description = m.Description
		}
	})
	return err
}

// importedAs returns the key's material of an id, pending or not, here or not; nil when it has none.
func (k *Key) importedAs(id string) *Material {
	for m := range k.allMaterial() {
		if m.ID == id {
			return m
		}
	}
	return nil
}

// deleteImportedKeyMaterial destroys imported material: by its id, or the current one. The key keeps waiting for just
// this material. What only waits for a rotation is forgotten altogether, and by all relatives, when the primary key is
// told so; a replica only loses its copy.
func (s *Service) deleteImportedKeyMaterial(ctx context.Context, c *service.Call, in *kmsapi.DeleteImportedKeyMaterialRequest, t *keyTarget) (*kmsapi.DeleteImportedKeyMaterialResponse, error) {
	out := &kmsapi.DeleteImportedKeyMaterialResponse{KeyId: new(t.key.ARN())}
	m, err := deletionTarget(in, t.key)
	if m == nil {
		return out, err
	}
	if t.key.symmetric() {
		out.KeyMaterialId = &m.ID
	}
	defer s.hsm.Forget(t.key.material(m))
	if t.key.Pending == m && !t.key.replica() {
		_, err := s.share(ctx, t, store.Txn{}, func(k *Key) { k.Pending = nil })
		return out, err
	}
	if len(m.Wrapped) == 0 {
		return out, nil
	}
	k := t.key.clone()
	gone := k.importedAs(m.ID)
	gone.Wrapped, gone.ValidTo = nil, time.Time{}
	return out, s.save(ctx, t, k, store.Txn{})
}

// deletionTarget is the material to delete; nil when none was ever imported.
func deletionTarget(in *kmsapi.DeleteImportedKeyMaterialRequest, k *Key) (*Material, error) {
	switch {
	case in.KeyMaterialId == nil && len(k.Materials) == 0:
		return nil, nil
	case in.KeyMaterialId == nil:
		return &k.Materials[len(k.Materials)-1], nil
	case !k.symmetric():
		return nil, kmsapi.UnsupportedOperationException("KeyMaterialId is not supported for key spec %s.", k.Spec)
	}
	m := k.importedAs(*in.KeyMaterialId)
	if m == nil {
		return nil, kmsapi.NotFoundException("The key %s has no key material with id %s.", k.ARN(), *in.KeyMaterialId)
	}
	return m, nil
}
