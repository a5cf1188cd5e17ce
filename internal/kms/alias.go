package kms

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
)

// Alias is an alias as it is stored, under its name. The key that it points to has the name in its own record too, and
// every transaction changes both, so that neither ever says what the other does not.
type Alias struct {
	Version int       `json:"v"`
	Target  string    `json:"target"` // key id, same account and Region
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
}

func decodeAlias(b []byte) (*Alias, error) {
	return decodeRecord(b, func(a *Alias) int { return a.Version })
}

// aliasPolicyURL is where AWS's own error text sends the reader.
const aliasPolicyURL = "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"

// maxAliases is the quota of aliases that customers create for one key (KMS Developer Guide, "Resource quotas").
const maxAliases = 50

// isAliasName says whether s is a whole alias name: the prefix, and 1 to 250 characters of the API's set.
func isAliasName(s string) bool {
	name, ok := strings.CutPrefix(s, "alias/")
	if !ok || name == "" || len(s) > 256 {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune(":/_-", rune(c)) {
			return false
		}
	}
	return true
}

// checkAliasPrefix refuses names that a customer cannot have.
func checkAliasPrefix(name string) error {
	switch {
	case !strings.HasPrefix(name, "alias/"):
		return api.ValidationException(`Alias must start with the prefix "alias/". Please see ` + aliasPolicyURL)
	case strings.HasPrefix(name, "alias/aws/"):
		return api.NotAuthorizedException("")
	}
	return nil
}

func aliasNotFound(r ref) error { return kmsapi.NotFoundException("Alias %s is not found.", r.arn()) }

// aliasTarget reads the alias that a ref names; nil for one of an AWS service that is to come into being. An alias whose
// key's waiting period is over is gone with the key.
func (s *Service) aliasTarget(ctx context.Context, c *service.Call, r ref) (*Alias, int64, error) {
	a, revision, err := s.aliases.Get(ctx, aliasPath(r.account, r.region, r.alias))
	if err != nil {
		return nil, 0, err
	}
	if a == nil && managedService(r.alias) != "" && r.account == c.Caller.Account && !c.DryRun {
		return nil, 0, nil
	}
	if a == nil {
		return nil, 0, aliasNotFound(r)
	}
	return a, revision, nil
}

// aliasChange is the target of the operations that change an alias: the alias, the key that it points to, and the key
// that it is to point to.
type aliasChange struct {
	action        string
	name          string
	alias         *Alias // nil: does not exist
	aliasRevision int64
	from, to      *keyTarget // nil where the operation has none
}

// Access is the action on the alias and on each key.
func (t *aliasChange) Access(c *service.Call) []authz.Access {
	all := []authz.Access{{
		Action: t.action, Resource: arn.KMS(c.Region, c.Caller.Account, t.name), Account: c.Caller.Account,
		Context: &conditions{call: c, action: t.action},
	}}
	for _, k := range []*keyTarget{t.from, t.to} {
		if k != nil {
			all = append(all, k.Access(c)...)
		}
	}
	return all
}

func (t *aliasChange) arn() string {
	if t.to != nil {
		return t.to.arn()
	}
	return t.from.arn()
}

// resolveAlias reads the alias itself and, if it exists, the key that it points to.
func (s *Service) resolveAlias(ctx context.Context, c *service.Call, name string) (*aliasChange, error) {
	if err := checkAliasPrefix(name); err != nil {
		return nil, err
	}
	t := &aliasChange{action: "kms:" + c.Operation, name: name}
	var err error
	t.alias, t.aliasRevision, err = s.aliases.Get(ctx, aliasPath(c.Caller.Account, c.Region, name))
	if err != nil || t.alias == nil {
		return t, err
	}
	r := ref{account: c.Caller.Account, region: c.Region, id: t.alias.Target}
	k, revision, err := s.get(ctx, c.Now, r.account, r.region, r.id)
	if err != nil {
		return nil, err
	}
	if k == nil {
		// The key's waiting period is over: so is the alias. Its record is still there to be replaced.
		t.alias = nil
		return t, nil
	}
	t.from = &keyTarget{service: s, action: t.action, ref: r, key: k, revision: revision}
	return t, nil
}

// withTarget resolves the key that the alias is to point to.
func (s *Service) withTarget(ctx context.Context, c *service.Call, t *aliasChange, id string) (*aliasChange, error) {
	var err error
	if t.to, err = s.resolve(ctx, c, t.action, id, keyOnly); err != nil {
		return nil, err
	}
	if t.to.ref.account != c.Caller.Account {
		return t, nil
	}
	c.Event.Resources = append(c.Event.Resources, audit.Resource{
		ARN: arn.KMS(c.Region, c.Caller.Account, t.name), AccountID: c.Caller.Account, Type: "AWS::KMS::Alias",
	})
	return t, nil
}

func (s *Service) resolveCreateAlias(ctx context.Context, c *service.Call, in *kmsapi.CreateAliasRequest) (*aliasChange, error) {
	t, err := s.resolveAlias(ctx, c, *in.AliasName)
	if err != nil {
		return nil, err
	}
	if !isAliasName(t.name) {
		return nil, kmsapi.InvalidAliasNameException("Alias name is not valid: %s", t.name)
	}
	if t, err = s.withTarget(ctx, c, t, *in.TargetKeyId); err != nil {
		return nil, err
	}
	t.from = nil
	return t, nil
}

func (s *Service) resolveUpdateAlias(ctx context.Context, c *service.Call, in *kmsapi.UpdateAliasRequest) (*aliasChange, error) {
	t, err := s.resolveAlias(ctx, c, *in.AliasName)
	if err != nil {
		return nil, err
	}
	if t.alias == nil {
		return nil, aliasNotFound(ref{account: c.Caller.Account, region: c.Region, alias: t.name})
	}
	return s.withTarget(ctx, c, t, *in.TargetKeyId)
}

func (s *Service) resolveDeleteAlias(ctx context.Context, c *service.Call, in *kmsapi.DeleteAliasRequest) (*aliasChange, error) {
	t, err := s.resolveAlias(ctx, c, *in.AliasName)
	if err != nil {
		return nil, err
	}
	if t.alias == nil {
		return nil, aliasNotFound(ref{account: c.Caller.Account, region: c.Region, alias: t.name})
	}
	record(c, t.from.key)
	c.Event.Resources = append(c.Event.Resources, audit.Resource{
		ARN: arn.KMS(c.Region, c.Caller.Account, t.name), AccountID: c.Caller.Account, Type: "AWS::KMS::Alias",
	})
	return t, nil
}

// checkAlias refuses what the state of the key that the alias is to point to does not allow.
func checkAlias[In any](c *service.Call, _ *In, t *aliasChange) error {
	if t.to == nil {
		return nil
	}
	return checkState(c.Operation, t.to.key, c.Now)
}

func (s *Service) createAlias(ctx context.Context, c *service.Call, _ *kmsapi.CreateAliasRequest, t *aliasChange) (*api.Empty, error) {
	if t.alias != nil {
		return nil, kmsapi.AlreadyExistsException("An alias with the name %s already exists", arn.KMS(c.Region, c.Caller.Account, t.name))
	}
	a := &Alias{Version: recordVersion, Target: t.to.key.ID, Created: c.Now, Updated: c.Now}
	return s.pointAlias(ctx, c, t, a)
}

func (s *Service) updateAlias(ctx context.Context, c *service.Call, _ *kmsapi.UpdateAliasRequest, t *aliasChange) (*api.Empty, error) {
	if t.from.key.Usage != t.to.key.Usage || family(t.from.key.Spec) != family(t.to.key.Spec) {
		return nil, api.ValidationException("The current and the new KMS key of alias %s must have the same type and key usage.", t.name)
	}
	a := *t.alias
	a.Target, a.Updated = t.to.key.ID, c.Now
	return s.pointAlias(ctx, c, t, &a)
}

// pointAlias writes an alias and the key records on both sides.
func (s *Service) pointAlias(ctx context.Context, c *service.Call, t *aliasChange, a *Alias) (*api.Empty, error) {
	path := aliasPath(c.Caller.Account, c.Region, t.name)
	p, err := s.aliases.Put(path, a)
	if err != nil {
		return nil, err
	}
	txn := store.Txn{Checks: []store.Check{{Key: path, Revision: t.aliasRevision}}, Puts: []store.Put{p}}
	if t.from == nil || t.from.key.ID != t.to.key.ID {
		if t.from != nil {
			if err := s.put(&txn, t.from.key, withoutAlias(t.from.key, t.name), t.from.revision); err != nil {
				return nil, err
			}
		}
		to := t.to.key.clone()
		if len(to.Aliases) >= maxAliases {
			return nil, kmsapi.LimitExceededException("The KMS key %s already has %d aliases, the most it can have.", to.ARN(), maxAliases)
		}
		at, _ := slices.BinarySearch(to.Aliases, t.name)
		to.Aliases = slices.Insert(to.Aliases, at, t.name)
		if err := s.put(&txn, t.to.key, to, t.to.revision); err != nil {
			return nil, err
		}
	}
	return &api.Empty{}, s.commit(ctx, txn)
}

func (s *Service) deleteAlias(ctx context.Context, c *service.Call, _ *kmsapi.DeleteAliasRequest, t *aliasChange) (*api.Empty, error) {
	path := aliasPath(c.Caller.Account, c.Region, t.name)
	txn := store.Txn{Checks: []store.Check{{Key: path, Revision: t.aliasRevision}}, Deletes: []string{path}}
	if err := s.put(&txn, t.from.key, withoutAlias(t.from.key, t.name), t.from.revision); err != nil {
		return nil, err
	}
	return &api.Empty{}, s.commit(ctx, txn)
}

func withoutAlias(k *Key, name string) *Key {
	k = k.clone()
	k.Aliases = slices.DeleteFunc(k.Aliases, func(a string) bool { return a == name })
	return k
}

// aliasFilter is the target of ListAliases: the account, or one key of it.
type aliasFilter struct {
	service.Own
	key *keyTarget
}

func (s *Service) resolveListAliases(ctx context.Context, c *service.Call, in *kmsapi.ListAliasesRequest) (*aliasFilter, error) {
	t := &aliasFilter{Own: service.Own{Action: "kms:ListAliases"}}
	if in.KeyId == nil {
		return t, nil
	}
	var err error
	t.key, err = s.resolve(ctx, c, "kms:ListAliases", *in.KeyId, keyOnly)
	c.Event.Resources = c.Event.Resources[:0] // CloudTrail names no resource for ListAliases
	return t, err
}

// Access is the listing itself; key policies have no say in it (Service Authorization Reference). Of another account's
// key nothing is listed.
func (t *aliasFilter) Access(c *service.Call) []authz.Access {
	all := t.Own.Access(c)
	if t.key != nil && t.key.key == nil {
		all = append(all, t.key.access(c))
	}
	return all
}

// listAliases lists the aliases of the account and Region, or of one key, in the order of their names.
func (s *Service) listAliases(ctx context.Context, c *service.Call, in *kmsapi.ListAliasesRequest, t *aliasFilter) (*kmsapi.ListAliasesResponse, error) {
	out := &kmsapi.ListAliasesResponse{Aliases: []kmsapi.AliasListEntry{}}
	if t.key != nil {
		return out, s.listAliasesOf(ctx, c, in, t.key.key, out)
	}
	p, err := newPager(c, in.Marker, in.Limit, 50, 100, "")
	if err != nil {
		return nil, err
	}
	prefix := aliasPrefix(c.Caller.Account, c.Region)
	out.NextMarker, out.Truncated, err = p.scan(ctx, s, prefix, func(r store.Record) (bool, error) {
		a, err := s.aliases.Decode(r)
		if err != nil {
			return false, err
		}
		k, _, err := s.get(ctx, c.Now, c.Caller.Account, c.Region, a.Target)
		if err != nil || k == nil {
			return false, err
		}
		out.Aliases = append(out.Aliases, listEntry(c, strings.TrimPrefix(r.Key, prefix), a))
		return true, nil
	})
	return out, err
}

func (s *Service) listAliasesOf(ctx context.Context, c *service.Call, in *kmsapi.ListAliasesRequest, k *Key, out *kmsapi.ListAliasesResponse) error {
	p, err := newPager(c, in.Marker, in.Limit, 50, 100, k.ID)
	if err != nil {
		return err
	}
	var page []string
	page, out.NextMarker, out.Truncated = slicePage(p, k.Aliases, func(s *string) string { return *s })
	for _, name := range page {
		a, _, err := s.aliases.Get(ctx, aliasPath(k.Account, k.Region, name))
		if err != nil {
			return err
		}
		if a == nil || a.Target != k.ID {
			continue // it has gone, or elsewhere, since the key was read
		}
		out.Aliases = append(out.Aliases, listEntry(c, name, a))
	}
	return nil
}

func listEntry(c *service.Call, name string, a *Alias) kmsapi.AliasListEntry {
	return kmsapi.AliasListEntry{
		AliasName: &name, AliasArn: new(arn.KMS(c.Region, c.Caller.Account, name)), TargetKeyId: &a.Target,
		CreationDate: &a.Created, LastUpdatedDate: &a.Updated,
	}
}
