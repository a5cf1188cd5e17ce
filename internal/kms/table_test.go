package kms

import (
	"maps"
	"slices"
	"testing"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// stateless are the operations that no key's state can refuse (KMS Developer Guide, "Key states": no row, or always ok).
var stateless = []string{"CreateKey", "GenerateRandom", "ListAliases", "ListKeys", "ListRetirableGrants"}

func TestTableModelAndStateRulesAgree(t *testing.T) {
	var table []string
	for _, o := range new(Service).Operations() {
		table = append(table, o.Name)
	}
	var built []string
	for _, o := range kmsapi.Operations() {
		if o.Built {
			built = append(built, o.Name)
		}
	}
	if !slices.Equal(table, built) {
		t.Errorf("the table has %v, the model says that %v are built", table, built)
	}
	if len(table) != 50 {
		t.Errorf("%d operations, want 50", len(table))
	}
	for _, name := range table {
		if _, ruled := rules[name]; ruled == slices.Contains(stateless, name) {
			t.Errorf("%s: has a rule for key states: %v", name, ruled)
		}
	}
	for name := range rules {
		if !slices.Contains(table, name) {
			t.Errorf("a rule for %s, which is not in the table", name)
		}
	}
}

// An alias may move between keys of one family only (KMS API Reference, UpdateAlias).
func TestFamiliesOfKeySpecs(t *testing.T) {
	want := map[string]int{"symmetric": 1, "hmac": 4, "asymmetric": 15}
	got := map[string]int{}
	for _, spec := range kmsapi.KeySpec("").Values() {
		got[family(spec)]++
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// What the CloudTrail pages say is read-only; everything else writes (KMS Developer Guide, "Logging").
func TestReadOnlyOperations(t *testing.T) {
	want := []string{
		"Decapsulate", "Decrypt", "DeriveSharedSecret", "DescribeKey", "Encapsulate", "Encrypt", "GenerateDataKey", "GenerateDataKeyPair",
		"GenerateDataKeyPairWithoutPlaintext", "GenerateDataKeyWithoutPlaintext", "GenerateMac", "GenerateRandom", "GetKeyLastUsage",
		"GetKeyPolicy", "GetKeyRotationStatus", "GetParametersForImport", "GetPublicKey", "ListAliases", "ListGrants", "ListKeyPolicies",
		"ListKeyRotations", "ListKeys", "ListResourceTags", "ListRetirableGrants", "ReEncrypt", "Sign", "Verify", "VerifyMac",
	}
	var got []string
	for _, o := range new(Service).Operations() {
		if o.ReadOnly {
			got = append(got, o.Name)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
