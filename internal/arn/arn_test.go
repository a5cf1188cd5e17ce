package arn_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/trent-kms/trent/internal/arn"
)

func TestParse(t *testing.T) {
	good := map[string]arn.ARN{
		"arn:aws:kms:us-east-1:111122223333:key/1234abcd": {Partition: "aws", Service: "kms", Region: "us-east-1", Account: "111122223333", Resource: "key/1234abcd"},
		"arn:aws:iam::111122223333:root":                  {Partition: "aws", Service: "iam", Account: "111122223333", Resource: "root"},
		"arn:aws-cn:kms:cn-north-1:1:alias/a:b":           {Partition: "aws-cn", Service: "kms", Region: "cn-north-1", Account: "1", Resource: "alias/a:b"},
	}
	for s, want := range good {
		got, err := arn.Parse(s)
		if err != nil || got != want {
			t.Errorf("Parse(%q) = %+v, %v, want %+v", s, got, err, want)
		}
		if got.String() != s {
			t.Errorf("%q became %q", s, got)
		}
	}
	for _, s := range []string{"", "arn", "arn:aws:kms:us-east-1:1", "arn:aws:kms:us-east-1:1:", "arn::kms:r:1:key/x", "arn:aws::r:1:key/x", "x:aws:kms:r:1:key/x", strings.Repeat("arn:", 4)} {
		if got, err := arn.Parse(s); !errors.Is(err, arn.ErrMalformed) {
			t.Errorf("Parse(%q) = %+v, %v, want ErrMalformed", s, got, err)
		}
	}
}

func TestPartitionFollowsTheRegion(t *testing.T) {
	for region, want := range map[string]string{"us-east-1": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov", "anything": "aws"} {
		if got := arn.Partition(region); got != want {
			t.Errorf("%s is in %s, want %s", region, got, want)
		}
	}
	if got, want := arn.KMS("cn-north-1", "111122223333", "key/k"), "arn:aws-cn:kms:cn-north-1:111122223333:key/k"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAccountsAndRegions(t *testing.T) {
	for s, want := range map[string]bool{"111122223333": true, "000000000000": true, "11112222333": false, "1111222233334": false, "11112222333x": false, "１１１１２２２２３３３３": false, "": false} {
		if got := arn.IsAccount(s); got != want {
			t.Errorf("IsAccount(%q) = %t", s, got)
		}
	}
	for s, want := range map[string]bool{
		"us-east-1": true, "x": true, "local": true, "": false, "1us": false, "us_east": false, "US-EAST-1": false, "us/east": false,
		"us-east-1/../x": false, "-us": false, strings.Repeat("a", 33): false, strings.Repeat("a", 32): true,
	} {
		if got := arn.IsRegion(s); got != want {
			t.Errorf("IsRegion(%q) = %t", s, got)
		}
	}
}
