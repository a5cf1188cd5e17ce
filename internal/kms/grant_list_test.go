package kms_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/store"
)

func (u user) retirable(principal string) []kmsapi.GrantListEntry {
	u.t.Helper()
	out := do[kmsapi.ListGrantsResponse](u, &kmsapi.ListRetirableGrantsRequest{RetiringPrincipal: &principal, Limit: new(int32(100))})
	if *out.Truncated {
		u.t.Fatal("more than 100 grants")
	}
	return out.Grants
}

// grantListings are both listings, of a key and of a retiring principal that have the same grants.
func grantListings(id, retiring string) []listing {
	names := func(out *kmsapi.ListGrantsResponse) (names []string, next *string, truncated bool) {
		for _, g := range out.Grants {
			names = append(names, *g.GrantId)
		}
		return names, out.NextMarker, *out.Truncated
	}
	ofKey := func(limit *int32, marker *string) request {
		return &kmsapi.ListGrantsRequest{KeyId: &id, Limit: limit, Marker: marker}
	}
	ofPrincipal := func(limit *int32, marker *string) request {
		return &kmsapi.ListRetirableGrantsRequest{RetiringPrincipal: &retiring, Limit: limit, Marker: marker}
	}
	filtered := func(limit *int32, marker *string) request {
		return &kmsapi.ListGrantsRequest{KeyId: &id, GranteePrincipal: new(role), Limit: limit, Marker: marker}
	}
	var all []listing
	for name, in := range map[string]func(*int32, *string) request{"ListGrants": ofKey, "ListGrants of a grantee": filtered, "ListRetirableGrants": ofPrincipal} {
		all = append(all, listing{
			name: name, standard: 50, most: 100, markers: true, in: in,
			ask: func(u user, limit *int32, marker *string) ([]string, *string, bool) {
				return names(do[kmsapi.ListGrantsResponse](u, in(limit, marker)))
			},
		})
	}
	return all
}

func TestEveryGrantIsOnOnePage(t *testing.T) {
	w := grantWorld(t)
	u := w.as(alice)
	id, neighbour := u.createKey(), u.createKey()
	var want []string
	for range 60 {
		in := grantRequest(id)
		in.RetiringPrincipal = new(u.principal())
		grant, _ := u.createGrant(in)
		want = append(want, grant)
	}
	slices.Sort(want)
	for _, v := range []user{u, u.in(abroad), w.as(bob)} { // none of these is listed
		in := grantRequest(neighbour)
		if v != u {
			in.KeyId = new(v.createKey())
		}
		v.createGrant(in)
	}
	in := grantRequest(u.in(abroad).createKey()) // of the same principal in another Region
	in.RetiringPrincipal = new(u.principal())
	u.in(abroad).createGrant(in)
	all := grantListings(id, u.principal())
	for _, l := range all {
		for _, page := range []struct {
			limit *int32
			pages int
		}{{nil, 2}, {new(int32(7)), 9}, {new(int32(60)), 1}, {new(int32(100)), 1}, {new(int32(1000)), 1}} {
			got, pages := l.all(u, page.limit)
			if !slices.Equal(got, want) || pages != page.pages {
				t.Errorf("%s: %d grants on %d pages, want %d on %d", l.name, len(got), pages, len(want), page.pages)
			}
		}
		for _, limit := range []int32{0, -1, 1001} {
			u.refusedAs(l.in(&limit, nil), "ValidationException")
		}
		u.refused(l.in(nil, new("x")), "InvalidMarkerException", "The marker is not valid for this request.")
		u.refusedAs(l.in(nil, new("")), "ValidationException")
	}
	if len(all) != 3 {
		t.Errorf("%d listings, want 3", len(all))
	}
	w.checkGrants()
}

// A marker is good for the listing that gave it, of the same key, principal and filter.
func TestMarkersOfGrants(t *testing.T) {
	u := grantWorld(t).as(alice)
	id, other := u.createKey(), u.createKey()
	for _, key := range []string{id, id, other, other} {
		in := grantRequest(key)
		in.RetiringPrincipal = new(role)
		u.createGrant(in)
	}
	one := new(int32(1))
	requests := []request{
		&kmsapi.ListGrantsRequest{KeyId: &id, Limit: one}, &kmsapi.ListGrantsRequest{KeyId: &other, Limit: one},
		&kmsapi.ListGrantsRequest{KeyId: &id, GranteePrincipal: new(role), Limit: one},
		&kmsapi.ListRetirableGrantsRequest{RetiringPrincipal: new(role), Limit: one},
	}
	var markers []*string
	for _, in := range requests {
		markers = append(markers, do[kmsapi.ListGrantsResponse](u, in).NextMarker)
	}
	requests = append(requests, &kmsapi.ListGrantsRequest{KeyId: &id, GranteePrincipal: new(u.principal())},
		&kmsapi.ListRetirableGrantsRequest{RetiringPrincipal: new(u.principal())}, &kmsapi.ListAliasesRequest{}, &kmsapi.ListKeysRequest{})
	for i, in := range requests {
		for j, marker := range markers {
			switch in := in.(type) {
			case *kmsapi.ListGrantsRequest:
				in.Marker = marker
			case *kmsapi.ListRetirableGrantsRequest:
				in.Marker = marker
			case *kmsapi.ListAliasesRequest:
				in.Marker = marker
			case *kmsapi.ListKeysRequest:
				in.Marker = marker
			}
			if i == j {
				u.must(in)
			} else {
				u.refusedAs(in, "InvalidMarkerException")
			}
		}
	}
	// A marker is no secret, and one that somebody has made leads nowhere else.
	forged := base64.RawURLEncoding.EncodeToString([]byte("ListGrants\n" + id + "\n\n\n../" + other + "/"))
	for _, g := range do[kmsapi.ListGrantsResponse](u, &kmsapi.ListGrantsRequest{KeyId: &id, Marker: &forged}).Grants {
		if *g.KeyId != u.keyARN(id) {
			t.Errorf("a grant of %s", *g.KeyId)
		}
	}
}

func TestFiltersOfListGrants(t *testing.T) {
	w := grantWorld(t)
	u := w.as(alice)
	id, other := u.createKey(), u.createKey()
	first, _ := u.createGrant(grantRequest(id))
	in := grantRequest(id)
	in.GranteePrincipal = new(u.principal())
	second, _ := u.createGrant(in)
	elsewhere, _ := u.createGrant(grantRequest(other))
	unknown := strings.Repeat("0", 64)
	onlyService := func(member string) string {
		return "User: " + u.principal() + " is not authorized to use " + member + ", which is for callers that are service principals."
	}
	for _, row := range []struct {
		name                       string
		grant, grantee, forService *string
		want                       []string
		code, message              string
	}{
		{"none", nil, nil, nil, []string{first, second}, "", ""},
		{"grant", &first, nil, nil, []string{first}, "", ""},
		{"grantee", nil, new(role), nil, []string{first}, "", ""},
		{"both", &second, new(u.principal()), nil, []string{second}, "", ""},
		{"both, not of one grant", &first, new(u.principal()), nil, nil, "", ""},
		{"unknown grant", &unknown, nil, nil, nil, "", ""},
		{"grant of another key", &elsewhere, nil, nil, nil, "", ""},
		{"unknown grantee", nil, new("arn:aws:iam::" + bob + ":root"), nil, nil, "", ""},
		{"grantee that is no ARN", nil, new("s3.amazonaws.com"), nil, nil, "", ""},
		{"half a grant id", new(first[:63]), nil, nil, nil, "InvalidGrantIdException", "Invalid grant ID '" + first[:63] + "'"},
		{"no grant id", new("/"), nil, nil, nil, "InvalidGrantIdException", "Invalid grant ID '/'"},
		{"service", nil, nil, new("s3.amazonaws.com"), nil, "AccessDeniedException", onlyService("GranteeServicePrincipal")},
		{"grantee and service", nil, new(role), new("s3.amazonaws.com"), nil, "ValidationException", "You cannot specify GranteePrincipal and GranteeServicePrincipal in the same request."},
	} {
		in := &kmsapi.ListGrantsRequest{KeyId: &id, GrantId: row.grant, GranteePrincipal: row.grantee, GranteeServicePrincipal: row.forService}
		if row.code != "" {
			u.refused(in, row.code, row.message)
			continue
		}
		a := u.must(in)
		var got []string
		for _, g := range do[kmsapi.ListGrantsResponse](u, in).Grants {
			got = append(got, *g.GrantId)
		}
		slices.Sort(row.want)
		if !slices.Equal(got, row.want) || !strings.Contains(string(a.body), `"Truncated":false`) {
			t.Errorf("%s: got %v, want %v: %s", row.name, got, row.want, a.body)
		}
	}
	w.checkGrants()
}

// A service that the key's policy lets list finds the grants to a service.
func TestServicesListGrantsToServices(t *testing.T) {
	w := grantWorld(t)
	u := w.as(alice)
	const s3 = "s3.amazonaws.com"
	policy := rules(statement("Allow", u.principal(), "kms:*"), rule("Allow", `{"Service":"`+s3+`"}`, "*", "", "kms:ListGrants"))
	id := *do[kmsapi.CreateKeyResponse](u, &kmsapi.CreateKeyRequest{Policy: &policy}).KeyMetadata.KeyId
	in := grantRequest(id)
	u.createGrant(in)
	in.GranteePrincipal, in.GranteeServicePrincipal, in.RetiringPrincipal = nil, new(s3), new(role)
	in.Constraints = &kmsapi.GrantConstraints{SourceArn: new("arn:aws:s3:::bucket-of-alice")}
	want, _ := u.createGrant(in)
	arn, service := u.keyARN(id), w.registered(s3)
	for name, n := range map[string]int{s3: 1, "ec2.amazonaws.com": 0} {
		got := do[kmsapi.ListGrantsResponse](service, &kmsapi.ListGrantsRequest{KeyId: &arn, GranteeServicePrincipal: &name}).Grants
		if len(got) != n || n == 1 && *got[0].GrantId != want {
			t.Errorf("%s: %d grants, want %d", name, len(got), n)
		}
	}
	if n := len(do[kmsapi.ListGrantsResponse](service, &kmsapi.ListGrantsRequest{KeyId: &arn}).Grants); n != 2 {
		t.Errorf("%d grants, want 2", n)
	}
}

// ListRetirableGrants asks about principals of the caller's own account; the keys may be anybody's.
func TestRetirableGrants(t *testing.T) {
	w := grantWorld(t)
	u, b := w.as(alice), w.as(bob)
	id := u.createKey()
	in := grantRequest(id)
	in.RetiringPrincipal = new(b.newRole("ops"))
	grant, _ := u.createGrant(in)
	if got := b.retirable(*in.RetiringPrincipal); len(got) != 1 || *got[0].GrantId != grant || *got[0].KeyId != u.keyARN(id) {
		t.Errorf("bob may retire %+v", got)
	}
	if n := len(b.retirable("arn:aws:iam::"+bob+":root")) + len(b.retirable("arn:aws:iam::"+bob+":role/op")) + len(b.in(abroad).retirable(*in.RetiringPrincipal)); n != 0 {
		t.Errorf("%d grants of other principals", n)
	}
	const either = "You must specify either RetiringPrincipal or RetiringServicePrincipal, but not both."
	service := new("s3.amazonaws.com")
	for _, row := range []struct {
		in            *kmsapi.ListRetirableGrantsRequest
		code, message string
	}{
		{&kmsapi.ListRetirableGrantsRequest{RetiringPrincipal: in.RetiringPrincipal}, "AccessDeniedException", "User: " + u.principal() + " is not authorized to perform: kms:ListRetirableGrants on resource: * because no resource-based policy allows the kms:ListRetirableGrants action"},
		{&kmsapi.ListRetirableGrantsRequest{RetiringServicePrincipal: service}, "AccessDeniedException", "User: " + u.principal() + " is not authorized to use RetiringServicePrincipal, which is for callers that are service principals."},
		{&kmsapi.ListRetirableGrantsRequest{}, "ValidationException", either},
		{&kmsapi.ListRetirableGrantsRequest{RetiringPrincipal: new(role), RetiringServicePrincipal: service}, "ValidationException", either},
		{&kmsapi.ListRetirableGrantsRequest{RetiringPrincipal: new(alice)}, "InvalidArnException", "RetiringPrincipal" + principalText + alice},
		{&kmsapi.ListRetirableGrantsRequest{RetiringPrincipal: new("arn:aws:iam::" + alice + ":group/g")}, "InvalidArnException", "RetiringPrincipal" + principalText + "arn:aws:iam::" + alice + ":group/g"},
	} {
		u.refused(row.in, row.code, row.message)
	}
	w.checkGrants()
}

// A registered service finds the grants that it may retire, those of every account, and nobody else's.
func TestServicesListWhatTheyMayRetire(t *testing.T) {
	w := grantWorld(t)
	u, b := w.as(alice), w.as(bob)
	const s3 = "s3.amazonaws.com"
	var want []string
	ask := func(u user, grantee, retiring string) string {
		in := grantRequest(u.createKey())
		in.GranteePrincipal, in.RetiringServicePrincipal = &grantee, &retiring
		id, _ := u.createGrant(in)
		return id
	}
	want = append(want, ask(u, role, s3), ask(b, b.principal(), s3))
	ask(u, role, "sqs.amazonaws.com")
	ask(u.in(abroad), role, s3)
	service := w.registered(s3)
	own := &kmsapi.ListRetirableGrantsRequest{RetiringServicePrincipal: new(s3)}
	listed := func() (ids []string) {
		for _, g := range do[kmsapi.ListGrantsResponse](service, own).Grants {
			if *g.RetiringServicePrincipal != s3 || g.RetiringPrincipal != nil {
				t.Errorf("listed: %+v", g)
			}
			ids = append(ids, *g.GrantId)
		}
		return ids
	}
	slices.Sort(want)
	if got := listed(); !slices.Equal(slices.Sorted(slices.Values(got)), want) {
		t.Errorf("S3 may retire %v, want %v", got, want)
	}
	first := do[kmsapi.ListGrantsResponse](service, &kmsapi.ListRetirableGrantsRequest{RetiringServicePrincipal: new(s3), Limit: new(int32(1))})
	rest := do[kmsapi.ListGrantsResponse](service, &kmsapi.ListRetirableGrantsRequest{RetiringServicePrincipal: new(s3), Marker: first.NextMarker})
	if len(first.Grants) != 1 || len(rest.Grants) != 1 || *first.Grants[0].GrantId == *rest.Grants[0].GrantId {
		t.Errorf("pages of %d and %d grants", len(first.Grants), len(rest.Grants))
	}
	service.must(&kmsapi.RetireGrantRequest{KeyId: first.Grants[0].KeyId, GrantId: first.Grants[0].GrantId})
	if n := len(listed()); n != 1 {
		t.Errorf("%d grants are left, want 1", n)
	}
	const noPolicy = " is not authorized to perform: kms:ListRetirableGrants on resource: * because no identity-based policy allows the kms:ListRetirableGrants action"
	const either = "You must specify either RetiringPrincipal or RetiringServicePrincipal, but not both."
	sqs := w.registered("sqs.amazonaws.com")
	sqs.refused(own, "AccessDeniedException", "User: sqs.amazonaws.com"+noPolicy)
	service.refused(&kmsapi.ListRetirableGrantsRequest{RetiringPrincipal: new(role)}, "AccessDeniedException", "User: "+s3+noPolicy)
	service.refused(&kmsapi.ListRetirableGrantsRequest{RetiringPrincipal: new(role), RetiringServicePrincipal: new(s3)}, "ValidationException", either)
	admin := u.newUser("admin", allowing("kms:*"))
	for _, who := range []user{u, admin, w.registered("ec2.amazonaws.com", alice).onBehalfOf(admin)} {
		who.refused(own, "AccessDeniedException", "User: "+who.principal()+" is not authorized to use RetiringServicePrincipal, which is for callers that are service principals.")
	}
	w.checkGrants()
}

// underGrantee are the index records of a key's grants by their grantees.
func (w *world) underGrantee(key string) (paths []string) {
	w.t.Helper()
	page, err := w.store.Range(w.t.Context(), "kms/grant-grantee/", "", 1<<20)
	if err != nil || page.More {
		w.t.Fatal(err, page.More)
	}
	for _, r := range page.Records {
		if strings.Contains(r.Key, "/"+key+"/") {
			paths = append(paths, r.Key)
		}
	}
	return paths
}

// copyGrant puts n copies of a grant into the store, so many that making them would take long.
func (w *world) copyGrant(u user, key string, n int) {
	w.t.Helper()
	id, _ := u.createGrant(grantRequest(key))
	prefix := "kms/grant/" + u.account + "/" + u.region + "/" + key + "/"
	grant, err := w.store.Get(w.t.Context(), prefix+id)
	if err != nil {
		w.t.Fatal(err)
	}
	k, err := w.store.Get(w.t.Context(), u.keyPath(key))
	if err != nil {
		w.t.Fatal(err)
	}
	put := func(path, value, old, new string) store.Put {
		return store.Put{Key: path, Value: []byte(strings.Replace(value, old, new, 1))}
	}
	t := store.Txn{Puts: []store.Put{put(k.Key, string(k.Value), `"grants":1,`, fmt.Sprintf(`"grants":%d,`, n+1))}}
	grantee := strings.TrimSuffix(w.underGrantee(key)[0], id)
	for i := range n {
		copied := fmt.Sprintf("%064x", i)
		t.Puts = append(t.Puts, put(prefix+copied, string(grant.Value), id, copied), store.Put{Key: grantee + copied})
		if len(t.Puts) >= 100 || i == n-1 {
			if _, err := w.store.Commit(w.t.Context(), t); err != nil {
				w.t.Fatal(err)
			}
			t.Puts = nil
		}
	}
}

// A filter that fits few of many grants does not make one call look at all of them.
func TestAFilterOfGrantsDoesNotMakeACallLong(t *testing.T) {
	w := grantWorld(t)
	u := w.as(alice)
	id := u.createKey()
	w.copyGrant(u, id, 2500)
	var marker *string
	calls := 0
	for {
		out := do[kmsapi.ListGrantsResponse](u, &kmsapi.ListGrantsRequest{KeyId: &id, GranteePrincipal: new(u.principal()), Marker: marker})
		calls++
		if len(out.Grants) != 0 {
			t.Errorf("%d grants", len(out.Grants))
		}
		if marker = out.NextMarker; marker == nil {
			break
		}
	}
	if calls != 3 {
		t.Errorf("%d calls for 2500 grants, want 3 that look at 1000 at most", calls)
	}
	w.checkGrants()
}
