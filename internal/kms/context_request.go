package kms

import (
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/policy"
)

// The condition keys that say what the request asks for. Those of cryptographic operations:

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
	return policy.OneOf([]string{"false", "true"})
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

// retired are the constraints of the grant that is to be retired.
func (x *conditions) retired() Constraints {
	if t, ok := x.call.Target.(*grantTarget); ok && t.grant != nil {
		return t.grant.Constraints
	}
	return Constraints{}
}

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

func (x *conditions) requestTag(name string) (policy.Values, bool) {
	return policy.TagValue(x.requestTags(), name, func(t *kmsapi.Tag) (key, value string) { return *t.TagKey, *t.TagValue })
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
