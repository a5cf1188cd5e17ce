package etcd

import (
	"context"
	"fmt"
	"strconv"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/trent-kms/trent/internal/store"
)

// dataFormat is the version of the layout that the package comment describes.
const dataFormat = 1

// formatKey is the key that holds the data format. Every commit checks that it is as it was at the opening, so that a
// server which still runs cannot write into what a newer one has converted.
type formatKey struct {
	key      string
	revision int64
}

// claim reads the format, or writes it if the prefix is new.
func (f *formatKey) claim(ctx context.Context, c *clientv3.Client) error {
	resp, err := c.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(f.key), "=", 0)).
		Then(clientv3.OpPut(f.key, strconv.Itoa(dataFormat)), f.read()).
		Else(f.read()).
		Commit()
	if err != nil {
		return whose(ctx, err)
	}
	kv := resp.Responses[len(resp.Responses)-1].GetResponseRange().Kvs[0]
	f.revision = kv.ModRevision
	return checkFormat(string(kv.Value))
}

func checkFormat(value string) error {
	format, err := strconv.Atoi(value)
	switch {
	case err == nil && format == dataFormat:
		return nil
	case err == nil && format > dataFormat:
		return fmt.Errorf("%w: it has data format %d, this program knows %d", store.ErrNewerFormat, format, dataFormat)
	default:
		return fmt.Errorf("%w: data format %.20q", store.ErrCorrupt, value)
	}
}

func (f *formatKey) read() clientv3.Op { return clientv3.OpGet(f.key) }

func (f *formatKey) unchanged() clientv3.Cmp {
	return clientv3.Compare(clientv3.ModRevision(f.key), "=", f.revision)
}

// refusal returns why a transaction was not applied: resp holds the answer to read.
func (f *formatKey) refusal(resp *clientv3.TxnResponse) error {
	kvs := resp.Responses[0].GetResponseRange().Kvs
	if len(kvs) == 1 && kvs[0].ModRevision == f.revision {
		return store.ErrConflict
	}
	if len(kvs) == 0 {
		return fmt.Errorf("%w: the data format %s is gone", store.ErrCorrupt, f.key)
	}
	if err := checkFormat(string(kvs[0].Value)); err != nil {
		return err
	}
	return fmt.Errorf("%w: the data format %s was written anew since this server started", store.ErrCorrupt, f.key)
}
