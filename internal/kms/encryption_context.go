package kms

import (
	"cmp"
	"slices"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/policy"
)

// encryptionContext is the context of the access: ReEncrypt has one for each side, CreateGrant that of the constraint.
func (x *conditions) encryptionContext() map[string]string {
	switch in := x.call.Input.(type) {
	case *kmsapi.EncryptRequest:
		return in.EncryptionContext
	case *kmsapi.DecryptRequest:
		return in.EncryptionContext
	case *kmsapi.ReEncryptRequest:
		if x.action == reEncryptFrom {
			return in.SourceEncryptionContext
		}
		return in.DestinationEncryptionContext
	case *kmsapi.GenerateDataKeyRequest:
		return in.EncryptionContext
	case *kmsapi.GenerateDataKeyWithoutPlaintextRequest:
		return in.EncryptionContext
	case *kmsapi.GenerateDataKeyPairRequest:
		return in.EncryptionContext
	case *kmsapi.GenerateDataKeyPairWithoutPlaintextRequest:
		return in.EncryptionContext
	case *kmsapi.CreateGrantRequest:
		if c := in.Constraints; c != nil && c.EncryptionContextEquals != nil {
			return c.EncryptionContextEquals
		} else if c != nil {
			return c.EncryptionContextSubset
		}
	case *kmsapi.RetireGrantRequest:
		if c := x.retired(); c.Equals != nil {
			return c.Equals
		}
		return x.retired().Subset
	}
	return nil
}

// sortedPairs are the pairs of an encryption context, ready to be looked up as often as policies want.
type sortedPairs struct {
	names  []string // as they were sent
	folded []string
	values []string // of the pairs with the folded names
}

// pairs sorts the access's encryption context when it is first asked for.
func (x *conditions) pairs() *sortedPairs {
	if x.sorted == nil {
		x.sorted = sortPairs(x.encryptionContext())
	}
	return x.sorted
}

func sortPairs(context map[string]string) *sortedPairs {
	type pair struct{ folded, value string }
	pairs := make([]pair, 0, len(context))
	s := &sortedPairs{names: make([]string, 0, len(context))}
	for name, value := range context {
		pairs = append(pairs, pair{policy.Fold(name), value})
		s.names = append(s.names, name)
	}
	slices.Sort(s.names)
	slices.SortFunc(pairs, func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.folded, b.folded), cmp.Compare(a.value, b.value))
	})
	s.folded, s.values = make([]string, len(pairs)), make([]string, len(pairs))
	for i, p := range pairs {
		s.folded[i], s.values[i] = p.folded, p.value
	}
	return s
}

// contextValue is the value of one pair, whose name is compared without regard to case.
func (x *conditions) contextValue(folded string) (policy.Values, bool) {
	s := x.pairs()
	from, _ := slices.BinarySearch(s.folded, folded)
	to := from
	for to < len(s.folded) && s.folded[to] == folded {
		to++
	}
	return policy.OneOf(s.values[from:to:to])
}

func (x *conditions) contextKeys() (policy.Values, bool) {
	s := x.pairs()
	return policy.Many(s.names), len(s.names) > 0
}
