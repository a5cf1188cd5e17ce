package kms

import (
	"context"
	"strconv"
	"time"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/policy"
)

// The condition keys that say what the KMS key is, or what it is going to be.

// making returns the request that makes a key. ReplicateKey makes one like the key that it is called on.
func (x *conditions) making() *kmsapi.CreateKeyRequest {
	if x.key != nil {
		return nil
	}
	if in, ok := x.call.Input.(*createKeyRequest); ok {
		return &in.CreateKeyRequest
	}
	return nil
}

// makesReplica says that the access is the making of a replica: key is its primary key, which it is going to be like, but
// for tags and aliases.
func (x *conditions) makesReplica() bool {
	return x.call.Operation == "ReplicateKey" && x.action != "kms:ReplicateKey"
}

func (x *conditions) keySpec() (policy.Values, bool) {
	if x.key != nil {
		return present(x.key.Spec)
	}
	if in := x.making(); in != nil {
		return orDefault(in.KeySpec, kmsapi.KeySpecSymmetricDefault)
	}
	return absent()
}

func (x *conditions) keyUsage() (policy.Values, bool) {
	if x.key != nil {
		return present(x.key.Usage)
	}
	if in := x.making(); in != nil {
		return orDefault(in.KeyUsage, kmsapi.KeyUsageTypeEncryptDecrypt)
	}
	return absent()
}

func (x *conditions) keyOrigin() (policy.Values, bool) {
	if x.key != nil {
		return present(x.key.Origin)
	}
	if in := x.making(); in != nil {
		return orDefault(in.Origin, kmsapi.OriginTypeAwsKms)
	}
	return absent()
}

func (x *conditions) multiRegion() (policy.Values, bool) {
	if x.key != nil {
		return flag(x.key.MultiRegion != nil)
	}
	if in := x.making(); in != nil {
		return flag(isTrue(in.MultiRegion))
	}
	return absent()
}

func (x *conditions) multiRegionKeyType() (policy.Values, bool) {
	switch in := x.making(); {
	case x.makesReplica(), x.key != nil && x.key.replica():
		return policy.One(string(kmsapi.MultiRegionKeyTypeReplica)), true
	case x.key != nil && x.key.primary(), in != nil && isTrue(in.MultiRegion):
		return policy.One(string(kmsapi.MultiRegionKeyTypePrimary)), true
	}
	return absent()
}

func (x *conditions) resourceAliases() (policy.Values, bool) {
	if x.key == nil || len(x.key.Aliases) == 0 || x.makesReplica() {
		return absent()
	}
	return policy.Many(x.key.Aliases), true
}

// daysWithoutUse counts whole days since the last use of the key that is to be disabled or deleted, or since its
// creation.
func (x *conditions) daysWithoutUse() (policy.Values, bool) {
	switch x.call.Input.(type) {
	case *kmsapi.DisableKeyRequest, *kmsapi.ScheduleKeyDeletionRequest:
	default:
		return absent()
	}
	if x.unused == "" {
		x.unused = strconv.FormatInt(x.countUnused(), 10)
	}
	return policy.One(x.unused), true
}

func (x *conditions) countUnused() int64 {
	last := x.key.Created
	u, err := x.service.lastUse(context.Background(), x.key)
	if err != nil {
		x.service.log.Error("the last usage of a key could not be read", "key", x.key.ARN(), "error", err)
		return 0 // as if it had just been used: a condition on this key protects keys in use
	}
	if u != nil {
		last = u.At
	}
	return int64(max(0, x.call.Now.Sub(last)) / (24 * time.Hour))
}

func (x *conditions) resourceTag(name string) (policy.Values, bool) {
	if x.key == nil || x.makesReplica() {
		return absent()
	}
	return policy.TagValue(x.key.Tags, name, func(t *Tag) (key, value string) { return t.Key, t.Value })
}
