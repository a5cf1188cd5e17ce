package kms

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
)

// SeedKey is a key that a development server has from its start on. A field that is zero stands for what CreateKey does
// without it.
type SeedKey struct {
	Account, Region, ID   string // needed
	Spec, Usage, Origin   string // as the API names them
	Description, Policy   string
	MultiRegion, Disabled bool
	Material              string // base64 of bytes or of DER PKCS #8, or PEM; a key of origin EXTERNAL has it imported
	Tags                  map[string]string
	Aliases               []string // alias/…
	RotationPeriod        int32    // in days; 0: no automatic rotation
}

// SeedError says what is wrong with a key of a seed.
type SeedError struct {
	Number    int // of the key, counted from 1
	ID, Field string
	Err       error
}

func (e *SeedError) Error() string {
	text := e.Err.Error()
	if a, ok := errors.AsType[*api.Error](e.Err); ok && a.Message != "" {
		text = a.Message
	}
	return fmt.Sprintf("key %d (%s): %s: %s", e.Number, e.ID, e.Field, text)
}

func (e *SeedError) Unwrap() error { return e.Err }

// Seed makes keys, with their aliases, as calls of CreateKey, CreateAlias, EnableKeyRotation and DisableKey by the root of
// their account would; only that the caller chooses ids and material. A key that exists is left as it is. Before the first
// one is made all have been checked: a *SeedError means that nothing has changed.
func (s *Service) Seed(ctx context.Context, keys []SeedKey) error {
	sowing := sowing{Service: s, ids: map[string]bool{}, aliases: map[string]bool{}}
	for i := range keys {
		if err := sowing.plan(ctx, &keys[i]); err != nil {
			e := &SeedError{Number: i + 1, ID: keys[i].ID, Field: "key", Err: err}
			if f, ok := errors.AsType[*fieldError](err); ok {
				e.Field, e.Err = f.field, f.err
			}
			return e
		}
	}
	for _, p := range sowing.planned {
		if err := s.audit(ctx, seedEvent(p.key)); err != nil {
			return err
		}
		if err := s.commit(ctx, p.t); err != nil {
			return fmt.Errorf("making key %s: %w", p.key.ID, err)
		}
	}
	return nil
}

// sowing is a seed on its way into the store.
type sowing struct {
	*Service
	planned []planted
	ids     map[string]bool // taken by the seed itself: paths of keys, or account and id of multi-Region keys
	aliases map[string]bool // likewise, paths
}

// planted is a key of a seed with all that makes it.
type planted struct {
	key *Key
	t   store.Txn
}

// plan checks a key, and plans it if it does not exist.
func (s *sowing) plan(ctx context.Context, in *SeedKey) error {
	if err := s.checkAddress(in); err != nil {
		return err
	}
	if err := in.checkConstraints(); err != nil {
		return err
	}
	c := &service.Call{
		Caller: caller.RootOf(in.Account, in.Account), Region: in.Region, Operation: "CreateKey", Now: s.clock.Now(), Event: new(audit.Event),
	}
	k, err := s.newKey(ctx, c, in.request())
	if err != nil {
		return err
	}
	if err := in.settle(c, k); err != nil {
		return err
	}
	if exists, _, err := s.get(ctx, c.Now, k.Account, k.Region, k.ID); err != nil || exists != nil {
		return err
	}
	if err := s.checkFree(ctx, c, k); err != nil {
		return at("id", err)
	}
	p := planted{key: k}
	if err := s.addAliases(ctx, c, &p, in.Aliases); err != nil {
		return at("aliases", err)
	}
	if err := s.addKey(ctx, &p.t, k); err != nil {
		return at("spec", err)
	}
	s.planned = append(s.planned, p)
	return nil
}

// checkAddress tests what names the key, and that no other key of the seed has the same name.
func (s *sowing) checkAddress(in *SeedKey) error {
	name := keyPath(in.Account, in.Region, in.ID)
	if in.MultiRegion {
		name = in.Account + "/" + in.ID
	}
	switch {
	case !arn.IsAccount(in.Account):
		return at("account", fmt.Errorf("%q is not twelve digits", in.Account))
	case !arn.IsRegion(in.Region):
		return at("region", fmt.Errorf("%q is not a Region's name", in.Region))
	case s.regions != nil && !slices.Contains(s.regions, in.Region):
		return at("region", fmt.Errorf("%s is not served", in.Region))
	case !fitsKeyID(in.ID, in.MultiRegion):
		return at("id", fmt.Errorf("%q must be a UUID, or mrk- and 32 hexadecimal digits for a multi-Region key, in lower case", in.ID))
	case s.ids[name]:
		return at("id", errors.New("another key of the seed has it too"))
	}
	s.ids[name] = true
	return nil
}

// checkConstraints tests the constraints of the API, each under the name of its field.
func (in *SeedKey) checkConstraints() error {
	whole := in.request()
	for _, f := range []struct {
		field string
		in    api.Input
	}{
		{"spec", &kmsapi.CreateKeyRequest{KeySpec: whole.KeySpec}},
		{"usage", &kmsapi.CreateKeyRequest{KeyUsage: whole.KeyUsage}},
		{"origin", &kmsapi.CreateKeyRequest{Origin: whole.Origin}},
		{"description", &kmsapi.CreateKeyRequest{Description: whole.Description}},
		{"policy", &kmsapi.CreateKeyRequest{Policy: whole.Policy}},
		{"tags", &kmsapi.CreateKeyRequest{Tags: whole.Tags}},
	} {
		if err := api.Check(f.in); err != nil {
			return at(f.field, err)
		}
	}
	for _, name := range in.Aliases {
		if err := api.Check(&kmsapi.CreateAliasRequest{AliasName: &name, TargetKeyId: &in.ID}); err != nil {
			return at("aliases", err)
		}
	}
	if in.RotationPeriod == 0 {
		return nil
	}
	return at("rotation-period", api.Check(&kmsapi.EnableKeyRotationRequest{KeyId: &in.ID, RotationPeriodInDays: &in.RotationPeriod}))
}

// request is the key as CreateKey is asked for it.
func (in *SeedKey) request() *createKeyRequest {
	r := &createKeyRequest{custom: custom{id: &in.ID, material: given(in.Material)}}
	r.KeySpec, r.KeyUsage = (*kmsapi.KeySpec)(given(in.Spec)), (*kmsapi.KeyUsageType)(given(in.Usage))
	r.Origin = (*kmsapi.OriginType)(given(in.Origin))
	r.Description, r.Policy, r.MultiRegion = given(in.Description), given(in.Policy), &in.MultiRegion
	for _, name := range slices.Sorted(maps.Keys(in.Tags)) {
		r.Tags = append(r.Tags, kmsapi.Tag{TagKey: &name, TagValue: new(in.Tags[name])})
	}
	return r
}

// given is an optional member of a request.
func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// settle does to the new key what EnableKeyRotation and DisableKey do.
func (in *SeedKey) settle(c *service.Call, k *Key) error {
	if in.RotationPeriod != 0 {
		if err := checkState("EnableKeyRotation", k, c.Now); err != nil {
			return at("rotation-period", err)
		}
		k.Rotation.Period, k.Rotation.Next = in.RotationPeriod, c.Now.Add(days(in.RotationPeriod))
	}
	if in.Disabled {
		if err := checkState("DisableKey", k, c.Now); err != nil {
			return at("disabled", err)
		}
		k.State = kmsapi.KeyStateDisabled
	}
	return nil
}

// addAliases points aliases to the new key, as CreateAlias does.
func (s *sowing) addAliases(ctx context.Context, c *service.Call, p *planted, names []string) error {
	if len(names) > maxAliases {
		return fmt.Errorf("%d; a key can have %d", len(names), maxAliases)
	}
	for _, name := range names {
		t, err := s.resolveAlias(ctx, c, name)
		path := aliasPath(c.Caller.Account, c.Region, name)
		switch {
		case err != nil:
			return err
		case !isAliasName(name):
			return fmt.Errorf("%q is not a valid name", name)
		case t.alias != nil:
			return fmt.Errorf("%s exists and points to key %s", name, t.alias.Target)
		case s.aliases[path]:
			return fmt.Errorf("%s occurs twice in the seed", name)
		}
		s.aliases[path] = true
		put, err := s.Service.aliases.Put(path, &Alias{Version: recordVersion, Target: p.key.ID, Created: c.Now, Updated: c.Now})
		if err != nil {
			return err
		}
		p.t.Checks = append(p.t.Checks, store.Check{Key: path, Revision: t.aliasRevision})
		p.t.Puts = append(p.t.Puts, put)
	}
	p.key.Aliases = slices.Sorted(slices.Values(names))
	return nil
}

// seedEvent is the record of a key that is made although nobody asks for it at that moment.
func seedEvent(k *Key) *audit.Event {
	return &audit.Event{
		Time: k.Created, Source: source, Name: "CreateKey", Region: k.Region, Account: k.Account, EventType: audit.ServiceEvent,
		Resources:           []audit.Resource{{ARN: k.ARN(), AccountID: k.Account, Type: "AWS::KMS::Key"}},
		ServiceEventDetails: []byte(`{"keyId":"` + k.ID + `","createdBy":"seed"}`),
	}
}
