// Package arn reads and writes the names of AWS resources that Trent serves: arn:partition:service:region:account:resource
// (IAM User Guide, "Amazon Resource Names").
package arn

import (
	"errors"
	"strings"
)

// ErrMalformed says that a string which begins with "arn:" is not an ARN.
var ErrMalformed = errors.New("arn: malformed")

// ARN is an Amazon Resource Name in its six parts.
type ARN struct {
	Partition string // aws, aws-cn, aws-us-gov
	Service   string
	Region    string
	Account   string // twelve digits
	Resource  string // key/1234abcd-…, alias/name
}

// Parse splits s. It fails with ErrMalformed unless s has six parts, the first "arn", and neither partition, service
// nor resource is empty.
func Parse(s string) (ARN, error) {
	p := strings.SplitN(s, ":", 6)
	if len(p) != 6 || p[0] != "arn" || p[1] == "" || p[2] == "" || p[5] == "" {
		return ARN{}, ErrMalformed
	}
	return ARN{Partition: p[1], Service: p[2], Region: p[3], Account: p[4], Resource: p[5]}, nil
}

// String joins the parts.
func (a ARN) String() string {
	return "arn:" + a.Partition + ":" + a.Service + ":" + a.Region + ":" + a.Account + ":" + a.Resource
}

// Partition returns the partition that a Region belongs to.
func Partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// KMS returns the ARN of a KMS resource ("key/ID", "alias/NAME").
func KMS(region, account, resource string) string {
	return ARN{Partition(region), "kms", region, account, resource}.String()
}

// IsAccount says whether s has the form of an account id: twelve digits.
func IsAccount(s string) bool {
	if len(s) != 12 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// IsRegion says whether s can be a Region's name: lower-case letters, digits and dashes, beginning with a letter, at
// most 32 characters. Names become parts of storage keys, so nothing else passes.
func IsRegion(s string) bool {
	if s == "" || len(s) > 32 || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
