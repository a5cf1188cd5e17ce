package kms_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/trent-kms/trent/internal/kms"
	"github.com/trent-kms/trent/internal/store"
)

var grantID = regexp.MustCompile(`^[0-9a-f]{64}$`)

// checkGrants tests what must hold of the records of grants at every moment: each is a grant of a key that exists, the
// index records are exactly those of the grants, and the key's record counts its grants. Only while a key is being
// destroyed it may have fewer than it counts.
func (w *world) checkGrants() {
	w.t.Helper()
	page, err := w.store.Range(context.Background(), "kms/", "", 1<<20)
	if err != nil || page.More {
		w.t.Fatal(err, page.More)
	}
	now := w.as(alice).now()
	keys, counted := map[string]*kms.Key{}, map[string]int{}
	indexes, want := map[string]string{}, map[string]string{}
	for _, r := range page.Records {
		switch {
		case strings.HasPrefix(r.Key, "kms/key/"):
			keys[r.Key], err = kms.DecodeKey(r.Value)
		case strings.HasPrefix(r.Key, "kms/grant/"):
			err = w.checkGrant(r.Key, r.Value, counted, want)
		case strings.HasPrefix(r.Key, "kms/grant-"):
			indexes[r.Key] = string(r.Value)
		}
		if err != nil {
			w.t.Errorf("record %s: %v", r.Key, err)
		}
	}
	if diff := cmp.Diff(want, indexes); diff != "" {
		w.t.Errorf("index records of grants (-wanted +there): %s", diff)
	}
	for path, k := range keys {
		if n := counted[path]; n != k.Grants && (n > k.Grants || !k.GoneAt(now)) {
			w.t.Errorf("%s: %d grants, its record counts %d", path, n, k.Grants)
		}
		delete(counted, path)
	}
	for path, n := range counted {
		w.t.Errorf("%d grants of key %s, which does not exist", n, path)
	}
}

// checkGrant tests one grant and adds it to its key's count, and its index records to those that there must be.
func (w *world) checkGrant(path string, value []byte, counted map[string]int, want map[string]string) error {
	w.t.Helper()
	g, err := kms.DecodeGrant(value)
	if err != nil {
		return err
	}
	if g.Path() != path || !grantID.MatchString(g.ID) || (g.Grantee == "") == (g.GranteeService == "") || len(g.Operations) == 0 {
		w.t.Errorf("%s: %+v", path, g)
	}
	counted["kms/key/"+g.Account+"/"+g.Region+"/"+g.KeyID]++
	indexes, err := g.Indexes()
	w.checkGranteeIndex(g, indexes)
	for _, p := range indexes {
		if _, twice := want[p.Key]; twice {
			w.t.Errorf("%s: another grant has the index record %s too", path, p.Key)
		}
		want[p.Key] = string(p.Value)
	}
	return err
}

// checkGranteeIndex tests that a grant is found by its grantee, whatever the partition of the key's Region, and once: a
// grant that authorization does not find is none.
func (w *world) checkGranteeIndex(g *kms.Grant, indexes []store.Put) {
	w.t.Helper()
	grantee := regexp.MustCompile(`^arn:aws(-cn|-us-gov)?:`).ReplaceAllString(g.Grantee+g.GranteeService, "arn:aws:")
	sum := sha256.Sum256([]byte(grantee))
	want := "kms/grant-grantee/" + g.Account + "/" + g.Region + "/" + g.KeyID + "/" + hex.EncodeToString(sum[:]) + "/" + g.ID
	var got []string
	for _, p := range indexes {
		if strings.HasPrefix(p.Key, "kms/grant-grantee/") {
			got = append(got, p.Key)
		}
	}
	if diff := cmp.Diff([]string{want}, got); diff != "" {
		w.t.Errorf("index of grant %s by its grantee (-wanted +there): %s", g.ID, diff)
	}
}
