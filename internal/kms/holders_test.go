package kms

import (
	"context"
	"fmt"
	"testing"
)

// counted knows users by ARNs, and counts how often it is asked.
type counted struct {
	Principals
	asked int
	err   error
}

func (c *counted) UniqueID(_ context.Context, arn string) (string, bool, error) {
	c.asked++
	return "AIDA" + arn[len(arn)-1:], true, c.err
}

// A page of grants to one principal asks once who it is, also in another partition, and not for what has no unique id.
func TestAPageOfGrantsAsksOnceForEachPrincipal(t *testing.T) {
	c := new(counted)
	h := (&Service{principals: c}).holders()
	for i := range 100 {
		g := someGrant
		g.Grantee, g.GranteeID = fmt.Sprintf("arn:aws-cn:iam::111122223333:user/%d", i%3), fmt.Sprintf("AIDA%d", i%3)
		e, err := h.entry(t.Context(), &g)
		if err != nil || *e.GranteePrincipal != g.Grantee || *e.RetiringPrincipal != g.Retiring {
			t.Fatal(err, e)
		}
	}
	if c.asked != 3 {
		t.Errorf("asked %d times, want 3", c.asked)
	}
	c.err = context.Canceled
	g := someGrant
	g.RetiringID = "AIDA"
	if _, err := h.entry(t.Context(), &g); err == nil {
		t.Error("a failure is no answer")
	}
	if meant, err := h.means(t.Context(), g.Retiring, g.Retiring, g.RetiringID); meant || err == nil {
		t.Error("a failure is no answer to a filter")
	}
}
