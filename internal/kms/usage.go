package kms

import (
	"context"
	"fmt"
	"time"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/uuid"
)

// UsageBound is how long after a cryptographic operation a crash of its node can still lose that the key was used, and
// other nodes can still not know it, provided that the store takes what a flush brings in half of this time. The node
// itself knows at once. (AWS: up to an hour. KMS API Reference, GetKeyLastUsage.)
const UsageBound = 10 * time.Second

// Usage is the record of a key's last use, under usagePath. It is written by flushes (usage_flush.go) and goes when the
// key is destroyed.
type Usage struct {
	Version   int       `json:"v"`
	Operation string    `json:"operation"`
	At        time.Time `json:"at"`
	RequestID string    `json:"request_id"`
	EventID   string    `json:"event_id"` // of the call's audit record
}

func decodeUsage(b []byte) (*Usage, error) {
	return decodeRecord(b, func(u *Usage) int { return u.Version })
}

func (k *Key) usagePath() string { return "kms/usage/" + k.Account + "/" + k.Region + "/" + k.ID }

// noteUse remembers that a call used a key, and gives the call's audit record its id for that. It is on the way of every
// cryptographic operation: no store, one allocation, unless the memory for notes is full (see noteLate).
func (s *Service) noteUse(c *service.Call, k *Key) {
	if c.Event.ID == "" {
		c.Event.ID = uuid.New()
	}
	u := note{
		Usage:   Usage{Version: recordVersion, Operation: c.Operation, At: c.Now, RequestID: c.RequestID, EventID: c.Event.ID},
		created: k.Created,
	}
	if name := k.ARN(); !s.usage.put(name, &u) {
		s.noteLate(name, &u)
	}
}

// getKeyLastUsage tells of the last successful cryptographic use of the key in this Region; a multi-Region key's
// relatives have their own. Every use is tracked from the key's creation on. See UsageBound for how fresh it is.
func (s *Service) getKeyLastUsage(ctx context.Context, _ *service.Call, _ *kmsapi.GetKeyLastUsageRequest, t *keyTarget) (*kmsapi.GetKeyLastUsageResponse, error) {
	u, err := s.lastUse(ctx, t.key)
	if err != nil {
		return nil, err
	}
	last := new(kmsapi.KeyLastUsageData)
	if u != nil {
		last.Operation, last.Timestamp = new(kmsapi.KeyLastUsageTrackingOperation(u.Operation)), &u.At
		last.KmsRequestId, last.CloudTrailEventId = &u.RequestID, &u.EventID
	}
	return &kmsapi.GetKeyLastUsageResponse{
		KeyId: &t.key.ID, KeyLastUsage: last, TrackingStartDate: &t.key.Created, KeyCreationDate: &t.key.Created,
	}, nil
}

// lastUse returns the later of what this node remembers and what the store has; nil when the key was never used.
func (s *Service) lastUse(ctx context.Context, k *Key) (*Usage, error) {
	// Memory first: what a flush takes out of it afterwards is in the store by then.
	noted, found := s.usage.get(k.ARN())
	stored, _, err := s.readUsage(ctx, k)
	switch {
	case err != nil:
		return nil, err
	case found && noted.of(k) && (stored == nil || stored.At.Before(noted.At)):
		return &noted.Usage, nil
	}
	return stored, nil
}

// readUsage reads a key's record of use; nil and 0 when there is none. It goes to the store itself: no cache would know
// what another node has just written, and few ask.
func (s *Service) readUsage(ctx context.Context, k *Key) (*Usage, int64, error) {
	r, err := s.store.Get(ctx, k.usagePath())
	if err != nil || r.Revision == 0 {
		return nil, 0, err
	}
	u, err := decodeUsage(r.Value)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: last usage of key %s: %w", store.ErrCorrupt, k.ARN(), err)
	}
	return u, r.Revision, nil
}
