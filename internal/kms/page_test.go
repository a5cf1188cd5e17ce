package kms_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// listing is one of the operations that list, the same for all.
type listing struct {
	name     string
	standard int // entries of a page without Limit
	most     int // entries of a page with the greatest Limit
	// ask returns the names on a page, and what the answer says of more.
	ask func(u user, limit *int32, marker *string) (names []string, next *string, truncated bool)
	in  func(limit *int32, marker *string) request
	// markers says whether the operation's model has InvalidMarkerException.
	markers bool
}

// listings of an account that has some keys and of the first key, which has aliases and tags.
func listings(id string) []listing {
	return []listing{
		{
			name: "ListKeys", standard: 100, most: 1000, markers: true,
			in: func(limit *int32, marker *string) request {
				return &kmsapi.ListKeysRequest{Limit: limit, Marker: marker}
			},
			ask: func(u user, limit *int32, marker *string) (names []string, next *string, truncated bool) {
				out := do[kmsapi.ListKeysResponse](u, &kmsapi.ListKeysRequest{Limit: limit, Marker: marker})
				for _, k := range out.Keys {
					if *k.KeyArn != u.keyARN(*k.KeyId) {
						u.t.Errorf("ARN %s of key %s", *k.KeyArn, *k.KeyId)
					}
					names = append(names, *k.KeyId)
				}
				return names, out.NextMarker, *out.Truncated
			},
		},
		{
			name: "ListAliases", standard: 50, most: 100, markers: true,
			in: func(limit *int32, marker *string) request {
				return &kmsapi.ListAliasesRequest{Limit: limit, Marker: marker}
			},
			ask: func(u user, limit *int32, marker *string) (names []string, next *string, truncated bool) {
				out := do[kmsapi.ListAliasesResponse](u, &kmsapi.ListAliasesRequest{Limit: limit, Marker: marker})
				for _, a := range out.Aliases {
					names = append(names, *a.AliasName)
				}
				return names, out.NextMarker, *out.Truncated
			},
		},
		{
			name: "ListAliases of a key", standard: 50, most: 100, markers: true,
			in: func(limit *int32, marker *string) request {
				return &kmsapi.ListAliasesRequest{KeyId: &id, Limit: limit, Marker: marker}
			},
			ask: func(u user, limit *int32, marker *string) (names []string, next *string, truncated bool) {
				out := do[kmsapi.ListAliasesResponse](u, &kmsapi.ListAliasesRequest{KeyId: &id, Limit: limit, Marker: marker})
				for _, a := range out.Aliases {
					names = append(names, *a.AliasName)
				}
				return names, out.NextMarker, *out.Truncated
			},
		},
		{
			name: "ListResourceTags", standard: 50, most: 50, markers: true,
			in: func(limit *int32, marker *string) request {
				return &kmsapi.ListResourceTagsRequest{KeyId: &id, Limit: limit, Marker: marker}
			},
			ask: func(u user, limit *int32, marker *string) (names []string, next *string, truncated bool) {
				out := do[kmsapi.ListResourceTagsResponse](u, &kmsapi.ListResourceTagsRequest{KeyId: &id, Limit: limit, Marker: marker})
				for _, t := range out.Tags {
					names = append(names, *t.TagKey)
				}
				return names, out.NextMarker, *out.Truncated
			},
		},
		{
			name: "ListKeyPolicies", standard: 100, most: 1000,
			in: func(limit *int32, marker *string) request {
				return &kmsapi.ListKeyPoliciesRequest{KeyId: &id, Limit: limit, Marker: marker}
			},
			ask: func(u user, limit *int32, marker *string) (names []string, next *string, truncated bool) {
				out := do[kmsapi.ListKeyPoliciesResponse](u, &kmsapi.ListKeyPoliciesRequest{KeyId: &id, Limit: limit, Marker: marker})
				return out.PolicyNames, out.NextMarker, *out.Truncated
			},
		},
	}
}

// all goes through a listing page by page.
func (l listing) all(u user, limit *int32) (names []string, pages int) {
	u.t.Helper()
	var marker *string
	for {
		page, next, truncated := l.ask(u, limit, marker)
		pages++
		names = append(names, page...)
		if (next != nil) != truncated {
			u.t.Errorf("%s: Truncated is %v, but NextMarker is there: %v", l.name, truncated, next != nil)
		}
		if want := l.standard; limit != nil && len(page) > int(*limit) || limit == nil && len(page) > want {
			u.t.Errorf("%s: a page of %d", l.name, len(page))
		}
		if next == nil {
			return names, pages
		}
		if len(*next) > 1024 {
			u.t.Errorf("%s: a marker of %d characters", l.name, len(*next))
		}
		marker = next
	}
}

func TestEveryEntryIsOnOnePage(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	id := u.createKey()
	wantKeys, wantAliases := []string{id}, []string{}
	for i := range 24 {
		wantKeys = append(wantKeys, u.createKey())
		wantAliases = append(wantAliases, fmt.Sprintf("alias/%02d/%s", i, strings.Repeat("x", 200)))
		u.createAlias(wantAliases[i], id)
	}
	slices.Sort(wantKeys)
	for i := range 12 { // of a neighbour, and of another Region
		w.as(bob).createAlias(fmt.Sprint("alias/", i), w.as(bob).createKey())
		u.in(abroad).createAlias(fmt.Sprint("alias/", i), u.in(abroad).createKey())
	}
	var tagKeys []string
	for i := range 24 {
		tagKeys = append(tagKeys, fmt.Sprintf("%03d%s", i, strings.Repeat("字", 125)))
	}
	u.must(&kmsapi.TagResourceRequest{KeyId: &id, Tags: tags(tagKeys...)})
	want := map[string][]string{
		"ListKeys": wantKeys, "ListAliases": wantAliases, "ListAliases of a key": wantAliases, "ListResourceTags": tagKeys,
		"ListKeyPolicies": {"default"},
	}
	for _, l := range listings(id) {
		for _, limit := range []int32{1, 2, 7, 23, 24, 25, 1000} {
			got, pages := l.all(u, &limit)
			if !slices.Equal(got, want[l.name]) {
				t.Errorf("%s by %d: got %d entries, want %d, in order", l.name, limit, len(got), len(want[l.name]))
			}
			if most := (len(want[l.name])+int(limit)-1)/int(limit) + 1; pages > most {
				t.Errorf("%s by %d: %d pages", l.name, limit, pages)
			}
		}
	}
	for _, l := range listings(id) {
		for _, limit := range []int32{0, -1, 1001} {
			u.refusedAs(l.in(&limit, nil), "ValidationException")
		}
		u.refusedAs(l.in(nil, new("")), "ValidationException")
		u.refusedAs(l.in(nil, new(strings.Repeat("m", 1025))), "ValidationException")
		u.refusedAs(l.in(nil, new("\u2028")), "ValidationException")
	}
}

// Pages have the size that the limits page gives, and a greater Limit than the operation's own is cut to it.
func TestPageSizes(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	id, second, third := u.createKey(), u.createKey(), u.createKey()
	for i := range 102 {
		u.createAlias(fmt.Sprintf("alias/%03d", i), []string{id, second, third}[i/50])
	}
	for range 98 {
		u.createKey()
	}
	u.must(&kmsapi.TagResourceRequest{KeyId: &id, Tags: numbered(0, 50)})
	for _, l := range listings(id) {
		entries := map[string]int{"ListKeys": 101, "ListAliases": 102, "ListAliases of a key": 50, "ListResourceTags": 50, "ListKeyPolicies": 1}[l.name]
		for _, row := range []struct {
			limit *int32
			want  int
		}{{nil, l.standard}, {new(int32(1000)), l.most}} {
			page, _, truncated := l.ask(u, row.limit, nil)
			if want := min(row.want, entries); len(page) != want || truncated != (entries > want) {
				t.Errorf("%s: %d entries, truncated %v; want %d of %d", l.name, len(page), truncated, want, entries)
			}
		}
	}
}

// A marker is good for the listing that gave it, and nothing else is.
func TestMarkers(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	id, other := u.createKey(), u.createKey()
	for _, key := range []string{id, other} {
		u.createAlias("alias/a"+key, key)
		u.createAlias("alias/b"+key, key)
		u.must(&kmsapi.TagResourceRequest{KeyId: &key, Tags: numbered(0, 2)})
	}
	given := map[string]string{}
	for _, l := range append(listings(id), listings(other)[2:4]...) {
		if _, next, _ := l.ask(u, new(int32(1)), nil); next != nil {
			given[*next] = l.name
		}
	}
	if len(given) != 6 {
		t.Fatalf("%d different markers, want 6", len(given))
	}
	bad := map[string]bool{
		"x": true, "alias/a": true, "!": true, " ": true, "ÿ": true, base64.RawURLEncoding.EncodeToString([]byte("ListKeys")): true,
		base64.RawURLEncoding.EncodeToString([]byte("ListKeys\n\n")): true,
	}
	for m := range given {
		bad[m[:len(m)-3]+"="], bad[m+"AA="] = true, true
	}
	for _, l := range listings(id) {
		code := "InvalidMarkerException"
		if !l.markers {
			code = "ValidationException"
		}
		accepted := 0
		for m := range given {
			if a := u.send(l.in(nil, &m)); a.ok() {
				accepted++
			} else if a.code != code {
				t.Errorf("%s: a marker of %s: %q", l.name, given[m], a.code)
			}
		}
		if l.name != "ListKeyPolicies" && accepted != 1 {
			t.Errorf("%s accepts %d of the markers, want its own", l.name, accepted)
		}
		for m := range bad {
			u.refused(l.in(nil, &m), code, "The marker is not valid for this request.")
		}
	}
	// Whoever writes a marker gets no further than the end of the own list.
	for _, after := range []string{"\x00", "\xff\xff", "/../../" + bob, "~"} {
		m := base64.RawURLEncoding.EncodeToString([]byte("ListKeys\n\n" + after))
		for _, k := range do[kmsapi.ListKeysResponse](u, &kmsapi.ListKeysRequest{Marker: &m}).Keys {
			if !strings.HasPrefix(*k.KeyArn, u.arn("key/")) {
				t.Errorf("marker after %q: %s", after, *k.KeyArn)
			}
		}
	}
}

// What is deleted while a listing goes on does not disturb it: each entry that stays is seen once.
func TestListingWhileEntriesGo(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	id := u.createKey()
	for i := range 9 {
		u.createAlias(fmt.Sprint("alias/", i), id)
		u.createKey()
	}
	u.must(&kmsapi.TagResourceRequest{KeyId: &id, Tags: numbered(0, 9)})
	all := listings(id)
	for _, l := range []listing{all[1], all[2], all[3], all[0]} { // keys last: they take the others with them
		before, _ := l.all(u, nil)
		first, marker, _ := l.ask(u, new(int32(3)), nil)
		// The entry that the marker names goes, and the one behind it.
		for _, name := range before[2:4] {
			switch l.name {
			case "ListKeys":
				u.schedule(name)
				u.advance("7d")
			case "ListResourceTags":
				u.must(&kmsapi.UntagResourceRequest{KeyId: &id, TagKeys: []string{name}})
			default:
				u.must(&kmsapi.DeleteAliasRequest{AliasName: &name})
			}
		}
		rest, _, truncated := l.ask(u, nil, marker)
		if want := before[4:]; !slices.Equal(rest, want) || truncated || len(first) != 3 {
			t.Errorf("%s: got %v, want %v", l.name, rest, want)
		}
	}
}
