package kms_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/clock"
	"github.com/trent-kms/trent/internal/hsm"
	"github.com/trent-kms/trent/internal/hsm/root"
	"github.com/trent-kms/trent/internal/kms"
	"github.com/trent-kms/trent/internal/store"
)

func TestWaitingPeriod(t *testing.T) {
	u := newWorld(t).as(alice)
	for _, row := range []struct {
		name          string
		window        *int32
		code, message string
		days          int
	}{
		{"default", nil, "", "", 30},
		{"shortest", new(int32(7)), "", "", 7},
		{"longest", new(int32(30)), "", "", 30},
		{"too short", new(int32(6)), "ValidationException", "PendingWindowInDays must be between 7 and 30 (inclusive).", 0},
		{"too long", new(int32(31)), "ValidationException", "PendingWindowInDays must be between 7 and 30 (inclusive).", 0},
		{"longest of the shape", new(int32(365)), "ValidationException", "PendingWindowInDays must be between 7 and 30 (inclusive).", 0},
		{"below the shape", new(int32(0)), "ValidationException", "1 validation error detected: Value '0' at 'pendingWindowInDays' failed to satisfy constraint: Member must have value greater than or equal to 1", 0},
		{"above the shape", new(int32(366)), "ValidationException", "1 validation error detected: Value '366' at 'pendingWindowInDays' failed to satisfy constraint: Member must have value less than or equal to 365", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			id := u.createKey()
			in := &kmsapi.ScheduleKeyDeletionRequest{KeyId: &id, PendingWindowInDays: row.window}
			if row.code != "" {
				u.refused(in, row.code, row.message)
				if got := u.keyState(id); got != "Enabled" {
					t.Errorf("the key is %s", got)
				}
				return
			}
			before := u.now().Truncate(time.Millisecond)
			got := do[kmsapi.ScheduleKeyDeletionResponse](u, in)
			after := u.now()
			if *got.KeyId != u.keyARN(id) || *got.KeyState != kmsapi.KeyStatePendingDeletion || int(*got.PendingWindowInDays) != row.days {
				t.Errorf("got %s %s %d", *got.KeyId, *got.KeyState, *got.PendingWindowInDays)
			}
			window := time.Duration(row.days) * 24 * time.Hour
			if at := *got.DeletionDate; at.Before(before.Add(window)) || at.After(after.Add(window)) {
				t.Errorf("deletion date %s", at)
			}
			k := u.describe(id)
			if !k.DeletionDate.Equal(*got.DeletionDate) || *k.Enabled || k.PendingDeletionWindowInDays != nil {
				t.Errorf("DescribeKey: %v %v %v", k.DeletionDate, *k.Enabled, k.PendingDeletionWindowInDays)
			}
		})
	}
}

func TestCancelledKeyIsDisabled(t *testing.T) {
	u := newWorld(t).as(alice)
	for _, from := range []string{"Enabled", "Disabled"} {
		id := u.createKey()
		ciphertext := u.encrypt(id, secret, nil)
		if from == "Disabled" {
			u.disable(id)
		}
		u.schedule(id)
		if got := *do[kmsapi.CancelKeyDeletionResponse](u, &kmsapi.CancelKeyDeletionRequest{KeyId: &id}).KeyId; got != u.keyARN(id) {
			t.Errorf("KeyId is %s", got)
		}
		if k := u.describe(id); *k.KeyState != kmsapi.KeyStateDisabled || k.DeletionDate != nil {
			t.Errorf("the key that was %s is %s, deletion date %v", from, *k.KeyState, k.DeletionDate)
		}
		u.must(&kmsapi.EnableKeyRequest{KeyId: &id})
		if got := u.decrypt(ciphertext, nil); got != secret {
			t.Errorf("got %q", got)
		}
	}
	u.advance("31d")
	if n := len(u.readRecords().keys); n != 2 {
		t.Errorf("%d keys are left, want 2", n)
	}
}

// A key may be scheduled, cancelled and scheduled again: the last word counts.
func TestDeletionScheduledAgain(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	u.schedule(id)
	u.advance("6d")
	u.must(&kmsapi.CancelKeyDeletionRequest{KeyId: &id})
	u.must(&kmsapi.ScheduleKeyDeletionRequest{KeyId: &id, PendingWindowInDays: new(int32(30))})
	u.advance("29d")
	if got := u.keyState(id); got != "PendingDeletion" {
		t.Errorf("one day before its date the key is %q", got)
	}
	u.advance("1d")
	if got := u.keyState(id); got != "" {
		t.Errorf("at its date the key is %q", got)
	}
}

// When the waiting period is over the key does not exist, at once; and the sweep leaves no record of it.
func TestDeletedKeyLeavesNothingBehind(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	id, other := u.createKey(), u.createKey()
	for _, name := range []string{"alias/a", "alias/b"} {
		u.createAlias(name, id)
	}
	u.must(&kmsapi.TagResourceRequest{KeyId: &id, Tags: []kmsapi.Tag{{TagKey: new("k"), TagValue: new("v")}}})
	ciphertext := u.encrypt(id, secret, nil)
	scheduled := u.schedule(id)
	u.advance("6d")
	if got := u.keyState(id); got != "PendingDeletion" {
		t.Errorf("before its date the key is %q", got)
	}
	u.advance("24h")
	u.refused(&kmsapi.CancelKeyDeletionRequest{KeyId: &id}, "NotFoundException", "Key '"+u.keyARN(id)+"' does not exist")
	u.refused(&kmsapi.DescribeKeyRequest{KeyId: new("alias/a")}, "NotFoundException", "Alias "+u.arn("alias/a")+" is not found.")
	u.refused(&kmsapi.DecryptRequest{CiphertextBlob: ciphertext}, "AccessDeniedException", strings.TrimPrefix(isHidden, "AccessDeniedException "))
	if keys := do[kmsapi.ListKeysResponse](u, &kmsapi.ListKeysRequest{}).Keys; len(keys) != 1 || *keys[0].KeyId != other {
		t.Errorf("ListKeys has %d keys", len(keys))
	}
	if aliases := do[kmsapi.ListAliasesResponse](u, &kmsapi.ListAliasesRequest{}).Aliases; len(aliases) != 0 {
		t.Errorf("ListAliases has %d aliases", len(aliases))
	}

	w.untilGone(u.keyPath(id))
	page, err := w.store.Range(t.Context(), "", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range page.Records {
		if strings.Contains(r.Key, id) || strings.Contains(string(r.Value), id) || strings.HasPrefix(r.Key, "kms/alias/") {
			t.Errorf("record %s is left", r.Key)
		}
	}
	w.checkDeleteEvent(u, id, *scheduled.DeletionDate)

	u.createAlias("alias/a", other) // the name is free again
	if got := *u.describe("alias/a").KeyId; got != other {
		t.Errorf("alias/a is key %s", got)
	}
}

// untilGone waits until the sweeper has deleted a record.
func (w *world) untilGone(path string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	page, err := w.store.Range(ctx, path, "", 1)
	if err != nil {
		w.t.Fatal(err)
	}
	if len(page.Records) == 0 {
		return
	}
	gone := errors.New("gone")
	err = w.store.Watch(ctx, path, page.Revision, func(changes []store.Change) error {
		if slices.ContainsFunc(changes, func(c store.Change) bool { return c.Key == path && c.Value == nil }) {
			return gone
		}
		return nil
	})
	if !errors.Is(err, gone) {
		w.t.Fatal(err)
	}
}

// checkDeleteEvent wants one record of the deletion, made by the service itself (KMS Developer Guide, "DeleteKey").
func (w *world) checkDeleteEvent(u user, id string, notBefore time.Time) {
	w.t.Helper()
	n := 0
	for _, e := range w.events() {
		if e.EventName != "DeleteKey" {
			continue
		}
		n++
		var answer struct{ KeyID string }
		if err := json.Unmarshal(e.ResponseElements, &answer); err != nil || answer.KeyID != u.keyARN(id) {
			w.t.Errorf("responseElements %s", e.ResponseElements)
		}
		if e.EventType != "AwsServiceEvent" || e.UserIdentity["invokedBy"] != "AWS Internal" || e.UserIdentity["accountId"] != u.account ||
			e.SourceIPAddress != "AWS Internal" || string(e.RequestParameters) != "null" || e.ReadOnly || e.RecipientAccountID != u.account ||
			!slices.Equal(e.Resources, []resource{{u.account, "AWS::KMS::Key", u.keyARN(id)}}) {
			w.t.Errorf("DeleteKey event %+v", e)
		}
		if e.EventTime.Before(notBefore.Truncate(time.Second)) {
			w.t.Errorf("DeleteKey at %s, due at %s", e.EventTime, notBefore)
		}
	}
	if n != 1 {
		w.t.Errorf("%d DeleteKey events, want 1", n)
	}
}

// The alias of a key whose time is over can be given to another key before the sweep has come by; the sweep leaves it.
// Here the sweeper is late because its disk is.
func TestNameOfDeletedKeyIsFreeBeforeTheSweep(t *testing.T) {
	u := newWorld(t).as(alice)
	gone, here := u.createKey(), u.createKey()
	u.createAlias("alias/app", gone)
	u.schedule(gone)
	sweeping, held := make(chan struct{}), make(chan struct{})
	u.faults.onWrite(u.keyPath(gone), func() {
		close(sweeping)
		<-held
	})
	u.advance("7d")
	<-sweeping
	u.createAlias("alias/app", here)
	close(held) // the sweep's transaction meets a changed alias: the next sweep will do it
	u.advance("1h")
	u.untilGone(u.keyPath(gone))
	if got := *u.describe("alias/app").KeyId; got != here {
		t.Errorf("alias/app is key %s, want %s", got, here)
	}
}

// bare is the service alone, so that a test can call Sweep when it wants to.
type bare struct {
	*kms.Service
	store *faultyStore
	clock *clock.Clock
	audit func(*audit.Event) error
}

// newBare opens a world's store as a second node would.
func newBare(t *testing.T, s store.Store, destroyAfter time.Duration) *bare {
	t.Helper()
	// No test opens again what this root has sealed.
	r := root.New()
	domain, err := hsm.Create(t.Context(), r, "test")
	if err != nil {
		t.Fatal(err)
	}
	h, err := hsm.Open(t.Context(), hsm.Config{Root: r, Deployment: "test", Domain: domain})
	if err != nil {
		t.Fatal(err)
	}
	b := &bare{store: &faultyStore{Store: s}, clock: new(clock.Clock), audit: func(*audit.Event) error { return nil }}
	cached := store.NewCached(b.store)
	t.Cleanup(func() { cached.Close() })
	b.Service = kms.New(kms.Config{
		Store: cached, HSM: h, Clock: b.clock, Audit: func(_ context.Context, e *audit.Event) error { return b.audit(e) },
		Log: slog.New(slog.DiscardHandler), DestroyAfter: destroyAfter,
	})
	return b
}

// notClosed is a store that belongs to somebody else.
type notClosed struct{ store.Store }

func (notClosed) Close() error { return nil }

// due returns a world with keys whose deletion is due for the bare service, whose clock is ahead, and not for the
// world's own.
func due(t *testing.T, n int, destroyAfter time.Duration) (*bare, user, []string) {
	t.Helper()
	w := newWorld(t)
	u := w.as(alice)
	b := newBare(t, notClosed{w.store}, destroyAfter)
	var ids []string
	for range n {
		id := u.createKey()
		u.schedule(id)
		ids = append(ids, id)
	}
	b.clock.Advance(8 * 24 * time.Hour)
	return b, u, ids
}

func TestSweepReadsOnlyWhatIsDue(t *testing.T) {
	b, u, ids := due(t, 3, 0)
	later := u.createKey()
	u.must(&kmsapi.ScheduleKeyDeletionRequest{KeyId: &later})
	if err := b.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := u.readRecords()
	for _, id := range ids {
		if all.keys[u.keyPath(id)] != nil {
			t.Errorf("key %s is left", id)
		}
	}
	if all.keys[u.keyPath(later)] == nil || len(all.indexes) != 1 {
		t.Errorf("the key that is due later, or its place in the line, is gone: %v", all.indexes)
	}
}

// No key is destroyed without a record of it.
func TestSweepDestroysNothingThatItCannotRecord(t *testing.T) {
	b, u, ids := due(t, 2, 0)
	full := errors.New("disk full")
	b.audit = func(*audit.Event) error { return full }
	if err := b.Sweep(t.Context()); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	if n := len(u.readRecords().keys); n != len(ids) {
		t.Errorf("%d keys are left, want %d", n, len(ids))
	}
}

// A key that cannot be destroyed, here because its record is damaged, keeps no other from it.
func TestSweepGoesOnAfterAnError(t *testing.T) {
	b, u, ids := due(t, 3, 0)
	path := u.keyPath(ids[0])
	good, err := u.store.Get(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	put := func(value []byte) {
		if _, err := u.store.Commit(t.Context(), store.Txn{Puts: []store.Put{{Key: path, Value: value}}}); err != nil {
			t.Fatal(err)
		}
	}
	put([]byte(`{"v":1}`))
	if err := b.Sweep(t.Context()); err == nil || !strings.Contains(err.Error(), ids[0]) {
		t.Errorf("got %v, want an error that names key %s", err, ids[0])
	}
	put(good.Value)
	if all := u.readRecords(); len(all.keys) != 1 || len(all.indexes) != 1 {
		t.Errorf("%d keys and %d deletions are left, want 1", len(all.keys), len(all.indexes))
	}
}

// A sweep that fails, whether or not the store has done what it said it had not, can be repeated.
func TestSweepAfterStoreFaults(t *testing.T) {
	for _, f := range []fault{{applied: false, err: errDisk}, {applied: true, err: errDisk}} {
		b, u, _ := due(t, 1, 0)
		b.store.fail(f)
		if err := b.Sweep(t.Context()); !errors.Is(err, errDisk) {
			t.Errorf("%+v: got %v", f, err)
		}
		u.checkRecords()
		if err := b.Sweep(t.Context()); err != nil {
			t.Errorf("%+v: the second sweep: %v", f, err)
		}
		if all := u.readRecords(); len(all.keys)+len(all.indexes) != 0 {
			t.Errorf("%+v: left: %v", f, all)
		}
	}
}

// Where destruction waits, because clocks can be wrong, a key that is due is gone for everybody and still there: it is
// destroyed when the clock has agreed for that long.
func TestDestructionWaits(t *testing.T) {
	b, u, _ := due(t, 2, 24*time.Hour)
	for _, step := range []struct {
		advance time.Duration
		left    int
	}{{0, 2}, {0, 2}, {23 * time.Hour, 2}, {time.Hour, 0}, {0, 0}} {
		b.clock.Advance(step.advance)
		if err := b.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(u.readRecords().keys); n != step.left {
			t.Errorf("%d keys are left, want %d", n, step.left)
		}
	}
	b, u, ids := due(t, 1, 24*time.Hour)
	for _, damaged := range []string{"x", `{"v":2}`, `{"v":1,"new":1}`, `{}`} {
		path := mapKeys(u.readRecords().indexes)[0]
		commit(t, u.store, store.Txn{Puts: []store.Put{{Key: path, Value: []byte(damaged)}}})
		b.clock.Advance(48 * time.Hour)
		if err := b.Sweep(t.Context()); err == nil || strings.Contains(err.Error(), "%!") {
			t.Errorf("%s: got %v", damaged, err)
		}
		if u.readRecords().keys[u.keyPath(ids[0])] == nil {
			t.Errorf("%s: destroyed on the word of a damaged record", damaged)
		}
	}
}

// A deletion record whose key was cancelled meanwhile, or never existed, goes; one whose key changed while the sweep
// looked stays for the next.
func TestSweepRemovesDeletionRecordsOfNobody(t *testing.T) {
	b, u, ids := due(t, 1, 0)
	stale := strings.Replace(mapKeys(u.readRecords().indexes)[0], ids[0], "00000000-0000-4000-8000-000000000000", 1)
	if _, err := u.store.Commit(t.Context(), store.Txn{Puts: []store.Put{{Key: stale}}}); err != nil {
		t.Fatal(err)
	}
	if err := b.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := u.readRecords(); len(left.indexes) != 0 || len(left.keys) != 0 {
		t.Errorf("left: %v", left)
	}
}

func mapKeys[K comparable, V any](m map[K]V) []K {
	var out []K
	for k := range m {
		out = append(out, k)
	}
	return out
}

// A node whose cache has not yet seen that a key was scheduled must not take the key out of the line: nothing would
// ever destroy it.
func TestSweepWithAnOldRecordInItsCacheLeavesTheLineAlone(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	id := u.createKey()
	old, err := w.store.Get(t.Context(), u.keyPath(id))
	if err != nil {
		t.Fatal(err)
	}
	u.schedule(id)
	b := newBare(t, &oldRecord{Store: notClosed{w.store}, old: old}, 0)
	b.clock.Advance(8 * 24 * time.Hour)
	if err := b.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(w.readRecords().indexes); n != 1 {
		t.Errorf("%d keys wait for their deletion, want 1", n)
	}
}

// oldRecord is a store that is read through an outdated cache.
type oldRecord struct {
	store.Store
	old store.Record
}

func (s *oldRecord) Get(ctx context.Context, key string) (store.Record, error) {
	if key == s.old.Key {
		return s.old, nil
	}
	return s.Store.Get(ctx, key)
}
