package policy

import (
	"slices"
	"strings"
)

// What is known of the services: the actions and condition keys of KMS and the global keys (Service Authorization
// Reference, "AWS Key Management Service"; IAM User Guide, "AWS global condition context keys").

// keyActions returns the actions on a KMS key, which its policy may allow.
func keyActions() []string {
	return strings.Fields(`CancelKeyDeletion CreateAlias CreateGrant Decapsulate Decrypt DeleteAlias DeleteImportedKeyMaterial
		DeriveSharedSecret DescribeKey DisableKey DisableKeyRotation EnableKey EnableKeyRotation Encapsulate Encrypt
		GenerateDataKey GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext GenerateDataKeyWithoutPlaintext GenerateMac
		GetKeyLastUsage GetKeyPolicy GetKeyRotationStatus GetParametersForImport GetPublicKey ImportKeyMaterial ListGrants
		ListKeyPolicies ListKeyRotations ListResourceTags PutKeyPolicy ReEncryptFrom ReEncryptTo ReplicateKey RetireGrant
		RevokeGrant RotateKeyOnDemand ScheduleKeyDeletion Sign SynchronizeMultiRegionKey TagResource UntagResource
		UpdateAlias UpdateKeyDescription UpdatePrimaryRegion Verify VerifyMac`)
}

// accountActions returns the actions of KMS on no key, which a key policy cannot allow.
func accountActions() []string {
	return strings.Fields(`ConnectCustomKeyStore CreateCustomKeyStore CreateKey DeleteCustomKeyStore DescribeCustomKeyStores
		DisconnectCustomKeyStore GenerateRandom ListAliases ListKeys ListRetirableGrants UpdateCustomKeyStore`)
}

// valueType is what the values of a condition key are.
type valueType uint8

const (
	textValue valueType = iota
	arnValue
	accountID
	numberValue
	dateValue
	boolValue
	ipValue
	aliasName
	serviceInRegion // s3.us-east-1.amazonaws.com
)

// compares reports whether a family of operators can compare values of the type.
func (v valueType) compares(f family) bool {
	switch f {
	case arnFamily:
		return v == arnValue
	case numericFamily:
		return v == numberValue || v == dateValue || v == accountID
	case dateFamily:
		return v == dateValue
	case boolFamily:
		return v == boolValue
	case ipFamily:
		return v == ipValue
	case binaryFamily:
		return false
	}
	return true
}

// possible reports whether a value can be of the type, in the spelling that requests have.
func (v valueType) possible(s string) bool {
	switch v {
	case accountID:
		return isAccount(s)
	case boolValue:
		return s == "true" || s == "false"
	case arnValue:
		_, ok := splitARN(s)
		return ok
	case aliasName:
		return strings.HasPrefix(s, "alias/")
	case serviceInRegion:
		return strings.Count(s, ".") >= 3 && strings.HasSuffix(s, ".amazonaws.com")
	}
	return true
}

// keyRow is what is known of a condition key.
type keyRow struct {
	// name is in lower case. One that ends in : or / is followed by a name of the caller's choice.
	name  string
	typ   valueType
	multi bool
	// actions are those of KMS whose requests have the key; nil for all.
	actions []string
	always  attendance
	// identityOnly: AWS documents the key for IAM policies, and not for key policies.
	identityOnly bool
}

// attendance says which requests are sure to have a key.
type attendance uint8

const (
	sometimes    attendance = iota
	inAll                   // every request
	ofPrincipals            // those of users, roles and root users, but not of services or without credentials
	onKeys                  // those on a KMS key
)

// is reports whether a key in lower case is the row's.
func (r *keyRow) is(key string) bool {
	if strings.HasSuffix(r.name, ":") || strings.HasSuffix(r.name, "/") {
		return len(key) > len(r.name) && strings.HasPrefix(key, r.name)
	}
	return key == r.name
}

// find returns what is known of a key.
func find(rows []keyRow, key string) (*keyRow, bool) {
	i := slices.IndexFunc(rows, func(r keyRow) bool { return r.is(key) })
	if i < 0 {
		return nil, false
	}
	return &rows[i], true
}

// ConditionKeys returns the names of the global condition keys and those of KMS, in lower case. A name that ends in : or / is
// followed by one of the caller's choice: aws:principaltag/.
func ConditionKeys() []string {
	var names []string
	for _, row := range slices.Concat(globalKeys(), kmsKeys()) {
		names = append(names, row.name)
	}
	return names
}

// MultiValued reports whether requests have several values for a condition key, whose case does not matter. Keys of other
// services than KMS are not known here.
func MultiValued(key string) bool {
	row, ok := find(slices.Concat(globalKeys(), kmsKeys()), Fold(key))
	return ok && row.multi
}

// globalKeys returns the keys that all services have.
func globalKeys() []keyRow {
	tagging := []string{"CreateKey", "ReplicateKey", "TagResource"}
	return []keyRow{
		{name: "aws:calledvia", multi: true},
		{name: "aws:calledviafirst"},
		{name: "aws:calledvialast"},
		{name: "aws:currenttime", typ: dateValue, always: inAll},
		{name: "aws:epochtime", typ: dateValue, always: inAll},
		{name: "aws:federatedprovider"},
		{name: "aws:multifactorauthage", typ: numberValue},
		{name: "aws:multifactorauthpresent", typ: boolValue},
		{name: "aws:principalaccount", typ: accountID, always: ofPrincipals},
		{name: "aws:principalarn", typ: arnValue, always: ofPrincipals},
		{name: "aws:principalisawsservice", typ: boolValue, always: inAll},
		{name: "aws:principalorgid"},
		{name: "aws:principalorgpaths", multi: true},
		{name: "aws:principalservicename"},
		{name: "aws:principalservicenameslist", multi: true},
		{name: "aws:principaltag/"},
		{name: "aws:principaltype", always: inAll},
		{name: "aws:referer"},
		{name: "aws:requestedregion", always: ofPrincipals},
		{name: "aws:requesttag/", actions: tagging},
		{name: "aws:resourceaccount", typ: accountID, always: ofPrincipals},
		{name: "aws:resourceorgid"},
		{name: "aws:resourceorgpaths", multi: true},
		{name: "aws:resourcetag/"},
		{name: "aws:securetransport", typ: boolValue, always: inAll},
		{name: "aws:sourceaccount", typ: accountID},
		{name: "aws:sourcearn", typ: arnValue},
		{name: "aws:sourceidentity"},
		{name: "aws:sourceip", typ: ipValue},
		{name: "aws:sourceorgid"},
		{name: "aws:sourceorgpaths", multi: true},
		{name: "aws:sourcevpc"},
		{name: "aws:sourcevpce"},
		{name: "aws:tagkeys", multi: true, actions: append(tagging, "UntagResource")},
		{name: "aws:tokenissuetime", typ: dateValue},
		{name: "aws:useragent"},
		{name: "aws:userid", always: ofPrincipals},
		{name: "aws:username"},
		{name: "aws:viaawsservice", typ: boolValue, always: inAll},
		{name: "aws:vpcsourceip", typ: ipValue},
	}
}

// kmsKeys returns the keys of KMS.
func kmsKeys() []keyRow {
	dataKeyPairs := []string{"GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"}
	encryption := append([]string{"Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GenerateDataKey",
		"GenerateDataKeyWithoutPlaintext"}, dataKeyPairs...)
	withContext := append([]string{"CreateGrant", "RetireGrant"}, encryption...)
	grant := []string{"CreateGrant"}
	lockout := []string{"CreateKey", "PutKeyPolicy", "ReplicateKey"}
	enclave := []string{"Decrypt", "DeriveSharedSecret", "GenerateDataKey", "GenerateDataKeyPair", "GenerateRandom"}
	byAlias := append([]string{"DescribeKey", "GetPublicKey", "Sign", "Verify", "GenerateMac", "VerifyMac",
		"DeriveSharedSecret", "Encapsulate", "Decapsulate"}, encryption...)
	return []keyRow{
		{name: "kms:bypasspolicylockoutsafetycheck", typ: boolValue, actions: lockout},
		{name: "kms:calleraccount", typ: accountID},
		{name: "kms:customermasterkeyspec", always: onKeys},
		{name: "kms:customermasterkeyusage", always: onKeys},
		{name: "kms:datakeypairspec", actions: dataKeyPairs},
		{name: "kms:encryptionalgorithm", actions: encryption},
		{name: "kms:encryptioncontext:", actions: withContext},
		{name: "kms:encryptioncontextkeys", multi: true, actions: withContext},
		{name: "kms:expirationmodel", actions: []string{"ImportKeyMaterial"}},
		{name: "kms:grantconstraintsourcearn", typ: arnValue, actions: grant},
		{name: "kms:grantconstrainttype", actions: []string{"CreateGrant", "RetireGrant"}},
		{name: "kms:granteeprincipal", typ: arnValue, actions: grant},
		{name: "kms:granteeserviceprincipal", actions: grant},
		{name: "kms:grantisforawsresource", typ: boolValue, actions: []string{"CreateGrant", "ListGrants", "RevokeGrant"}},
		{name: "kms:grantoperations", multi: true, actions: grant},
		{name: "kms:keyagreementalgorithm", actions: []string{"DeriveSharedSecret"}},
		{name: "kms:keyorigin", always: onKeys},
		{name: "kms:keyspec", always: onKeys},
		{name: "kms:keyusage", always: onKeys},
		{name: "kms:macalgorithm", actions: []string{"GenerateMac", "VerifyMac"}},
		{name: "kms:messagetype", actions: []string{"Sign", "Verify"}},
		{name: "kms:multiregion", typ: boolValue, always: onKeys},
		{name: "kms:multiregionkeytype"},
		{name: "kms:primaryregion", actions: []string{"UpdatePrimaryRegion"}},
		{name: "kms:reencryptonsamekey", typ: boolValue, actions: []string{"ReEncryptFrom", "ReEncryptTo"}},
		{name: "kms:recipientattestation:", actions: enclave},
		{name: "kms:replicaregion", actions: []string{"ReplicateKey"}},
		{name: "kms:requestalias", typ: aliasName, actions: byAlias},
		{name: "kms:resourcealiases", typ: aliasName, multi: true, identityOnly: true},
		{name: "kms:retiringprincipal", typ: arnValue, actions: grant},
		{name: "kms:retiringserviceprincipal", actions: grant},
		{name: "kms:rotationperiodindays", typ: numberValue, actions: []string{"EnableKeyRotation"}},
		{name: "kms:schedulekeydeletionpendingwindowindays", typ: numberValue, actions: []string{"ScheduleKeyDeletion"}},
		{name: "kms:signingalgorithm", actions: []string{"Sign", "Verify"}},
		{name: "kms:trailingdayswithoutkeyusage", typ: numberValue, actions: []string{"DisableKey", "ScheduleKeyDeletion"}},
		{name: "kms:validto", typ: dateValue, actions: []string{"ImportKeyMaterial"}},
		{name: "kms:viaservice", typ: serviceInRegion},
		{name: "kms:wrappingalgorithm", actions: []string{"GetParametersForImport"}},
		{name: "kms:wrappingkeyspec", actions: []string{"GetParametersForImport"}},
	}
}
