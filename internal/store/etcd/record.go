package etcd

import (
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/trent-kms/trent/internal/store"
)

// record is the record that an etcd key and value hold. The bytes were made for this answer alone.
func (s *Store) record(kv *mvccpb.KeyValue) store.Record {
	value := kv.Value
	if value == nil {
		value = []byte{} // so an empty value arrives
	}
	return store.Record{Key: strings.TrimPrefix(string(kv.Key), s.records), Value: value, Revision: kv.ModRevision}
}

func (s *Store) change(e *clientv3.Event) store.Change {
	c := store.Change(s.record(e.Kv))
	if e.Type == clientv3.EventTypeDelete {
		c.Value = nil
	}
	return c
}
