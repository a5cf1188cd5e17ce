package kms

import (
	"strconv"
	"strings"

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
