package kms

import (
	"context"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/service"
)

// Operations is the service's table, in the order of the API reference.
func (s *Service) Operations() []service.Operation {
	return []service.Operation{
		onKey(s, "CancelKeyDeletion", keyOnly, write|logAnswer, s.cancelKeyDeletion),
		define("CreateAlias", write|logKey, s.resolveCreateAlias, checkAlias, s.createAlias),
		define("CreateKey", write|logAnswer, service.NoResource[kmsapi.CreateKeyRequest]("kms:CreateKey"), nil, s.createKey),
		define("Decrypt", read, s.resolveDecrypt, checkSource, s.decrypt),
		define("DeleteAlias", write|logKey, s.resolveDeleteAlias, checkAlias, s.deleteAlias),
		onKey(s, "DescribeKey", anyForm, read, s.describeKey),
		onKey(s, "DisableKey", keyOnly, write|logKey, s.disableKey),
		onKey(s, "EnableKey", keyOnly, write|logKey, s.enableKey),
		onKey(s, "Encrypt", anyForm, read, s.encrypt),
		onKey(s, "GenerateDataKey", anyForm, read, s.generateDataKey),
		onKey(s, "GenerateDataKeyWithoutPlaintext", anyForm, read, s.generateDataKeyWithoutPlaintext),
		define("GenerateRandom", read, service.NoResource[kmsapi.GenerateRandomRequest]("kms:GenerateRandom"), nil, s.generateRandom),
		onKey(s, "GetKeyPolicy", keyOnly, read, s.getKeyPolicy),
		define("ListAliases", read, s.resolveListAliases, nil, s.listAliases),
		onKey(s, "ListKeyPolicies", keyOnly, read, s.listKeyPolicies),
		define("ListKeys", read, service.NoResource[kmsapi.ListKeysRequest]("kms:ListKeys"), nil, s.listKeys),
		onKey(s, "ListResourceTags", keyOnly, read, s.listResourceTags),
		onKey(s, "PutKeyPolicy", keyOnly, write, s.putKeyPolicy),
		define("ReEncrypt", read, s.resolveReEncrypt, checkReEncrypt, s.reEncrypt),
		onKey(s, "ScheduleKeyDeletion", keyOnly, write|logAnswer, s.scheduleKeyDeletion),
		onKey(s, "TagResource", keyOnly, write|logKey, s.tagResource),
		onKey(s, "UntagResource", keyOnly, write|logKey, s.untagResource),
		define("UpdateAlias", write|logKey, s.resolveUpdateAlias, checkAlias, s.updateAlias),
		onKey(s, "UpdateKeyDescription", keyOnly, write, s.updateKeyDescription),
	}
}

// traits say what an operation's audit record shows.
type traits uint8

const (
	read  traits = 0
	write traits = 1 << iota
	logAnswer
	// logKey writes the key's ARN as keyId into responseElements although the answer is empty, as CloudTrail does.
	logKey
)

// target is what the operations of this package act on.
type target interface {
	service.Target
	arn() string // of the key, for logKey
}

// define makes a row: besides the operation's own steps, what all operations of the API share: grant tokens and
// DryRun.
func define[In, Out any, T service.Target, PIn interface {
	*In
	api.Input
}, POut interface {
	*Out
	api.Output
}](name string, is traits,
	resolve func(context.Context, *service.Call, *In) (T, error),
	check func(*service.Call, *In, T) error,
	handle func(context.Context, *service.Call, *In, T) (*Out, error),
) service.Operation {
	row := service.Row[In, Out, T]{
		Name: name, ReadOnly: is&write == 0, Resolve: resolve,
		Check: check,
		Handle: func(ctx context.Context, c *service.Call, in *In, t T) (*Out, error) {
			common := PIn(in).Common()
			if len(common.GrantTokens) > 0 {
				// No grant has been made in this version, so no token can be valid.
				return nil, kmsapi.InvalidGrantTokenException("")
			}
			out, err := handle(ctx, c, in, t)
			if err == nil && common.DryRun {
				// What has DryRun changes nothing, so it may run; only its answer is withheld.
				return nil, kmsapi.DryRunOperationException("The request would have succeeded, but the DryRun option is set.")
			}
			return out, err
		},
	}
	switch {
	case is&logAnswer != 0:
		row.LogAnswer = func(out *Out, _ T) []byte { return POut(out).AppendAudit(nil) }
	case is&logKey != 0:
		row.LogAnswer = func(_ *Out, t T) []byte {
			return append(api.AppendText([]byte(`{"keyId":`), any(t).(target).arn()), `}`...)
		}
	}
	return service.Define[In, Out, T, PIn, POut](row)
}

// onKey makes the row of an operation on the one key that KeyId names.
func onKey[In, Out any, PIn interface {
	*In
	api.Input
}, POut interface {
	*Out
	api.Output
}](s *Service, name string, f forms, is traits,
	handle func(context.Context, *service.Call, *In, *keyTarget) (*Out, error),
) service.Operation {
	action := "kms:" + name
	resolve := func(ctx context.Context, c *service.Call, in *In) (*keyTarget, error) {
		return s.resolve(ctx, c, action, *PIn(in).Common().KeyID, f)
	}
	return define[In, Out, *keyTarget, PIn, POut](name, is, resolve, checkKey, handle)
}

// checkKey refuses what the key's state does not allow.
func checkKey[In any](c *service.Call, _ *In, t *keyTarget) error {
	return checkState(c.Operation, t.key, c.Now)
}

func (t *keyTarget) arn() string { return t.key.ARN() }
