package org_test

import (
	"fmt"
	"slices"
	"testing"

	orgapi "github.com/trent-kms/trent/internal/api/organizations"
)

// Each listing, in pages of any size, gives every entry once.
func TestListingsPageByPage(t *testing.T) {
	const n = 23
	w := newWorld(t)
	u, _, root := founded(w)
	u.enable(root, scp)
	var accounts, units, policies []string
	p := u.createPolicy(scp, "everywhere", denyKMS)
	u.attach(p, root)
	for i := range n {
		accounts = append(accounts, u.createAccount(fmt.Sprint("a", i)))
		units = append(units, u.createUnit(root, fmt.Sprint("u", i)))
		policies = append(policies, u.createPolicy(scp, fmt.Sprint("p", i), denyKMS))
		u.attach(p, accounts[i])
		u.attach(p, units[i])
	}
	for i := range 3 {
		u.attach(policies[i], units[0])
	}
	type page struct {
		ids  []string
		next *string
	}
	listings := map[string]struct {
		count int
		get   func(token *string, limit *int32) page
	}{
		"ListAccounts": {n + 1, func(token *string, limit *int32) (all page) {
			out := do[orgapi.ListAccountsResponse](u, &orgapi.ListAccountsRequest{NextToken: token, MaxResults: limit})
			for _, a := range out.Accounts {
				all.ids = append(all.ids, *a.Id)
			}
			return page{all.ids, out.NextToken}
		}},
		"ListAccountsForParent": {n + 1, func(token *string, limit *int32) (all page) {
			out := do[orgapi.ListAccountsForParentResponse](u, &orgapi.ListAccountsForParentRequest{ParentId: &root, NextToken: token, MaxResults: limit})
			for _, a := range out.Accounts {
				all.ids = append(all.ids, *a.Id)
			}
			return page{all.ids, out.NextToken}
		}},
		"ListOrganizationalUnitsForParent": {n, func(token *string, limit *int32) (all page) {
			out := do[orgapi.ListOrganizationalUnitsForParentResponse](u, &orgapi.ListOrganizationalUnitsForParentRequest{ParentId: &root, NextToken: token, MaxResults: limit})
			for _, a := range out.OrganizationalUnits {
				all.ids = append(all.ids, *a.Id)
			}
			return page{all.ids, out.NextToken}
		}},
		"ListChildren": {n, func(token *string, limit *int32) (all page) {
			out := do[orgapi.ListChildrenResponse](u, &orgapi.ListChildrenRequest{ParentId: &root, ChildType: new(orgapi.ChildTypeOrganizationalUnit), NextToken: token, MaxResults: limit})
			for _, a := range out.Children {
				all.ids = append(all.ids, *a.Id)
			}
			return page{all.ids, out.NextToken}
		}},
		"ListPolicies": {n + 2, func(token *string, limit *int32) (all page) {
			out := do[orgapi.ListPoliciesResponse](u, &orgapi.ListPoliciesRequest{Filter: new(scp), NextToken: token, MaxResults: limit})
			for _, a := range out.Policies {
				all.ids = append(all.ids, *a.Id)
			}
			return page{all.ids, out.NextToken}
		}},
		"ListPoliciesForTarget": {5, func(token *string, limit *int32) (all page) {
			out := do[orgapi.ListPoliciesForTargetResponse](u, &orgapi.ListPoliciesForTargetRequest{TargetId: &units[0], Filter: new(scp), NextToken: token, MaxResults: limit})
			for _, a := range out.Policies {
				all.ids = append(all.ids, *a.Id)
			}
			return page{all.ids, out.NextToken}
		}},
		"ListTargetsForPolicy": {2*n + 1, func(token *string, limit *int32) (all page) {
			out := do[orgapi.ListTargetsForPolicyResponse](u, &orgapi.ListTargetsForPolicyRequest{PolicyId: &p, NextToken: token, MaxResults: limit})
			for _, a := range out.Targets {
				all.ids = append(all.ids, *a.TargetId)
			}
			return page{all.ids, out.NextToken}
		}},
		"ListTargetsForPolicy of AWS's": {2*n + 2, func(token *string, limit *int32) (all page) {
			out := do[orgapi.ListTargetsForPolicyResponse](u, &orgapi.ListTargetsForPolicyRequest{PolicyId: new(fullSCP), NextToken: token, MaxResults: limit})
			for _, a := range out.Targets {
				all.ids = append(all.ids, *a.TargetId)
			}
			return page{all.ids, out.NextToken}
		}},
		"ListCreateAccountStatus": {n, func(token *string, limit *int32) (all page) {
			out := do[orgapi.ListCreateAccountStatusResponse](u, &orgapi.ListCreateAccountStatusRequest{States: []orgapi.CreateAccountState{orgapi.CreateAccountStateSucceeded}, NextToken: token, MaxResults: limit})
			for _, a := range out.CreateAccountStatuses {
				all.ids = append(all.ids, *a.Id)
			}
			return page{all.ids, out.NextToken}
		}},
	}
	for name, l := range listings {
		for _, limit := range []int32{0, 1, 2, 3, 7, 19, 20} { // 0: none is asked for
			var size *int32
			if limit > 0 {
				size = &limit
			}
			var all []string
			var token *string
			for pages := 0; ; pages++ {
				got := l.get(token, size)
				if len(got.ids) > 20 || limit > 0 && len(got.ids) > int(limit) || pages > 100 {
					t.Fatalf("%s by %d: page %d has %d entries", name, limit, pages, len(got.ids))
				}
				all = append(all, got.ids...)
				if token = got.next; token == nil {
					break
				}
			}
			distinct := slices.Compact(slices.Sorted(slices.Values(all)))
			if len(all) != l.count || len(distinct) != l.count {
				t.Errorf("%s by %d: %d entries, %d distinct, want %d", name, limit, len(all), len(distinct), l.count)
			}
		}
	}
}

// A token is good for the listing that gave it, and for no other.
func TestTokensAreOfOneListing(t *testing.T) {
	w := newWorld(t)
	u, _, root := founded(w)
	u.createAccount("one")
	token := do[orgapi.ListAccountsResponse](u, &orgapi.ListAccountsRequest{MaxResults: new(int32(1))}).NextToken
	for _, bad := range []*string{token, new(""), new("!"), new(*token + "A"), new("bm9uc2Vuc2U")} {
		u.refused("InvalidInputException", &orgapi.ListAccountsForParentRequest{ParentId: &root, NextToken: bad})
		u.refused("InvalidInputException", &orgapi.ListRootsRequest{NextToken: bad})
		u.refused("InvalidInputException", &orgapi.ListTagsForResourceRequest{ResourceId: &root, NextToken: bad})
		u.refused("InvalidInputException", &orgapi.ListPoliciesForTargetRequest{TargetId: &root, Filter: new(scp), NextToken: bad})
	}
	other := w.as(stranger)
	do[orgapi.CreateOrganizationResponse](other, &orgapi.CreateOrganizationRequest{})
	other.refused("InvalidInputException", &orgapi.ListAccountsRequest{NextToken: token})
}
