package org_test

import (
	"fmt"
	"testing"
)

func BenchmarkMembership(b *testing.B) {
	w := newWorld(b)
	u, o, root := founded(w)
	u.enable(root, scp, rcp)
	one, parent := u.createAccount("one"), root
	for depth := range 4 {
		unit := u.createUnit(parent, fmt.Sprint(depth))
		u.attach(u.createPolicy(scp, fmt.Sprint(depth), denyKMS), unit)
		u.move(one, parent, unit)
		parent = unit
	}
	for name, account := range map[string]string{"outside": stranger, "four levels deep": one, "management": boss} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.org.Membership(b.Context(), account); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				if _, err := w.org.Membership(b.Context(), one); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("after each change", func(b *testing.B) {
		b.ReportAllocs()
		key := "iam/org/organization/" + o
		record := w.records()[key]
		for b.Loop() {
			b.StopTimer()
			w.touch(key, record)
			b.StartTimer()
			w.membership(one)
		}
	})
}

// While nothing changes, Membership takes no memory.
func TestMembershipDoesNotAllocate(t *testing.T) {
	w := newWorld(t)
	u, _, root := founded(w)
	u.enable(root, scp)
	one := u.createAccount("one")
	for _, account := range []string{one, boss, stranger} {
		w.untilCached(account)
		if n := testing.AllocsPerRun(100, func() { w.membership(account) }); n > 0 {
			t.Errorf("%s: %v allocations", account, n)
		}
	}
}
