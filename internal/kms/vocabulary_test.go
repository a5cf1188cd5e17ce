package kms_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/trent-kms/trent/policy"
)

// The linter's list of condition keys and this service's are the same: testdata/condition-keys.txt, whose rows
// TestConditionKeys holds to what the service answers. Global keys that are not here are authz's.
func TestVocabularyIsAnswered(t *testing.T) {
	absent := map[string]string{
		"kms:recipientattestation:": "attestation documents are not built: requests with a Recipient are refused",
	}
	answered := map[string]bool{} // and whether it has many values
	for _, row := range readConditionTable(t) {
		if !slices.Equal(row.decisions, []string{"none"}) {
			answered[inVocabulary(row.key)] = row.kind == "L"
		}
	}
	keys := policy.ConditionKeys()
	for _, key := range keys {
		many, ok := answered[key]
		if ok && many != policy.MultiValued(key) {
			t.Errorf("%s has many values: %t", key, many)
		}
		if strings.HasPrefix(key, "kms:") && ok == (absent[key] != "") {
			t.Errorf("%s is answered: %t; the reason why not: %q", key, ok, absent[key])
		}
	}
	for key := range maps.Keys(answered) {
		if !slices.Contains(keys, key) {
			t.Errorf("the linter does not know %s", key)
		}
	}
	if len(answered) < 40 {
		t.Errorf("only %d keys", len(answered))
	}
}

// inVocabulary is a key in lower case, without the name of the caller's choice at its end.
func inVocabulary(key string) string {
	key = strings.ToLower(key)
	for _, family := range []string{"kms:encryptioncontext:", "kms:recipientattestation:", "aws:resourcetag/", "aws:requesttag/"} {
		if strings.HasPrefix(key, family) {
			return family
		}
	}
	return key
}
