package kms

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/policy"
)

// ErrNoKey says that there is no key with an ARN.
var ErrNoKey = errors.New("kms: there is no such key")

// RecoverPolicy gives a key another policy, whatever the one it has allows: the way back when a policy has locked
// everybody out, where AWS says to ask its support. It is for whoever holds the server's data, not for callers; the log
// has a record of it before it happens. An empty text stands for the default policy, which leaves the key to its account.
func (s *Service) RecoverPolicy(ctx context.Context, keyARN, text string) error {
	a, err := arn.Parse(keyARN)
	id, ok := strings.CutPrefix(a.Resource, "key/")
	if err != nil || a.Service != "kms" || !ok || !arn.IsAccount(a.Account) || !arn.IsRegion(a.Region) || !isKeyID(id) {
		return fmt.Errorf("%w: %q is not a key's ARN", ErrNoKey, keyARN)
	}
	if text != "" {
		if len(text) > maxPolicyBytes {
			return fmt.Errorf("the policy is %d bytes long; the most is %d", len(text), maxPolicyBytes)
		}
		if _, err := policy.Parse(policy.Key, text); err != nil {
			return err
		}
		if text, err = s.withIDs(ctx, text); err != nil {
			return err
		}
	}
	for {
		if err := s.recoverPolicy(ctx, a, id, text); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

func (s *Service) recoverPolicy(ctx context.Context, a arn.ARN, id, text string) error {
	now := s.clock.Now()
	k, revision, err := s.get(ctx, now, a.Account, a.Region, id)
	if err != nil {
		return err
	}
	if k == nil {
		return ErrNoKey
	}
	if k.Service != "" {
		return errors.New("the policy of a key that an AWS service manages does not change")
	}
	err = s.audit(ctx, &audit.Event{
		Time: now, Source: source, Name: "RecoverKeyPolicy", Region: k.Region, Account: k.Account, EventType: audit.ServiceEvent,
		Resources: []audit.Resource{{ARN: k.ARN(), AccountID: k.Account, Type: "AWS::KMS::Key"}},
	})
	if err != nil {
		return err
	}
	changed := k.clone()
	changed.Policy = text
	return s.save(ctx, &keyTarget{key: k, revision: revision}, changed, store.Txn{})
}
