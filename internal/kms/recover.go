package kms

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/policy"
)

// ErrNoKey says that there is no key with an ARN.
var ErrNoKey = errors.New("kms: there is no such key")

// RecoverPolicy gives a key another policy, whatever the one it has allows: the way back when a policy has locked
// everybody out, where AWS says to ask its support. It is for whoever holds the server's data, not for callers; the log
// has one record of it, with the new policy's SHA-256, before it happens. An empty text stands for the default policy,
// which leaves the key to its account.
func (s *Service) RecoverPolicy(ctx context.Context, keyARN, text string) error {
	a, err := arn.Parse(keyARN)
	id, ok := strings.CutPrefix(a.Resource, "key/")
	if err != nil || a.Service != "kms" || !ok || !arn.IsAccount(a.Account) || !arn.IsRegion(a.Region) || !isKeyID(id) {
		return fmt.Errorf("%w: %q is not a key's ARN", ErrNoKey, keyARN)
	}
	given := text
	if text != "" {
		if len(text) > policy.KeyBytes {
			return fmt.Errorf("the policy is %d bytes long; the most is %d", len(text), policy.KeyBytes)
		}
		if _, err := policy.Parse(policy.Key, text); err != nil {
			return err
		}
		if text, err = s.withIDs(ctx, text); err != nil {
			return err
		}
	}
	for recorded := false; ; recorded = true {
		t, err := s.recoverable(ctx, a, id)
		if err != nil {
			return err
		}
		if !recorded { // somebody else being faster does not make it two recoveries
			if err := s.audit(ctx, recoverEvent(t.key, given, s.clock.Now())); err != nil {
				return err
			}
		}
		changed := t.key.clone()
		changed.Policy = text
		if err := s.save(ctx, t, changed, store.Txn{}); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

// recoverable returns the key with an ARN, whose policy must be one that changes.
func (s *Service) recoverable(ctx context.Context, a arn.ARN, id string) (*keyTarget, error) {
	k, revision, err := s.get(ctx, s.clock.Now(), a.Account, a.Region, id)
	switch {
	case err != nil:
		return nil, err
	case k == nil:
		return nil, ErrNoKey
	case k.Service != "":
		return nil, errors.New("the policy of a key that an AWS service manages does not change")
	}
	return &keyTarget{key: k, revision: revision}, nil
}

// recoverEvent is the record of a key's recovery. It has the digest of the policy as it was given, so that whoever has
// the file can compare.
func recoverEvent(k *Key, given string, now time.Time) *audit.Event {
	return &audit.Event{
		Time: now, Source: source, Name: "RecoverKeyPolicy", Region: k.Region, Account: k.Account, EventType: audit.ServiceEvent,
		Resources:           []audit.Resource{{ARN: k.ARN(), AccountID: k.Account, Type: "AWS::KMS::Key"}},
		ServiceEventDetails: []byte(`{"keyId":"` + k.ID + `","policySha256":"` + digest([]byte(cmp.Or(given, defaultPolicy(k.Account)))) + `"}`),
	}
}
