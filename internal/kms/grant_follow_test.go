package kms_test

import (
	"math/rand/v2"
	"strconv"
	"testing"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// TestSearchForGrantsFollowsEveryChange: on a key with many grants, which come and go between requests, one at a time and
// many, the grantee may exactly what the grants of the moment say.
func TestSearchForGrantsFollowsEveryChange(t *testing.T) {
	w := grantWorld(t)
	u := w.as(alice)
	id := u.createClosed()
	app := u.newRole("follower")
	session := u.assume(app, "session")
	keyARN := *do[kmsapi.DescribeKeyResponse](u, &kmsapi.DescribeKeyRequest{KeyId: &id}).KeyMetadata.Arn
	context := func(n int) map[string]string { return map[string]string{"n": strconv.Itoa(n)} }
	live, next := map[int]string{}, 0
	add := func() {
		constraints := &kmsapi.GrantConstraints{EncryptionContextEquals: context(next)}
		if next%2 == 0 {
			constraints = &kmsapi.GrantConstraints{EncryptionContextSubset: context(next)}
		}
		live[next], _ = u.grantTo(id, app, operations{"Encrypt", "DescribeKey"}, constraints)
		next++
	}
	end := func() {
		for n, grant := range live { // any one
			u.must(&kmsapi.RevokeGrantRequest{KeyId: &id, GrantId: &grant})
			delete(live, n)
			return
		}
	}
	for range 105 {
		add()
	}
	r := rand.New(rand.NewPCG(1, 2))
	allowed, denied := 0, 0
	for range 250 {
		for range r.IntN(4) * r.IntN(4) {
			switch r.IntN(7) {
			case 0:
				u.must(&kmsapi.UpdateKeyDescriptionRequest{KeyId: &id, Description: new(strconv.Itoa(r.IntN(1000)))})
			case 1:
				u.grantTo(id, u.principal(), operations{"Encrypt"}, nil)
			case 2, 3, 4:
				add()
			default:
				end()
			}
		}
		for _, n := range []int{next - 1, next - 2, r.IntN(next), r.IntN(next)} {
			in := encrypts(keyARN)
			in.EncryptionContext = context(n)
			_, want := live[n]
			if got := session.may(in); got != want {
				t.Fatalf("with %d of %d grants, of which %d are left: allowed %t, want %t", n, next, len(live), got, want)
			}
			if want {
				allowed++
			} else {
				denied++
			}
		}
	}
	if allowed < 400 || denied < 100 {
		t.Errorf("%d allowed, %d denied", allowed, denied)
	}
	for len(live) > 0 {
		end()
	}
	if session.may(&kmsapi.DescribeKeyRequest{KeyId: &keyARN}) {
		t.Error("allowed without a grant")
	}
	w.checkGrants()
}
