package iam

import (
	"slices"
	"time"
)

// awsAccount stands in the ARNs of managed policies that come with the service.
const awsAccount = "aws"

// provided returns the managed policies that come with Trent: those of AWS's that say something about the services that
// Trent has. Their ids are Trent's own (AWS Managed Policy Reference, for names and what they are for).
func provided() map[string]*Managed {
	all := map[string]*Managed{}
	add := func(id, path, name, description, text string) {
		since := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
		m := &Managed{
			Version: recordVersion, Account: awsAccount, ID: managedID + id, Name: name, Path: path, Description: description,
			Created: since, Updated: since, Default: 1, Latest: 1, Versions: []Version{{Number: 1, Text: text, Created: since}},
		}
		m.remember()
		all[m.ARN()] = m
	}
	add("TRENTAAAAAAAAAAA2", "/", "AdministratorAccess", "Everything, on all resources.", administratorAccess)
	add("TRENTAAAAAAAAAAA3", "/", "AWSKeyManagementServicePowerUser", "Making, finding and administering KMS keys, but not using or deleting them.", kmsPowerUser)
	add("TRENTAAAAAAAAAAA4", "/", "IAMFullAccess", "Everything of IAM.", iamFullAccess)
	add("TRENTAAAAAAAAAAA5", "/", "IAMReadOnlyAccess", "Reading everything of IAM.", iamReadOnlyAccess)
	return all
}

const (
	administratorAccess = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

	kmsPowerUser = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[` +
		`"kms:CreateAlias","kms:CreateKey","kms:DeleteAlias","kms:Describe*","kms:GenerateRandom","kms:Get*","kms:List*",` +
		`"kms:TagResource","kms:UntagResource","iam:ListGroups","iam:ListRoles","iam:ListUsers"],"Resource":"*"}]}`

	iamFullAccess = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:*","organizations:DescribeAccount",` +
		`"organizations:DescribeOrganization","organizations:DescribeOrganizationalUnit","organizations:DescribePolicy",` +
		`"organizations:ListChildren","organizations:ListParents","organizations:ListPoliciesForTarget",` +
		`"organizations:ListRoots","organizations:ListPolicies","organizations:ListTargetsForPolicy"],"Resource":"*"}]}`

	iamReadOnlyAccess = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:Get*","iam:List*",` +
		`"iam:SimulateCustomPolicy","iam:SimulatePrincipalPolicy"],"Resource":"*"}]}`
)

func providedARN(name string) string { return "arn:aws:iam::aws:policy/" + name }

// providedNames are the names of the policies that come with Trent, sorted.
func (s *Service) providedNames() []string {
	var names []string
	for _, m := range s.managed {
		names = append(names, m.Name)
	}
	slices.Sort(names)
	return names
}
