package server

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/trent-kms/trent/internal/admin"
	"github.com/trent-kms/trent/internal/hsm"
	"github.com/trent-kms/trent/internal/hsm/root"
	"github.com/trent-kms/trent/internal/kms"
	"github.com/trent-kms/trent/internal/store"
)

// What happens to the whole state of a development server. Every other request sees the state before or the state
// after: it has been answered before the change begins, or it begins after the change.

// replaceTimeout bounds a change of the state, which goes on when its caller hangs up.
const replaceTimeout = 5 * time.Minute

// reset empties the server. What is left is the deployment, at the real time, and what the seed makes.
func (s *Server) reset(ctx context.Context) error {
	return s.exchange(ctx, nil, s.config.Seed)
}

// snapshot returns the state of this moment. The domain keys in it are sealed by the public root key.
func (s *Server) snapshot(ctx context.Context) ([]store.Record, error) {
	if err := s.current.keys.FlushUsage(ctx); err != nil {
		return nil, err
	}
	page, err := s.config.Store.Range(ctx, "", "", 1<<30) // one page is of one moment
	if err != nil {
		return nil, err
	}
	for i := range page.Records {
		if r := &page.Records[i]; r.Key == deploymentKey {
			if r.Value, err = resealDeployment(ctx, r.Value, s.config.Root, root.Public()); err != nil {
				return nil, err
			}
		}
	}
	return page.Records, nil
}

// restore makes records the state. They come from outside: that they are those of a development server, and open, is
// found out before anything is changed.
func (s *Server) restore(ctx context.Context, records []store.Put) error {
	found := false
	for i := range records {
		switch r := &records[i]; {
		case r.Key == deploymentKey:
			value, err := resealDeployment(ctx, r.Value, root.Public(), s.config.Root)
			if err != nil {
				return fmt.Errorf("%w: %w", admin.ErrSnapshot, err)
			}
			found, r.Value = true, value
		case !isState(r.Key):
			return fmt.Errorf("%w: it has a record %q, which belongs to no state", admin.ErrSnapshot, r.Key)
		}
	}
	if !found {
		return fmt.Errorf("%w: it has no deployment", admin.ErrSnapshot)
	}
	return s.exchange(ctx, records, nil)
}

// isState says whether a record may come from a snapshot. The mark of a wipe may not: it would empty the server.
func isState(key string) bool {
	return key != wipeKey && (strings.HasPrefix(key, "kms/") || strings.HasPrefix(key, "iam/") || strings.HasPrefix(key, "trent/"))
}

// resealDeployment returns the record of a development server's deployment with its domain keys sealed by another root.
func resealDeployment(ctx context.Context, value []byte, from, to root.Root) ([]byte, error) {
	d, err := decodeDeployment(value)
	switch {
	case err != nil:
		return nil, err
	case !d.Dev:
		return nil, ErrMode
	}
	if d.Domain, err = hsm.Reseal(ctx, from, to, d.name(), d.Domain); err != nil {
		return nil, err
	}
	return json.Marshal(d)
}

// exchange ends the services, puts records in the place of all that the store holds, and begins services anew. Its caller
// is itself a request under way, whose turn ends meanwhile, so that two of them do not wait for each other.
func (s *Server) exchange(ctx context.Context, records []store.Put, seed []kms.SeedKey) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), replaceTimeout)
	defer cancel()
	s.turn.RUnlock()
	defer s.turn.RLock()
	s.turn.Lock()
	defer s.turn.Unlock()
	if s.current == nil {
		return errBroken
	}
	err := s.end()
	if err == nil {
		err = replace(ctx, s.config.Store, records)
	}
	if err == nil {
		err = s.open(ctx, seed)
	}
	if err != nil {
		// What the store holds now is nobody's state: nothing is served until a start has tidied up.
		s.config.Log.Error("the state could not be replaced: start the server again", "error", err)
		s.broken.Store(true)
		_ = s.end() // they have not begun to serve
	}
	return err
}

// wipeKey is the mark of a store whose records are being replaced. A start that finds it empties the store, for what is
// there is neither the old state nor the new one.
const wipeKey = "trent/wipe"

// replace deletes all records but the deployment's and puts others in their place, in as many transactions as that
// takes. The last one replaces the deployment's, if there is another, and takes the mark away.
func replace(ctx context.Context, st store.Store, records []store.Put) error {
	if _, err := st.Commit(ctx, store.Txn{Puts: []store.Put{{Key: wipeKey}}}); err != nil {
		return err
	}
	if err := deleteState(ctx, st); err != nil {
		return err
	}
	last := store.Txn{Deletes: []string{wipeKey}}
	var t store.Txn
	size := 0
	for _, r := range records {
		if r.Key == deploymentKey {
			last.Puts = []store.Put{r}
			continue
		}
		if size += len(r.Value); size > store.MaxValueBytes || len(t.Puts) == store.MaxOps {
			if _, err := st.Commit(ctx, t); err != nil {
				return err
			}
			t, size = store.Txn{}, len(r.Value)
		}
		t.Puts = append(t.Puts, r)
	}
	if _, err := st.Commit(ctx, t); err != nil {
		return err
	}
	_, err := st.Commit(ctx, last)
	return err
}

// deleteState deletes all records but the deployment's and the mark.
func deleteState(ctx context.Context, st store.Store) error {
	for after := ""; ; {
		page, err := st.Range(ctx, "", after, store.MaxOps)
		if err != nil {
			return err
		}
		var t store.Txn
		for _, r := range page.Records {
			if after = r.Key; r.Key != deploymentKey && r.Key != wipeKey {
				t.Deletes = append(t.Deletes, r.Key)
			}
		}
		if _, err := st.Commit(ctx, t); err != nil || !page.More {
			return err
		}
	}
}

// finishWipe empties a store whose records were being replaced when a server ended.
func finishWipe(ctx context.Context, st store.Store) error {
	mark, err := st.Get(ctx, wipeKey)
	if err != nil || mark.Revision == 0 {
		return err
	}
	return replace(ctx, st, nil)
}
