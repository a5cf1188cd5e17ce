package iam_test

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/trent-kms/trent/internal/iam"
)

// holdRecords tests what all records together must keep: names, counts and indexes say what the entities say.
func (w *world) holdRecords() {
	w.t.Helper()
	got, want := map[string]string{}, map[string]string{}
	accounts := map[string]*iam.Account{}
	policies := map[string]*iam.Managed{}
	counts := map[string][2]int{}
	var entities []*iam.Entity
	members := map[string]int{}
	for key, value := range w.records("iam/") {
		rest := strings.TrimPrefix(key, "iam/")
		part, id, _ := strings.Cut(rest, "/")
		switch part {
		case "entity":
			entities = append(entities, decode[iam.Entity](w, value))
			if last := entities[len(entities)-1]; last.ID != id {
				w.t.Errorf("%s holds %s", key, last.ID)
			}
		case "policy":
			m := decode[iam.Managed](w, value)
			policies[m.ARN()] = m
		case "account":
			accounts[id] = decode[iam.Account](w, value)
		case "name":
			got[key] = decode[struct{ ID string }](w, value).ID
		case "member", "attachment":
			got[key] = ""
		}
	}
	users, roles, groups := map[string]int{}, map[string]int{}, map[string]int{}
	for _, e := range entities {
		kind := map[string]string{"AIDA": "user", "AGPA": "group", "AROA": "role"}[e.ID[:4]]
		map[string]map[string]int{"user": users, "group": groups, "role": roles}[kind][e.Account]++
		want["iam/name/"+kind+"/"+e.Account+"/"+strings.ToLower(e.Name)] = e.ID
		for _, g := range e.Groups {
			want["iam/member/"+g+"/"+e.ID] = ""
			members[g]++
		}
		for _, arn := range e.Attached {
			n := counts[arn]
			n[0]++
			counts[arn] = n
			want["iam/attachment/"+e.Account+"/"+w.policyID(policies, arn)+"/permissions/"+e.ID] = ""
		}
		if e.Boundary != "" {
			n := counts[e.Boundary]
			n[1]++
			counts[e.Boundary] = n
			want["iam/attachment/"+e.Account+"/"+w.policyID(policies, e.Boundary)+"/boundary/"+e.ID] = ""
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("names and indexes (-want +got):\n%s", diff)
	}
	for _, e := range entities {
		if e.Members != members[e.ID] {
			w.t.Errorf("%s says that it has %d members, and has %d", e.Name, e.Members, members[e.ID])
		}
	}
	own := map[string]int{}
	for arn, m := range policies {
		own[m.Account]++
		if n := counts[arn]; m.Attachments != n[0] || m.Boundaries != n[1] {
			w.t.Errorf("%s: counts %d and %d, is attached %d and %d times", arn, m.Attachments, m.Boundaries, n[0], n[1])
		}
	}
	for id, a := range accounts {
		if got, want := [4]int{a.Users, a.Groups, a.Roles, a.Policies}, [4]int{users[id], groups[id], roles[id], own[id]}; got != want {
			w.t.Errorf("account %s counts %v, and has %v", id, got, want)
		}
	}
}

func (w *world) policyID(policies map[string]*iam.Managed, arn string) string {
	if m := policies[arn]; m != nil {
		return m.ID
	}
	return iam.ProvidedID(arn)
}

func decode[T any](w *world, value []byte) *T {
	v := new(T)
	if err := json.Unmarshal(value, v); err != nil {
		w.t.Errorf("%v: %s", err, value)
	}
	return v
}

// records returns the store's records under a prefix.
func (w *world) records(prefix string) map[string][]byte {
	w.t.Helper()
	all := map[string][]byte{}
	after := ""
	for {
		page, err := w.faults.Store.Range(context.WithoutCancel(w.t.Context()), prefix, after, 1000)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, r := range page.Records {
			all[r.Key], after = r.Value, r.Key
		}
		if !page.More {
			return all
		}
	}
}

// keys are the keys of the store's records under a prefix, sorted.
func (w *world) keys(prefix string) []string {
	return slices.Sorted(maps.Keys(w.records(prefix)))
}
