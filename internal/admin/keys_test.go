package admin

import (
	"slices"
	"testing"

	"github.com/trent-kms/trent/policy"
)

// What who-can takes for known are condition keys.
func TestKnownKeysExist(t *testing.T) {
	for _, key := range slices.Concat(ofKey, ofPrincipal) {
		if !slices.Contains(policy.ConditionKeys(), key) {
			t.Errorf("there is no condition key %s", key)
		}
	}
}

// A simulation is told the values of a multi-valued key with commas between them.
func TestGivenValues(t *testing.T) {
	g := givenContext(map[string]string{"aws:SourceOrgPaths": "o-1/r-1/,o-1/r-2/", "aws:SourceOrgID": "o-1,o-2"})
	if v, ok := g.Lookup("aws:sourceorgpaths"); !ok || !slices.Equal(v.Many, []string{"o-1/r-1/", "o-1/r-2/"}) {
		t.Errorf("the paths are %+v", v)
	}
	if v, ok := g.Lookup("aws:sourceorgid"); !ok || v.Multi || v.One != "o-1,o-2" {
		t.Errorf("the organization is %+v", v)
	}
}
