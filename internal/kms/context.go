package kms

import (
	"context"
	"strconv"
	"strings"
	"time"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/policy"
)

// conditions answers for the condition keys of one access: those of the key and those of the request's parameters (KMS
// Developer Guide, "Condition keys for KMS"; Service Authorization Reference).
type conditions struct {
	service *Service
	call    *service.Call
	action  string
	key     *Key   // nil: the operation makes one, or has none
	alias   string // the alias name by which the request names the key

	// What is found out once, when it is first asked for.
	sorted *sortedPairs
	unused string // whole days without use of the key
}

// Lookup returns what the request has for a condition key. What the request, or its operation, does not have is absent.
func (x *conditions) Lookup(name string) (policy.Values, bool) {
	if f := conditionKeys[name]; f != nil {
		return f(x)
	}
	if tag, ok := strings.CutPrefix(name, "aws:resourcetag/"); ok {
		return x.resourceTag(tag)
	}
	if tag, ok := strings.CutPrefix(name, "aws:requesttag/"); ok {
		return x.requestTag(tag)
	}
	if member, ok := strings.CutPrefix(name, "kms:encryptioncontext:"); ok {
		return x.contextValue(member)
	}
	return policy.Values{}, false
}

// conditionKeys are the keys with fixed names.
var conditionKeys = map[string]func(*conditions) (policy.Values, bool){
	"kms:calleraccount": func(x *conditions) (policy.Values, bool) { return present(x.call.Caller.Account) },
	"kms:viaservice": func(x *conditions) (policy.Values, bool) {
		name, ok := strings.CutSuffix(x.call.Caller.Forwarder, ".amazonaws.com")
		return policy.One(name + "." + x.call.Region + ".amazonaws.com"), ok
	},
	"kms:grantisforawsresource":                  (*conditions).forAWSResource,
	"kms:keyspec":                                (*conditions).keySpec,
	"kms:customermasterkeyspec":                  (*conditions).keySpec,
	"kms:keyusage":                               (*conditions).keyUsage,
	"kms:customermasterkeyusage":                 (*conditions).keyUsage,
	"kms:keyorigin":                              (*conditions).keyOrigin,
	"kms:multiregion":                            (*conditions).multiRegion,
	"kms:multiregionkeytype":                     (*conditions).multiRegionKeyType,
	"kms:resourcealiases":                        (*conditions).resourceAliases,
	"kms:requestalias":                           func(x *conditions) (policy.Values, bool) { return present(x.alias) },
	"kms:bypasspolicylockoutsafetycheck":         (*conditions).bypass,
	"kms:datakeypairspec":                        (*conditions).dataKeyPairSpec,
	"kms:encryptionalgorithm":                    (*conditions).encryptionAlgorithm,
	"kms:encryptioncontextkeys":                  (*conditions).contextKeys,
	"kms:expirationmodel":                        (*conditions).expirationModel,
	"kms:validto":                                (*conditions).validTo,
	"kms:grantconstraintsourcearn":               (*conditions).grantConstraintSourceARN,
	"kms:grantconstrainttype":                    (*conditions).grantConstraintType,
	"kms:grantoperations":                        (*conditions).grantOperations,
	"kms:granteeprincipal":                       ofGrant(func(in *kmsapi.CreateGrantRequest) *string { return in.GranteePrincipal }),
	"kms:granteeserviceprincipal":                ofGrant(func(in *kmsapi.CreateGrantRequest) *string { return in.GranteeServicePrincipal }),
	"kms:retiringprincipal":                      ofGrant(func(in *kmsapi.CreateGrantRequest) *string { return in.RetiringPrincipal }),
	"kms:retiringserviceprincipal":               ofGrant(func(in *kmsapi.CreateGrantRequest) *string { return in.RetiringServicePrincipal }),
	"kms:keyagreementalgorithm":                  (*conditions).keyAgreementAlgorithm,
	"kms:macalgorithm":                           (*conditions).macAlgorithm,
	"kms:messagetype":                            (*conditions).messageType,
	"kms:signingalgorithm":                       (*conditions).signingAlgorithm,
	"kms:primaryregion":                          (*conditions).primaryRegion,
	"kms:replicaregion":                          (*conditions).replicaRegion,
	"kms:reencryptonsamekey":                     (*conditions).sameKey,
	"kms:rotationperiodindays":                   (*conditions).rotationPeriod,
	"kms:schedulekeydeletionpendingwindowindays": (*conditions).pendingWindow,
	"kms:trailingdayswithoutkeyusage":            (*conditions).daysWithoutUse,
	"kms:wrappingalgorithm":                      (*conditions).wrappingAlgorithm,
	"kms:wrappingkeyspec":                        (*conditions).wrappingKeySpec,
	"aws:tagkeys":                                (*conditions).tagKeys,
}

func present[T ~string](s T) (policy.Values, bool) { return policy.One(string(s)), s != "" }

// sentAs is a parameter that is absent when it was not sent.
func sentAs[T ~string](s *T) (policy.Values, bool) {
	if s == nil {
		return policy.Values{}, false
	}
	return policy.One(string(*s)), true
}

// orDefault is a parameter that has a value in any case.
func orDefault[T ~string](s *T, d T) (policy.Values, bool) {
	if s == nil {
		return policy.One(string(d)), true
	}
	return policy.One(string(*s)), true
}

func flag(b bool) (policy.Values, bool) { return policy.One(strconv.FormatBool(b)), true }

func number(n int64) (policy.Values, bool) { return policy.One(strconv.FormatInt(n, 10)), true }

func absent() (policy.Values, bool) { return policy.Values{}, false }

// Keys that say what the KMS key is, or what it is going to be.

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

// Keys of cryptographic operations.

// retired are the constraints of the grant that is to be retired.
func (x *conditions) retired() Constraints {
	if t, ok := x.call.Target.(*grantTarget); ok && t.grant != nil {
		return t.grant.Constraints
	}
	return Constraints{}
}

// oneOf is the value of a key that is to have one. Tags and pairs can have names that differ in case alone, and a
// condition key means all of them: several values meet no condition that allows, and every one that denies.
func oneOf(found []string) (policy.Values, bool) {
	switch len(found) {
	case 0:
		return absent()
	case 1:
		return policy.One(found[0]), true
	}
	return policy.Values{Many: found, Multi: true, Ambiguous: true}, true
}

func (x *conditions) encryptionAlgorithm() (policy.Values, bool) {
	switch in := x.call.Input.(type) {
	case *kmsapi.EncryptRequest:
		return orDefault(in.EncryptionAlgorithm, symmetric)
	case *kmsapi.DecryptRequest:
		return orDefault(in.EncryptionAlgorithm, symmetric)
	case *kmsapi.ReEncryptRequest:
		if x.action == reEncryptFrom {
			return orDefault(in.SourceEncryptionAlgorithm, symmetric)
		}
		return orDefault(in.DestinationEncryptionAlgorithm, symmetric)
	case *kmsapi.GenerateDataKeyRequest, *kmsapi.GenerateDataKeyWithoutPlaintextRequest,
		*kmsapi.GenerateDataKeyPairRequest, *kmsapi.GenerateDataKeyPairWithoutPlaintextRequest:
		return policy.One(string(symmetric)), true
	}
	return absent()
}

// sameKey says whether ReEncrypt's two keys are the same.
//
// While the source is decided, by policies that may all be the caller's own, the answer must not tell what the caller
// cannot know of another account: whether the destination exists, and which key an alias leads to. It rests then on what
// the caller has named. Where that does not settle it, the key has both values, which gain nothing.
func (x *conditions) sameKey() (policy.Values, bool) {
	t, ok := x.call.Target.(*reEncryptKeys)
	if !ok || t.from.key == nil {
		return absent()
	}
	from, to := t.from.key, t.to
	own := from.Account == x.call.Caller.Account
	switch {
	case from.Account != to.ref.account:
		return flag(false)
	case to.key != nil && (own || x.action == reEncryptTo):
		return flag(from.ARN() == to.key.ARN())
	case t.from.ref.alias == "" && to.ref.alias == "":
		return flag(from.ID == to.ref.id)
	}
	return oneOf([]string{"false", "true"})
}

func (x *conditions) dataKeyPairSpec() (policy.Values, bool) {
	switch in := x.call.Input.(type) {
	case *kmsapi.GenerateDataKeyPairRequest:
		return sentAs(in.KeyPairSpec)
	case *kmsapi.GenerateDataKeyPairWithoutPlaintextRequest:
		return sentAs(in.KeyPairSpec)
	}
	return absent()
}

func (x *conditions) keyAgreementAlgorithm() (policy.Values, bool) {
	if in, ok := x.call.Input.(*kmsapi.DeriveSharedSecretRequest); ok {
		return sentAs(in.KeyAgreementAlgorithm)
	}
	return absent()
}

func (x *conditions) macAlgorithm() (policy.Values, bool) {
	switch in := x.call.Input.(type) {
	case *kmsapi.GenerateMacRequest:
		return sentAs(in.MacAlgorithm)
	case *kmsapi.VerifyMacRequest:
		return sentAs(in.MacAlgorithm)
	}
	return absent()
}

func (x *conditions) messageType() (policy.Values, bool) {
	switch in := x.call.Input.(type) {
	case *kmsapi.SignRequest:
		return orDefault(in.MessageType, kmsapi.MessageTypeRaw)
	case *kmsapi.VerifyRequest:
		return orDefault(in.MessageType, kmsapi.MessageTypeRaw)
	}
	return absent()
}

func (x *conditions) signingAlgorithm() (policy.Values, bool) {
	switch in := x.call.Input.(type) {
	case *kmsapi.SignRequest:
		return sentAs(in.SigningAlgorithm)
	case *kmsapi.VerifyRequest:
		return sentAs(in.SigningAlgorithm)
	}
	return absent()
}

// Keys of grants.

// ofGrant is a member of CreateGrant's request.
func ofGrant(member func(*kmsapi.CreateGrantRequest) *string) func(*conditions) (policy.Values, bool) {
	return func(x *conditions) (policy.Values, bool) {
		if in, ok := x.call.Input.(*kmsapi.CreateGrantRequest); ok {
			return sentAs(member(in))
		}
		return absent()
	}
}

func (x *conditions) forAWSResource() (policy.Values, bool) {
	switch x.call.Input.(type) {
	case *kmsapi.CreateGrantRequest, *kmsapi.ListGrantsRequest, *kmsapi.RevokeGrantRequest:
		return flag(x.call.Caller.Forwarder != "")
	}
	return absent()
}

func (x *conditions) grantOperations() (policy.Values, bool) {
	in, ok := x.call.Input.(*kmsapi.CreateGrantRequest)
	if !ok {
		return absent()
	}
	names := make([]string, len(in.Operations))
	for i, o := range in.Operations {
		names[i] = string(o)
	}
	return policy.Many(names), true
}

func (x *conditions) grantConstraintType() (policy.Values, bool) {
	var equals, subset bool
	switch in := x.call.Input.(type) {
	case *kmsapi.CreateGrantRequest:
		equals = in.Constraints != nil && in.Constraints.EncryptionContextEquals != nil
		subset = in.Constraints != nil && in.Constraints.EncryptionContextSubset != nil
	case *kmsapi.RetireGrantRequest:
		equals, subset = x.retired().Equals != nil, x.retired().Subset != nil
	}
	switch {
	case equals:
		return policy.One("EncryptionContextEquals"), true
	case subset:
		return policy.One("EncryptionContextSubset"), true
	}
	return absent()
}

func (x *conditions) grantConstraintSourceARN() (policy.Values, bool) {
	if in, ok := x.call.Input.(*kmsapi.CreateGrantRequest); ok && in.Constraints != nil {
		return sentAs(in.Constraints.SourceArn)
	}
	return absent()
}

// Keys of what administrators ask for.

func (x *conditions) bypass() (policy.Values, bool) {
	var sent *bool
	switch in := x.call.Input.(type) {
	case *createKeyRequest:
		sent = in.BypassPolicyLockoutSafetyCheck
	case *kmsapi.PutKeyPolicyRequest:
		sent = in.BypassPolicyLockoutSafetyCheck
	case *kmsapi.ReplicateKeyRequest:
		sent = in.BypassPolicyLockoutSafetyCheck
	}
	if sent == nil {
		return absent()
	}
	return flag(*sent)
}

func (x *conditions) expirationModel() (policy.Values, bool) {
	if in, ok := x.call.Input.(*kmsapi.ImportKeyMaterialRequest); ok {
		return sentAs(in.ExpirationModel)
	}
	return absent()
}

func (x *conditions) validTo() (policy.Values, bool) {
	if in, ok := x.call.Input.(*kmsapi.ImportKeyMaterialRequest); ok && in.ValidTo != nil {
		return number(in.ValidTo.Unix())
	}
	return absent()
}

func (x *conditions) primaryRegion() (policy.Values, bool) {
	if in, ok := x.call.Input.(*kmsapi.UpdatePrimaryRegionRequest); ok {
		return sentAs(in.PrimaryRegion)
	}
	return absent()
}

func (x *conditions) replicaRegion() (policy.Values, bool) {
	if in, ok := x.call.Input.(*kmsapi.ReplicateKeyRequest); ok && x.action == "kms:ReplicateKey" {
		return sentAs(in.ReplicaRegion)
	}
	return absent()
}

func (x *conditions) rotationPeriod() (policy.Values, bool) {
	if in, ok := x.call.Input.(*kmsapi.EnableKeyRotationRequest); ok && in.RotationPeriodInDays != nil {
		return number(int64(*in.RotationPeriodInDays))
	}
	return absent()
}

func (x *conditions) pendingWindow() (policy.Values, bool) {
	if in, ok := x.call.Input.(*kmsapi.ScheduleKeyDeletionRequest); ok && in.PendingWindowInDays != nil {
		return number(int64(*in.PendingWindowInDays))
	}
	return absent()
}

func (x *conditions) wrappingAlgorithm() (policy.Values, bool) {
	if in, ok := x.call.Input.(*kmsapi.GetParametersForImportRequest); ok {
		return sentAs(in.WrappingAlgorithm)
	}
	return absent()
}

func (x *conditions) wrappingKeySpec() (policy.Values, bool) {
	if in, ok := x.call.Input.(*kmsapi.GetParametersForImportRequest); ok {
		return sentAs(in.WrappingKeySpec)
	}
	return absent()
}

// Tags of the key and of the request.

func (x *conditions) resourceTag(name string) (policy.Values, bool) {
	if x.key == nil || x.makesReplica() {
		return absent()
	}
	var found []string
	for _, t := range x.key.Tags {
		if strings.EqualFold(t.Key, name) {
			found = append(found, t.Value)
		}
	}
	return oneOf(found)
}

func (x *conditions) requestTag(name string) (policy.Values, bool) {
	var found []string
	for _, t := range x.requestTags() {
		if strings.EqualFold(*t.TagKey, name) {
			found = append(found, *t.TagValue)
		}
	}
	return oneOf(found)
}

func (x *conditions) requestTags() []kmsapi.Tag {
	switch in := x.call.Input.(type) {
	case *createKeyRequest:
		return in.Tags
	case *kmsapi.ReplicateKeyRequest:
		return in.Tags
	case *kmsapi.TagResourceRequest:
		return in.Tags
	}
	return nil
}

func (x *conditions) tagKeys() (policy.Values, bool) {
	var names []string
	if in, ok := x.call.Input.(*kmsapi.UntagResourceRequest); ok {
		names = in.TagKeys
	}
	for _, t := range x.requestTags() {
		names = append(names, *t.TagKey)
	}
	if names == nil {
		return absent()
	}
	return policy.Many(names), true
}
