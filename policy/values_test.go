package policy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTagValue(t *testing.T) {
	type tag struct{ key, value string }
	many := func(values ...string) Values { return Values{Many: values, Multi: true, Ambiguous: true} }
	for _, tt := range []struct {
		tags []tag
		name string
		want Values
		ok   bool
	}{
		{nil, "cost", Values{}, false},
		{[]tag{{"costs", "x"}, {"", "y"}}, "cost", Values{}, false},
		{[]tag{{"costs", "x"}, {"cost", "y"}}, "cost", One("y"), true},
		{[]tag{{"Cost", ""}}, "cost", One(""), true},
		{[]tag{{"Cost", "x"}, {"cost", "y"}}, "cost", many("x", "y"), true},
		{[]tag{{"co\u017ft", "x"}, {"a", "b"}, {"cost", "y"}, {"COST", "x"}}, "cost", many("x", "y", "x"), true},
		{[]tag{{"cost", "x"}, {"Cost", "x"}}, "COST", many("x", "x"), true},
	} {
		got, ok := TagValue(tt.tags, tt.name, func(x *tag) (key, value string) { return x.key, x.value })
		if diff := cmp.Diff(tt.want, got); diff != "" || ok != tt.ok {
			t.Errorf("%s of %v: %v: -want +got:\n%s", tt.name, tt.tags, ok, diff)
		}
		if n := testing.AllocsPerRun(10, func() {
			_, _ = TagValue(tt.tags, tt.name, func(x *tag) (key, value string) { return x.key, x.value })
		}); n != 0 && !got.Ambiguous {
			t.Errorf("%s of %v: %v allocations", tt.name, tt.tags, n)
		}
	}
}
