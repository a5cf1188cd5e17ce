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
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/uuid"
)

// making is the target of CreateKey: the key that does not exist yet.
type making struct{ *Service }

// Access is the making of a key, and its tagging if it has tags. There is no key yet whose policy could have a say.
func (t making) Access(c *service.Call) []authz.Access {
	return makingAccess(c, t.Service, "", len(c.Input.(*createKeyRequest).Tags) > 0)
}

// makingAccess is the making of a key in a Region; empty: of the request.
func makingAccess(c *service.Call, s *Service, region string, tagged bool) []authz.Access {
	all := []authz.Access{{Action: createAction}}
	if tagged {
		all = append(all, authz.Access{Action: tagAction})
	}
	for i := range all {
		x := &all[i]
		x.Resource, x.Account, x.Region = "*", c.Caller.Account, region
		x.Context = &conditions{service: s, call: c, action: x.Action}
	}
	return all
}

func (s *Service) resolveCreateKey(context.Context, *service.Call, *createKeyRequest) (making, error) {
	return making{s}, nil
}

// createKey makes a key in the caller's account and the Region of the request. One of origin EXTERNAL waits for its
// material.
func (s *Service) createKey(ctx context.Context, c *service.Call, in *createKeyRequest, _ making) (*kmsapi.CreateKeyResponse, error) {
	if err := s.checkCustom(in); err != nil {
		return nil, err
	}
	k, err := s.newKey(ctx, c, in)
	if err != nil {
		return nil, err
	}
	if in.custom.id != nil {
		if err := s.checkFree(ctx, c, k); err != nil {
			return nil, err
		}
	}
	var t store.Txn
	if err := s.addKey(ctx, &t, k); err != nil {
		return nil, err
	}
	if err := s.commit(ctx, t); err != nil {
		return nil, err
	}
	record(c, k)
	return &kmsapi.CreateKeyResponse{KeyMetadata: k.metadata(c.Now)}, nil
}

// newKey is the key that a request describes, without material unless the request brings it along.
func (s *Service) newKey(ctx context.Context, c *service.Call, in *createKeyRequest) (*Key, error) {
	defer assume(c, bypassMember, &in.BypassPolicyLockoutSafetyCheck, false) // whether it was sent, policies may ask until then
	if err := createDefaults(&in.CreateKeyRequest); err != nil {
		return nil, at("usage", err)
	}
	if err := buildable(&in.CreateKeyRequest); err != nil {
		return nil, at("spec, usage and origin", err)
	}
	k := &Key{
		Version: recordVersion, Account: c.Caller.Account, Region: c.Region, ID: uuid.New(), Created: c.Now,
		Description: *in.Description, Spec: *in.KeySpec, Usage: *in.KeyUsage, Origin: *in.Origin, State: kmsapi.KeyStateEnabled,
		Materials: []Material{},
	}
	if *in.MultiRegion {
		k.ID, k.MultiRegion = "mrk-"+strings.ReplaceAll(k.ID, "-", ""), &MultiRegion{Primary: c.Region}
	}
	if err := s.customize(ctx, k, in.custom); err != nil {
		return nil, err
	}
	var err error
	if k.Tags, err = newTags(in.Tags); err != nil {
		return nil, at("tags", err)
	}
	if in.Policy != nil {
		if err := s.setPolicy(ctx, c, k, *in.Policy, in.BypassPolicyLockoutSafetyCheck); err != nil {
			return nil, at("policy", err)
		}
	}
	return k, nil
}

// addKey gives a new key its first material, if it has none, and adds its record to a transaction.
func (s *Service) addKey(ctx context.Context, t *store.Txn, k *Key) error {
	if !k.external() && len(k.Materials) == 0 {
		made, err := s.hsm.GenerateKey(ctx, k.binding())
		if err != nil {
			return unsupported(err)
		}
		k.Materials = []Material{newMaterial(made, k.Created)}
	}
	return s.put(t, nil, k, 0)
}

// unsupported is the answer to a spec or algorithm that FIPS 140-3 mode does not serve, and to one more RSA key than can be
// made now.
func unsupported(err error) error {
	if errors.Is(err, hsm.ErrBusy) {
		return api.ThrottlingException("Too many RSA keys are being made. Try again later.")
	}
	if errors.Is(err, hsm.ErrNotApproved) {
		return kmsapi.UnsupportedOperationException("This server runs in FIPS 140-3 mode, which does not allow it: %s.", err)
	}
	return err
}

// createDefaults fills in what the caller left out, so that the audit record shows what was made. Both names of the spec
// then share one value: by that a second attempt, after a conflict, tells them from two that the caller has sent.
func createDefaults(in *kmsapi.CreateKeyRequest) error {
	deprecated := (*kmsapi.KeySpec)(in.CustomerMasterKeySpec)
	switch {
	case in.KeySpec != nil && deprecated != nil && in.KeySpec != deprecated:
		return api.ValidationException("You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.")
	case in.KeySpec == nil && deprecated != nil:
		in.KeySpec = deprecated
	case in.KeySpec == nil:
		in.KeySpec = new(kmsapi.KeySpecSymmetricDefault)
	}
	in.CustomerMasterKeySpec = (*kmsapi.CustomerMasterKeySpec)(in.KeySpec)
	if in.KeyUsage == nil {
		if *in.KeySpec != kmsapi.KeySpecSymmetricDefault {
			return api.ValidationException("You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.")
		}
		in.KeyUsage = new(kmsapi.KeyUsageTypeEncryptDecrypt)
	}
	fill(&in.Description, "")
	fill(&in.Origin, kmsapi.OriginTypeAwsKms)
	fill(&in.MultiRegion, false)
	return nil
}

// buildable refuses what cannot be made.
func buildable(in *kmsapi.CreateKeyRequest) error {
	_, fits := algorithmsOf(*in.KeySpec, *in.KeyUsage)
	switch {
	case !fits:
		return api.ValidationException("KeyUsage %s is not compatible with KeySpec %s", *in.KeyUsage, *in.KeySpec)
	case *in.Origin == kmsapi.OriginTypeAwsCloudhsm, *in.Origin == kmsapi.OriginTypeExternalKeyStore:
		return kmsapi.UnsupportedOperationException("Origin %s is not built in this version of Trent.", *in.Origin)
	case *in.Origin == kmsapi.OriginTypeExternal && isPostQuantum(*in.KeySpec):
		return kmsapi.UnsupportedOperationException("KeySpec %s is not supported for Origin %s", *in.KeySpec, *in.Origin)
	case in.CustomKeyStoreId != nil || in.XksKeyId != nil:
		return api.ValidationException("CustomKeyStoreId and XksKeyId are valid only for keys in a custom key store.")
	}
	return nil
}

// fill sets an absent member to its default.
func fill[T any](p **T, v T) {
	if *p == nil {
		*p = &v
	}
}

// assume is fill for a member that a condition key tells of, which does not know defaults. The record of the call says that it
// was not sent, for those who ask later why the call was allowed.
func assume[T any](c *service.Call, name string, p **T, v T) {
	if *p == nil {
		*p = &v
		c.Event.Defaults = append(c.Event.Defaults, name)
	}
}

func isTrue(b *bool) bool { return b != nil && *b }
