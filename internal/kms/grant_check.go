package kms

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/service"
)

// newGrant is the grant that a request asks for, without an id; an error if there can be none like it. Whether the
// principals exist is not known here.
func newGrant(c *service.Call, in *kmsapi.CreateGrantRequest, k *Key) (*Grant, error) {
	g := &Grant{
		Version: recordVersion, Account: k.Account, Region: k.Region, KeyID: k.ID, Created: c.Now, Issuer: c.Caller.Account,
		Name: text(in.Name), Grantee: text(in.GranteePrincipal), GranteeService: text(in.GranteeServicePrincipal),
		Retiring: text(in.RetiringPrincipal), RetiringService: text(in.RetiringServicePrincipal),
	}
	if in.Constraints != nil {
		g.Constraints = Constraints{
			in.Constraints.EncryptionContextEquals, in.Constraints.EncryptionContextSubset, text(in.Constraints.SourceArn),
		}
	}
	if err := checkPrincipals(g); err != nil {
		return nil, err
	}
	var err error
	if g.Operations, err = grantOperations(in.Operations, k); err != nil {
		return nil, err
	}
	return g, checkConstraints(g.Constraints, k)
}

// text is a member, or "" when it is absent: where this is used, the API's constraints refuse an empty one.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// grantOperations checks that a grant on a key can have these operations, and returns each once.
func grantOperations(asked []kmsapi.GrantOperation, k *Key) ([]kmsapi.GrantOperation, error) {
	var all []kmsapi.GrantOperation
	can := grantable(k)
	for _, o := range asked {
		if !slices.Contains(can, o) {
			return nil, api.ValidationException("A grant on %s cannot have the operation %s: key usage is %s, key spec is %s.", k.ARN(), o, k.Usage, k.Spec)
		}
		if !slices.Contains(all, o) {
			all = append(all, o)
		}
	}
	switch {
	case len(all) == 0:
		return nil, api.ValidationException("1 validation error detected: Value '[]' at 'operations' failed to satisfy constraint: Member must have length greater than or equal to 1")
	case len(all) == 1 && all[0] == kmsapi.GrantOperationCreateGrant:
		// Observed of AWS: https://github.com/ansible/ansible/pull/31960, comment of 13 February 2019.
		return nil, api.ValidationException("Grants must not contain only the CreateGrant operation.")
	}
	return all, nil
}

// grantable are the operations that a grant on a key can have (KMS Developer Guide, "Grant operations").
func grantable(k *Key) []kmsapi.GrantOperation {
	all := []kmsapi.GrantOperation{kmsapi.GrantOperationDescribeKey, kmsapi.GrantOperationCreateGrant, kmsapi.GrantOperationRetireGrant}
	switch k.Usage {
	case kmsapi.KeyUsageTypeEncryptDecrypt:
		all = append(all, kmsapi.GrantOperationEncrypt, kmsapi.GrantOperationDecrypt, kmsapi.GrantOperationReEncryptFrom, kmsapi.GrantOperationReEncryptTo)
	case kmsapi.KeyUsageTypeSignVerify:
		all = append(all, kmsapi.GrantOperationSign, kmsapi.GrantOperationVerify)
	case kmsapi.KeyUsageTypeGenerateVerifyMac:
		all = append(all, kmsapi.GrantOperationGenerateMac, kmsapi.GrantOperationVerifyMac)
	case kmsapi.KeyUsageTypeKeyAgreement:
		all = append(all, kmsapi.GrantOperationDeriveSharedSecret)
	case kmsapi.KeyUsageTypeEncapsulateDecapsulate:
		all = append(all, kmsapi.GrantOperationEncapsulate, kmsapi.GrantOperationDecapsulate)
	}
	switch {
	case k.symmetric():
		all = append(all, kmsapi.GrantOperationGenerateDataKey, kmsapi.GrantOperationGenerateDataKeyWithoutPlaintext,
			kmsapi.GrantOperationGenerateDataKeyPair, kmsapi.GrantOperationGenerateDataKeyPairWithoutPlaintext)
	case k.asymmetric():
		all = append(all, kmsapi.GrantOperationGetPublicKey)
	}
	return all
}

// Bounds of a constraint on the encryption context (KMS API Reference, CreateGrant). AWS names no bound for the keys of
// the pairs; one is needed so that records stay small.
const (
	maxConstraintPairs      = 8
	maxConstraintCharacters = 384
)

func checkConstraints(c Constraints, k *Key) error {
	switch {
	case c.Equals != nil && c.Subset != nil:
		return api.ValidationException("You cannot specify EncryptionContextEquals and EncryptionContextSubset in the same grant.")
	case (c.Equals != nil || c.Subset != nil) && !k.symmetric():
		return api.ValidationException("Encryption context constraints are not supported for key spec %s; only symmetric encryption keys have an encryption context.", k.Spec)
	}
	for _, pairs := range []map[string]string{c.Equals, c.Subset} {
		if len(pairs) > maxConstraintPairs {
			return api.ValidationException("An encryption context constraint cannot have more than %d pairs.", maxConstraintPairs)
		}
		for key, value := range pairs {
			if utf8.RuneCountInString(key) > maxConstraintCharacters || utf8.RuneCountInString(value) > maxConstraintCharacters {
				return api.ValidationException("The keys and values of an encryption context constraint cannot have more than %d characters.", maxConstraintCharacters)
			}
		}
	}
	if _, err := arn.Parse(c.SourceARN); err != nil && c.SourceARN != "" {
		return kmsapi.InvalidArnException("Invalid arn %s", c.SourceARN)
	}
	return nil
}

// checkPrincipals wants one grantee and at most one who retires. A grant to a service is for one resource, and somebody
// must be able to end it (KMS API Reference, CreateGrant).
func checkPrincipals(g *Grant) error {
	switch {
	case (g.Grantee == "") == (g.GranteeService == ""):
		return api.ValidationException("You must specify either GranteePrincipal or GranteeServicePrincipal, but not both.")
	case g.Retiring != "" && g.RetiringService != "":
		return api.ValidationException("You can specify either RetiringPrincipal or RetiringServicePrincipal, but not both.")
	case g.GranteeService != "" && g.Constraints.SourceARN == "":
		return api.ValidationException("When you specify a GranteeServicePrincipal, you must also specify a SourceArn grant constraint.")
	case g.GranteeService != "" && g.Retiring == "" && g.RetiringService == "":
		return api.ValidationException("When you specify a GranteeServicePrincipal, you must also specify a RetiringPrincipal or a RetiringServicePrincipal.")
	}
	for _, p := range []struct {
		member, value string
		check         func(region, member, value string) error
	}{
		{"GranteePrincipal", g.Grantee, checkPrincipal}, {"RetiringPrincipal", g.Retiring, checkPrincipal},
		{"GranteeServicePrincipal", g.GranteeService, checkServicePrincipal}, {"RetiringServicePrincipal", g.RetiringService, checkServicePrincipal},
	} {
		if p.value == "" {
			continue
		}
		if err := p.check(g.Region, p.member, p.value); err != nil {
			return err
		}
	}
	return nil
}

// checkPrincipal wants the ARN of an account, a user, a role, an assumed-role session or a federated user, in the
// Region's partition. A bare account id or unique id is no ARN, and a group is nobody.
func checkPrincipal(region, member, value string) error {
	a, err := arn.Parse(value)
	if err != nil || a.Partition != arn.Partition(region) || a.Region != "" || !arn.IsAccount(a.Account) || !isPrincipal(a.Service, a.Resource) {
		return kmsapi.InvalidArnException("%s is not the ARN of an account, user, role, assumed-role session or federated user: %s", member, value)
	}
	return nil
}

// isPrincipal says whether a resource of iam or sts can be who makes a request (IAM User Guide, "IAM ARNs").
func isPrincipal(service, resource string) bool {
	part := strings.Split(resource, "/")
	if slices.Contains(part, "") || strings.ContainsAny(resource, ":*") {
		return false
	}
	switch service + ":" + part[0] {
	case "iam:root":
		return len(part) == 1
	case "iam:user", "iam:role": // with a path
		return len(part) >= 2
	case "sts:assumed-role":
		return len(part) == 3
	case "sts:federated-user":
		return len(part) == 2
	}
	return false
}

// checkServicePrincipal wants the name of an AWS service: s3.amazonaws.com.
func checkServicePrincipal(_, member, value string) error {
	if !caller.IsServiceName(value) {
		return api.ValidationException("%s is not a service principal: %s", member, value)
	}
	return nil
}
