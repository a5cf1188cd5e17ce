package kms

import (
	"bytes"
	"context"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/service"
)

// Operations is the service's table, in the order of the API reference.
func (s *Service) Operations() []service.Operation {
	return []service.Operation{
		onKey(s, "CancelKeyDeletion", keyOnly, write|logAnswer, s.cancelKeyDeletion),
		define(s, "CreateAlias", write|logKey, s.resolveCreateAlias, checkAlias, s.createAlias),
		onKey(s, "CreateGrant", keyOnly, write|logAnswer|logKey, s.createGrant),
		define(s, "CreateKey", write|logAnswer, s.resolveCreateKey, nil, s.createKey),
		onKey(s, "Decapsulate", anyForm, use, s.decapsulate),
		define(s, "Decrypt", use, s.resolveDecrypt, checkDecrypt, s.decrypt),
		define(s, "DeleteAlias", write|logKey, s.resolveDeleteAlias, checkAlias, s.deleteAlias),
		onKey(s, "DeleteImportedKeyMaterial", keyOnly, write|logAnswer, s.deleteImportedKeyMaterial),
		onKey(s, "DeriveSharedSecret", anyForm, use, s.deriveSharedSecret),
		onKey(s, "DescribeKey", anyForm, read, s.describeKey),
		onKey(s, "DisableKey", keyOnly, write|logKey, s.disableKey),
		onKey(s, "DisableKeyRotation", keyOnly, write, s.disableKeyRotation),
		onKey(s, "EnableKey", keyOnly, write|logKey, s.enableKey),
		onKey(s, "EnableKeyRotation", keyOnly, write|logKey, s.enableKeyRotation),
		onKey(s, "Encapsulate", anyForm, use, s.encapsulate),
		onKey(s, "Encrypt", anyForm, use, s.encrypt),
		onKey(s, "GenerateDataKey", anyForm, use, s.generateDataKey),
		onKey(s, "GenerateDataKeyPair", anyForm, use, s.generateDataKeyPair),
		onKey(s, "GenerateDataKeyPairWithoutPlaintext", anyForm, use, s.generateDataKeyPairWithoutPlaintext),
		onKey(s, "GenerateDataKeyWithoutPlaintext", anyForm, use, s.generateDataKeyWithoutPlaintext),
		onKey(s, "GenerateMac", anyForm, use, s.generateMac),
		define(s, "GenerateRandom", read, service.NoResource[kmsapi.GenerateRandomRequest]("kms:GenerateRandom"), nil, s.generateRandom),
		onKey(s, "GetKeyLastUsage", keyOnly, read, s.getKeyLastUsage),
		onKey(s, "GetKeyPolicy", keyOnly, read, s.getKeyPolicy),
		onKey(s, "GetKeyRotationStatus", keyOnly, read, s.getKeyRotationStatus),
		onKey(s, "GetParametersForImport", keyOnly, read, s.getParametersForImport),
		onKey(s, "GetPublicKey", anyForm, read, s.getPublicKey),
		onKey(s, "ImportKeyMaterial", keyOnly, write|logAnswer, s.importKeyMaterial),
		define(s, "ListAliases", read, s.resolveListAliases, nil, s.listAliases),
		onKey(s, "ListGrants", keyOnly, read, s.listGrants),
		onKey(s, "ListKeyPolicies", keyOnly, read, s.listKeyPolicies),
		onKey(s, "ListKeyRotations", keyOnly, read, s.listKeyRotations),
		define(s, "ListKeys", read, service.NoResource[kmsapi.ListKeysRequest]("kms:ListKeys"), nil, s.listKeys),
		onKey(s, "ListResourceTags", keyOnly, read, s.listResourceTags),
		define(s, "ListRetirableGrants", read, resolveRetirable, nil, s.listRetirableGrants),
		onKey(s, "PutKeyPolicy", keyOnly, write, s.putKeyPolicy),
		define(s, "ReEncrypt", use, s.resolveReEncrypt, checkReEncrypt, s.reEncrypt),
		define(s, "ReplicateKey", write|logAnswer, s.resolveReplicateKey, checkReplica, s.replicateKey),
		define(s, "RetireGrant", write|logKey, s.resolveRetireGrant, checkGrant, s.retireGrant),
		onKey(s, "RevokeGrant", keyOnly, write|logKey, s.revokeGrant),
		onKey(s, "RotateKeyOnDemand", keyOnly, write|logAnswer, s.rotateKeyOnDemand),
		onKey(s, "ScheduleKeyDeletion", keyOnly, write|logAnswer, s.scheduleKeyDeletion),
		onKey(s, "Sign", anyForm, use, s.sign),
		onKey(s, "TagResource", keyOnly, write|logKey, s.tagResource),
		onKey(s, "UntagResource", keyOnly, write|logKey, s.untagResource),
		define(s, "UpdateAlias", write|logKey, s.resolveUpdateAlias, checkAlias, s.updateAlias),
		onKey(s, "UpdateKeyDescription", keyOnly, write, s.updateKeyDescription),
		define(s, "UpdatePrimaryRegion", write|logKey, s.resolveUpdatePrimaryRegion, checkPrimaries, s.updatePrimaryRegion),
		onKey(s, "Verify", anyForm, use, s.verify),
		onKey(s, "VerifyMac", anyForm, use, s.verifyMac),
	}
}

// traits say what an operation's audit record shows, and whether it counts as use of its keys.
type traits uint8

const (
	read  traits = 0
	write traits = 1 << iota
	logAnswer
	// logKey writes the key's ARN as keyId into responseElements although the answer does not have it, as CloudTrail does.
	logKey
	// use is cryptographic use, which GetKeyLastUsage tells of. It changes nothing.
	use
)

// target is what the operations of this package act on.
type target interface {
	service.Target
	arn() string // of the key, for logKey
}

// keyed is a target with keys, which are settled before anything is done.
type keyed interface {
	keys() [2]*keyTarget // nil where there is none
}

func (t *keyTarget) keys() [2]*keyTarget     { return [2]*keyTarget{t} }
func (t *reEncryptKeys) keys() [2]*keyTarget { return [2]*keyTarget{t.from.keyTarget, t.to} }
func (t *aliasChange) keys() [2]*keyTarget   { return [2]*keyTarget{t.from, t.to} }
func (t *aliasFilter) keys() [2]*keyTarget   { return [2]*keyTarget{t.key} }
func (t *primaries) keys() [2]*keyTarget     { return [2]*keyTarget{t.from} }

// user is a target of an operation that uses keys.
type user interface {
	used(s *Service, c *service.Call)
}

// define makes a row: besides the operation's own steps, what all operations of the API share: grant tokens,
// DryRun and the note of use.
func define[In, Out any, T service.Target, PIn interface {
	*In
	api.Input
}, POut interface {
	*Out
	api.Output
}](s *Service, name string, is traits,
	resolve func(context.Context, *service.Call, *In) (T, error),
	check func(*service.Call, *In, T) error,
	handle func(context.Context, *service.Call, *In, T) (*Out, error),
) service.Operation {
	row := service.Row[In, Out, T]{
		Name: name, ReadOnly: is&write == 0,
		Resolve: func(ctx context.Context, c *service.Call, in *In) (T, error) {
			t, err := resolve(ctx, c, in)
			if err == nil {
				err = s.checkGrantTokens(ctx, c, PIn(in).Common().GrantTokens)
			}
			return t, err
		},
		Check: func(ctx context.Context, c *service.Call, in *In, t T) error {
			if keyed, ok := any(t).(keyed); ok {
				for _, k := range keyed.keys() {
					if err := s.settle(ctx, c, k); err != nil {
						return err
					}
				}
			}
			if check == nil {
				return nil
			}
			return check(c, in, t)
		},
		Handle: func(ctx context.Context, c *service.Call, in *In, t T) (*Out, error) {
			out, err := handle(ctx, c, in, t)
			switch {
			case err == nil && c.DryRun:
				// Handlers change nothing in a dry run; what only computes may run, and its answer is withheld.
				return nil, kmsapi.DryRunOperationException("The request would have succeeded, but the DryRun option is set.")
			case err == nil && is&use != 0:
				any(t).(user).used(s, c)
			}
			return out, err
		},
	}
	if is&(logAnswer|logKey) != 0 {
		row.LogAnswer = func(out *Out, t T) []byte {
			shown := []byte("{")
			if is&logAnswer != 0 {
				shown = POut(out).AppendAudit(nil)
			}
			if is&logKey == 0 {
				return shown
			}
			if shown = bytes.TrimSuffix(shown, []byte("}")); len(shown) > 1 {
				shown = append(shown, ',')
			}
			return append(api.AppendText(append(shown, `"keyId":`...), any(t).(target).arn()), '}')
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
	return define[In, Out, *keyTarget, PIn, POut](s, name, is, resolve, checkKey, handle)
}

// checkKey refuses what the key's state does not allow.
func checkKey[In any](c *service.Call, _ *In, t *keyTarget) error {
	return checkState(c.Operation, t.key, c.Now)
}

func (t *keyTarget) arn() string { return t.key.ARN() }

func (t *keyTarget) used(s *Service, c *service.Call) { s.noteUse(c, t.key) }

func (t *reEncryptKeys) used(s *Service, c *service.Call) {
	s.noteUse(c, t.from.key)
	s.noteUse(c, t.to.key)
}
