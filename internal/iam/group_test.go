package iam_test

import (
	"slices"
	"strconv"
	"testing"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
)

func TestGroups(t *testing.T) {
	root := newWorld(t).root(account)
	root.furnish()
	root.createGroup("Ops")
	root.createUser("eve")
	devs, ops := new("devs"), new("OPS")
	for _, name := range []string{"bob", "eve"} {
		root.must(&iamapi.AddUserToGroupRequest{GroupName: devs, UserName: &name})
		root.must(&iamapi.AddUserToGroupRequest{GroupName: devs, UserName: &name}) // changes nothing
	}
	root.must(&iamapi.AddUserToGroupRequest{GroupName: ops, UserName: new("bob")})
	members := func(group *string) []string {
		var names []string
		for _, u := range do[iamapi.GetGroupResponse](root, &iamapi.GetGroupRequest{GroupName: group}).Users {
			names = append(names, *u.UserName)
		}
		slices.Sort(names)
		return names
	}
	if got := members(devs); !slices.Equal(got, []string{"bob", "eve"}) {
		t.Errorf("members %v", got)
	}
	root.must(&iamapi.UpdateGroupRequest{GroupName: devs, NewGroupName: new("engineers"), NewPath: new("/all/")})
	root.must(&iamapi.UpdateUserRequest{UserName: new("eve"), NewUserName: new("Eve")})
	if got := members(new("engineers")); !slices.Equal(got, []string{"Eve", "bob"}) {
		t.Errorf("members %v", got)
	}
	var groups []string
	for _, g := range do[iamapi.ListGroupsForUserResponse](root, &iamapi.ListGroupsForUserRequest{UserName: new("bob")}).Groups {
		groups = append(groups, *g.Arn)
	}
	if want := []string{root.arn("group/Ops"), root.arn("group/all/engineers")}; !slices.Equal(groups, want) {
		t.Errorf("groups %v, want %v", groups, want)
	}
	if got := do[iamapi.ListGroupsResponse](root, &iamapi.ListGroupsRequest{PathPrefix: new("/all/")}).Groups; len(got) != 1 {
		t.Errorf("%d groups", len(got))
	}
	for range 2 { // the second time changes nothing
		root.must(&iamapi.RemoveUserFromGroupRequest{GroupName: ops, UserName: new("BOB")})
	}
	if got := members(ops); len(got) != 0 {
		t.Errorf("members %v", got)
	}
	root.must(&iamapi.DeleteGroupRequest{GroupName: ops})
}

// pages collects a listing page by page.
func pages(t *testing.T, size int32, page func(marker *string, size *int32) (names []string, truncated *bool, next *string)) []string {
	t.Helper()
	var all []string
	var marker *string
	for range 100 {
		names, truncated, next := page(marker, &size)
		if int32(len(names)) > size {
			t.Errorf("a page of %d", len(names))
		}
		all = append(all, names...)
		if *truncated != (next != nil) {
			t.Errorf("IsTruncated is %v, and there is a marker: %v", *truncated, next != nil)
		}
		if next == nil {
			return all
		}
		if len(*next) > 320 {
			t.Errorf("a marker of %d characters", len(*next))
		}
		marker = next
	}
	t.Fatal("no end of pages")
	return nil
}

func TestPaging(t *testing.T) {
	root := newWorld(t).root(account)
	const count = 23
	root.createGroup("devs")
	arn := root.createPolicy("shared", allowRead)
	var want []string
	for i := range count {
		name := "n" + strconv.Itoa(100+i)
		want = append(want, name)
		root.createUser(name)
		root.createRole(name)
		root.createGroup(name)
		root.createPolicy(name, allowAll)
		root.must(&iamapi.AddUserToGroupRequest{GroupName: new("devs"), UserName: &name})
		root.must(&iamapi.AttachRolePolicyRequest{RoleName: &name, PolicyArn: &arn})
		root.must(&iamapi.PutRolePolicyRequest{RoleName: new("n100"), PolicyName: &name, PolicyDocument: new(allowRead)})
	}
	root.must(&iamapi.TagRoleRequest{RoleName: new("n100"), Tags: tags(count)})
	listings := map[string]func(marker *string, size *int32) ([]string, *bool, *string){
		"ListUsers": func(marker *string, size *int32) (names []string, _ *bool, _ *string) {
			out := do[iamapi.ListUsersResponse](root, &iamapi.ListUsersRequest{Marker: marker, MaxItems: size})
			for _, x := range out.Users {
				names = append(names, *x.UserName)
			}
			return names, out.IsTruncated, out.Marker
		},
		"ListRoles": func(marker *string, size *int32) (names []string, _ *bool, _ *string) {
			out := do[iamapi.ListRolesResponse](root, &iamapi.ListRolesRequest{Marker: marker, MaxItems: size})
			for _, x := range out.Roles {
				names = append(names, *x.RoleName)
			}
			return names, out.IsTruncated, out.Marker
		},
		"ListGroups": func(marker *string, size *int32) (names []string, _ *bool, _ *string) {
			out := do[iamapi.ListGroupsResponse](root, &iamapi.ListGroupsRequest{Marker: marker, MaxItems: size})
			for _, x := range out.Groups {
				names = append(names, *x.GroupName)
			}
			return names, out.IsTruncated, out.Marker
		},
		"ListPolicies": func(marker *string, size *int32) (names []string, _ *bool, _ *string) {
			out := do[iamapi.ListPoliciesResponse](root, &iamapi.ListPoliciesRequest{Marker: marker, MaxItems: size})
			for _, x := range out.Policies {
				names = append(names, *x.PolicyName)
			}
			return names, out.IsTruncated, out.Marker
		},
		"GetGroup": func(marker *string, size *int32) (names []string, _ *bool, _ *string) {
			out := do[iamapi.GetGroupResponse](root, &iamapi.GetGroupRequest{GroupName: new("devs"), Marker: marker, MaxItems: size})
			for _, x := range out.Users {
				names = append(names, *x.UserName)
			}
			return names, out.IsTruncated, out.Marker
		},
		"ListEntitiesForPolicy": func(marker *string, size *int32) (names []string, _ *bool, _ *string) {
			out := do[iamapi.ListEntitiesForPolicyResponse](root, &iamapi.ListEntitiesForPolicyRequest{PolicyArn: &arn, Marker: marker, MaxItems: size})
			for _, x := range out.PolicyRoles {
				names = append(names, *x.RoleName)
			}
			return names, out.IsTruncated, out.Marker
		},
		"ListRolePolicies": func(marker *string, size *int32) ([]string, *bool, *string) {
			out := do[iamapi.ListRolePoliciesResponse](root, &iamapi.ListRolePoliciesRequest{RoleName: new("n100"), Marker: marker, MaxItems: size})
			return out.PolicyNames, out.IsTruncated, out.Marker
		},
		"ListRoleTags": func(marker *string, size *int32) (names []string, _ *bool, _ *string) {
			out := do[iamapi.ListRoleTagsResponse](root, &iamapi.ListRoleTagsRequest{RoleName: new("n100"), Marker: marker, MaxItems: size})
			for _, x := range out.Tags {
				names = append(names, *x.Key)
			}
			return names, out.IsTruncated, out.Marker
		},
	}
	provided := []string{"AWSKeyManagementServicePowerUser", "AdministratorAccess", "IAMFullAccess", "IAMReadOnlyAccess"}
	for name, page := range listings {
		for _, size := range []int32{1, 7, 23, 24, 25, 1000} {
			got, want := pages(t, size, page), slices.Clone(want)
			switch name {
			case "ListGroups":
				want = append(want, "devs")
			case "ListPolicies":
				want = append(append(want, "shared"), provided...)
			case "ListRoleTags":
				for i := range want {
					want[i] = "k" + strconv.Itoa(i)
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s by %d: %d entries %v, want %d", name, size, len(got), got, len(want))
			}
		}
	}
	if len(listings) < 8 {
		t.Errorf("only %d listings", len(listings))
	}
}

// A marker is good for the listing that gave it.
func TestMarkersBelongToTheirListing(t *testing.T) {
	root := newWorld(t).root(account)
	for _, name := range []string{"a", "b", "c"} {
		root.createUser(name)
		root.createGroup(name)
	}
	marker := do[iamapi.ListUsersResponse](root, &iamapi.ListUsersRequest{MaxItems: new(int32(1))}).Marker
	for _, in := range []request{
		&iamapi.ListGroupsRequest{Marker: marker}, &iamapi.ListUsersRequest{Marker: marker, PathPrefix: new("/x/")},
		&iamapi.ListUsersRequest{Marker: new("AAAA")}, &iamapi.ListUsersRequest{Marker: new("ÿ")}, &iamapi.ListUsersRequest{Marker: new(*marker + "=")},
	} {
		root.refused(in, "ValidationError", "Invalid Marker.")
	}
}

func TestAuthorizationDetails(t *testing.T) {
	root := newWorld(t).root(account)
	arn := root.furnish()
	root.must(&iamapi.AddUserToGroupRequest{GroupName: new("devs"), UserName: new("bob")})
	root.putUserPolicy("bob", "in", allowRead)
	root.must(&iamapi.AttachRolePolicyRequest{RoleName: new("app"), PolicyArn: &arn})
	collect := func(size int32, filter ...iamapi.EntityType) []string {
		return pages(t, size, func(marker *string, size *int32) (names []string, _ *bool, _ *string) {
			out := do[iamapi.GetAccountAuthorizationDetailsResponse](root, &iamapi.GetAccountAuthorizationDetailsRequest{Filter: filter, Marker: marker, MaxItems: size})
			for _, u := range out.UserDetailList {
				names = append(names, *u.UserName+" in "+u.GroupList[0]+" may "+decoded(t, u.UserPolicyList[0].PolicyDocument))
			}
			for _, g := range out.GroupDetailList {
				names = append(names, *g.GroupName)
			}
			for _, r := range out.RoleDetailList {
				names = append(names, *r.RoleName+" has "+*r.AttachedManagedPolicies[0].PolicyArn)
			}
			for _, p := range out.Policies {
				names = append(names, *p.PolicyName+" "+*p.PolicyVersionList[0].VersionId)
			}
			return names, out.IsTruncated, out.Marker
		})
	}
	want := []string{
		"bob in devs may " + allowRead, "devs", "app has " + arn, "p v1",
		"AWSKeyManagementServicePowerUser v1", "AdministratorAccess v1", "IAMFullAccess v1", "IAMReadOnlyAccess v1",
	}
	for _, size := range []int32{1, 2, 3, 5, 8, 100} {
		if got := collect(size); !slices.Equal(got, want) {
			t.Errorf("by %d: %q", size, got)
		}
		if got := collect(size, iamapi.EntityTypeRole, iamapi.EntityTypeLocalManagedPolicy); !slices.Equal(got, want[2:4]) {
			t.Errorf("filtered, by %d: %q", size, got)
		}
	}
}

func TestAccount(t *testing.T) {
	w := newWorld(t)
	root := w.root(account)
	aliases := func(p principal) []string {
		return do[iamapi.ListAccountAliasesResponse](p, &iamapi.ListAccountAliasesRequest{}).AccountAliases
	}
	root.must(&iamapi.CreateAccountAliasRequest{AccountAlias: new("acme")})
	root.must(&iamapi.CreateAccountAliasRequest{AccountAlias: new("acme")})
	root.must(&iamapi.CreateAccountAliasRequest{AccountAlias: new("acme-corp")}) // takes its place
	if got := aliases(root); !slices.Equal(got, []string{"acme-corp"}) {
		t.Errorf("aliases %v", got)
	}
	w.root(other).must(&iamapi.CreateAccountAliasRequest{AccountAlias: new("acme")})
	root.refused(&iamapi.DeleteAccountAliasRequest{AccountAlias: new("acme")}, "NoSuchEntity", "The account alias acme cannot be found.")
	root.must(&iamapi.DeleteAccountAliasRequest{AccountAlias: new("acme-corp")})
	if got := aliases(root); len(got) != 0 {
		t.Errorf("aliases %v", got)
	}
	root.refusedAs(&iamapi.CreateAccountAliasRequest{AccountAlias: new(other)}, "EntityAlreadyExists")
	root.furnish()
	summary := do[iamapi.GetAccountSummaryResponse](root, &iamapi.GetAccountSummaryRequest{}).SummaryMap
	for key, want := range map[iamapi.SummaryKeyType]int32{
		"Users": 1, "Groups": 1, "Roles": 1, "Policies": 1, "PolicyVersionsInUse": 1, "UsersQuota": 5000, "AccessKeysPerUserQuota": 2, "AccountAccessKeysPresent": 0,
		"PolicySizeQuota": 6144,
	} {
		if summary[key] != want {
			t.Errorf("%s is %d, want %d", key, summary[key], want)
		}
	}
	if len(summary) != len(iamapi.SummaryKeyType("").Values()) {
		t.Errorf("%d entries", len(summary))
	}
}

// Terraform asks for these before it deletes a user or a role.
func TestWhatTrentDoesNotHaveIsEmpty(t *testing.T) {
	root := newWorld(t).root(account)
	root.furnish()
	bob, app := new("bob"), new("app")
	for _, in := range []request{
		&iamapi.ListMFADevicesRequest{UserName: bob}, &iamapi.ListSSHPublicKeysRequest{UserName: bob},
		&iamapi.ListServiceSpecificCredentialsRequest{UserName: bob}, &iamapi.ListSigningCertificatesRequest{UserName: bob},
		&iamapi.ListInstanceProfilesForRoleRequest{RoleName: app}, &iamapi.ListVirtualMFADevicesRequest{},
	} {
		root.must(in)
	}
	for _, in := range []request{&iamapi.GetLoginProfileRequest{UserName: bob}, &iamapi.DeleteLoginProfileRequest{UserName: bob}} {
		root.refused(in, "NoSuchEntity", "Login Profile for User bob cannot be found.")
	}
	for _, in := range []request{&iamapi.GetLoginProfileRequest{UserName: new("x")}, &iamapi.DeleteLoginProfileRequest{UserName: new("x")}} {
		root.refused(in, "NoSuchEntity", "The user with name x cannot be found.")
	}
	for _, status := range iamapi.AssignmentStatusType("").Values() {
		out := do[iamapi.ListVirtualMFADevicesResponse](root, &iamapi.ListVirtualMFADevicesRequest{AssignmentStatus: &status, MaxItems: new(int32(1))})
		if len(out.VirtualMFADevices) != 0 || *out.IsTruncated || out.Marker != nil {
			t.Errorf("%s: %+v", status, out)
		}
	}
	for _, in := range []request{
		&iamapi.ListVirtualMFADevicesRequest{AssignmentStatus: new(iamapi.AssignmentStatusType("assigned"))},
		&iamapi.ListVirtualMFADevicesRequest{MaxItems: new(int32(0))}, &iamapi.ListVirtualMFADevicesRequest{MaxItems: new(int32(1001))},
		&iamapi.ListVirtualMFADevicesRequest{Marker: new("x")},
	} {
		root.refusedAs(in, "ValidationError")
	}
}
