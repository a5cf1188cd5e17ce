package kms_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/kms"
	"github.com/trent-kms/trent/internal/store"
)

// The log has one record of a recovery, before it happens and however often somebody else is faster, and it has the digest of
// the policy.
func TestARecoveryIsRecordedOnce(t *testing.T) {
	given := rules(rule("Allow", `"*"`, "*", "", "kms:*"))
	for name, text := range map[string]string{"a policy": given, "the default policy": ""} {
		w := newWorld(t)
		u := w.as(alice)
		id := u.createKey()
		u.putPolicy(id, allow(u.principal(), "kms:*"))
		b := newBare(t, notClosed{w.store}, time.Hour)
		var events []*audit.Event
		b.audit = func(e *audit.Event) error {
			if events = append(events, e); len(events) == 1 {
				b.store.fail(fault{false, store.ErrConflict}, fault{false, store.ErrConflict})
			}
			return nil
		}
		if err := b.RecoverPolicy(t.Context(), u.keyARN(id), text); err != nil || b.store.left() != 0 {
			t.Fatalf("%s: %v, %d conflicts did not happen", name, err, b.store.left())
		}
		if text == "" {
			text = kms.DefaultPolicy(alice)
		}
		sum := sha256.Sum256([]byte(text))
		var details map[string]string
		if len(events) != 1 || json.Unmarshal(events[0].ServiceEventDetails, &details) != nil {
			t.Fatalf("%s: %d records: %+v", name, len(events), events)
		}
		if details["keyId"] != id || details["policySha256"] != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: the record says %v", name, details)
		}
		if got := u.policyOf(id); got != text {
			t.Errorf("%s: the key has %s", name, got)
		}
	}
}

// What cannot be written down does not happen.
func TestARecoveryThatIsNotRecordedDoesNotHappen(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	id := u.createKey()
	b := newBare(t, notClosed{w.store}, time.Hour)
	b.audit = func(*audit.Event) error { return errDisk }
	if err := b.RecoverPolicy(t.Context(), u.keyARN(id), rules(rule("Allow", `"*"`, "*", "", "kms:*"))); !errors.Is(err, errDisk) {
		t.Errorf("got %v", err)
	}
	if got := u.policyOf(id); got != kms.DefaultPolicy(alice) {
		t.Errorf("the key has %s", got)
	}
}
