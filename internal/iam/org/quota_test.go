package org_test

import (
	"fmt"
	"strings"
	"testing"

	orgapi "github.com/trent-kms/trent/internal/api/organizations"
	"github.com/trent-kms/trent/internal/iam/org"
	"github.com/trent-kms/trent/internal/store"
)

// count sets a counter in the organization's record, so that a quota can be reached without making thousands of things.
func (w *world) count(organization, from, to string) {
	w.t.Helper()
	key := "iam/org/organization/" + organization
	value := w.records()[key]
	if !strings.Contains(value, from) {
		w.t.Fatalf("no %s in %s", from, value)
	}
	w.overwrite(store.Put{Key: key, Value: []byte(strings.Replace(value, from, to, 1))})
}

func TestQuotas(t *testing.T) {
	w := newWorld(t)
	u, o, root := founded(w)
	u.enable(root, scp, rcp)
	unit := u.createUnit(root, "unit")
	newUnit := func(name string) request {
		return &orgapi.CreateOrganizationalUnitRequest{ParentId: &root, Name: &name}
	}
	newPolicy := func(kind orgapi.PolicyType, name, content string) request {
		return &orgapi.CreatePolicyRequest{Type: &kind, Name: &name, Content: &content, Description: new("")}
	}
	newAccount := func(name string) request {
		return &orgapi.CreateAccountRequest{Email: new(name + "@example.com"), AccountName: &name}
	}
	for _, c := range []struct {
		from, near, full string
		last, over       request
	}{
		{`"units":1`, `"units":1999`, `"units":1`, newUnit("last"), newUnit("over")},
		{`"accounts":1`, fmt.Sprintf(`"accounts":%d`, org.MaxAccounts-1), `"accounts":2`, newAccount("last"), newAccount("over")},
		{`"services":{"enabled":true,"round":1`, `"services":{"enabled":true,"round":1,"policies":9999`, "", newPolicy(scp, "last", denyKMS), newPolicy(scp, "over", denyKMS)},
		{`"resources":{"enabled":true,"round":1`, `"resources":{"enabled":true,"round":1,"policies":999`, "", newPolicy(rcp, "last", denyRCP), newPolicy(rcp, "over", denyRCP)},
	} {
		w.count(o, c.from, c.near)
		if a := u.send(c.last); a.code != "" {
			t.Errorf("%s with %s: %s %s", a.operation, c.near, a.code, a.message)
		}
		u.refused("ConstraintViolationException", c.over)
	}

	// 5120 characters, however many bytes they are.
	long := func(n int) string {
		const head, tail = `{"Version":"2012-10-17","Statement":[{"Sid":"s","Effect":"Deny","Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/t":"`, `"}}}]}`
		return head + strings.Repeat("ä", n-len(head)-len(tail)) + tail
	}
	w.count(o, `"policies":10000`, `"policies":1`)
	id := u.createPolicy(scp, "long", long(5120))
	u.refused("ConstraintViolationException", newPolicy(scp, "longer", long(5121)))
	u.refused("ConstraintViolationException", &orgapi.UpdatePolicyRequest{PolicyId: &id, Content: new(long(5121))})

	// Five of a type on a target, AWS's among them.
	var policies []string
	for i := range 5 {
		policies = append(policies, u.createPolicy(scp, fmt.Sprint("p", i), denyKMS))
	}
	for _, id := range policies[:4] {
		u.attach(id, unit)
	}
	u.refused("ConstraintViolationException", &orgapi.AttachPolicyRequest{PolicyId: &policies[4], TargetId: &unit})
	u.detach(fullSCP, unit)
	u.attach(policies[4], unit)

	// Fifty tags.
	var tags []orgapi.Tag
	for i := range 51 {
		tags = append(tags, orgapi.Tag{Key: new(fmt.Sprint("k", i)), Value: new("")})
	}
	u.refused("ConstraintViolationException", &orgapi.TagResourceRequest{ResourceId: &unit, Tags: tags})
	u.refused("ConstraintViolationException", &orgapi.CreateOrganizationalUnitRequest{ParentId: &unit, Name: new("x"), Tags: tags})
	u.done(&orgapi.TagResourceRequest{ResourceId: &unit, Tags: tags[:50]})
	u.refused("ConstraintViolationException", &orgapi.TagResourceRequest{ResourceId: &unit, Tags: tags[50:]})
	u.done(&orgapi.TagResourceRequest{ResourceId: &unit, Tags: tags[:1]})
}

// The largest records that quotas allow fit into a transaction, with room for what the IAM package adds.
func TestTheLargestChangeFits(t *testing.T) {
	const wide = "𝔸"
	w := newWorld(t)
	u, _, root := founded(w)
	u.enable(root, scp, rcp)
	var tags []orgapi.Tag
	for i := range 50 {
		tags = append(tags, orgapi.Tag{Key: new(strings.Repeat(wide, 125) + fmt.Sprint(i)), Value: new(strings.Repeat(wide, 256))})
	}
	name := strings.Repeat(wide, 128)
	unit := *do[orgapi.CreateOrganizationalUnitResponse](u, &orgapi.CreateOrganizationalUnitRequest{ParentId: &root, Name: &name, Tags: tags}).OrganizationalUnit.Id
	u.done(&orgapi.TagResourceRequest{ResourceId: &root, Tags: tags})
	const head, tail = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny",PRINCIPAL"Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/t":"`, `"}}}]}`
	for i := range 4 {
		for kind, principal := range map[orgapi.PolicyType]string{scp: "", rcp: `"Principal":"*",`} {
			document := strings.Replace(head, "PRINCIPAL", principal, 1) + strings.Repeat(wide, 4900) + tail
			p := *do[orgapi.CreatePolicyResponse](u, &orgapi.CreatePolicyRequest{
				Type: &kind, Name: new(fmt.Sprint(kind, i)), Content: &document, Description: new(strings.Repeat(wide, 512)), Tags: tags,
			}).Policy.PolicySummary.Id
			u.attach(p, unit)
		}
	}
	u.done(&orgapi.DeleteOrganizationalUnitRequest{OrganizationalUnitId: &unit})
	size := 0
	for _, value := range w.records() {
		size = max(size, len(value))
	}
	if size < 50_000 || size > store.MaxValueBytes/10 {
		t.Errorf("the largest record has %d bytes", size)
	}
}
