package policy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDropPrincipals(t *testing.T) {
	const rest = `"Effect":"Allow","Action":"kms:*","Resource":"*"}`
	for _, tt := range []struct {
		in, want string
		empty    []int
		fails    bool
	}{
		{`{ "Principal":"*",` + rest, `{ "Principal":"*",` + rest, nil, false},
		{`{"Principal": {"AWS":"A"},` + rest, `{"Principal": {"AWS":"A"},` + rest, nil, false},
		{`{"Principal": {"AWS":"gone1"},` + rest, `{"Principal": {"AWS":"gone1"},` + rest, []int{0}, false},
		{`{"Principal": {"AWS":["gone1","gone2"]},` + rest, `{"Principal": {"AWS":["gone1","gone2"]},` + rest, []int{0}, false},
		{`{"Principal": {"AWS":["gone1","A","gone2"]},` + rest, `{"Principal": {"AWS": "A"},` + rest, nil, false},
		{`{"Principal":{"AWS":["B","gone1","A"]},` + rest, `{"Principal":{"AWS": ["B", "A"]},` + rest, nil, false},
		{`{"Principal":{"AWS":"gone1","Service":"s.x"},` + rest, `{"Principal":{"Service": "s.x"},` + rest, nil, false},
		{`{"Principal":{"Service":"gone1","AWS":"A"},` + rest, `{"Principal":{"Service":"gone1","AWS":"A"},` + rest, nil, false},
		{`{"NotPrincipal":{"AWS":["gone1","A"]},` + rest, `{"NotPrincipal":{"AWS": "A"},` + rest, nil, false},
		{`{"NotPrincipal":{"AWS":"gone1"},` + rest, "", nil, true},
		{`{"Principal":{"AWS":"A"},` + rest + `, {"Principal":{"AWS":"gone1"},` + rest, `{"Principal":{"AWS":"A"},` + rest + `, {"Principal":{"AWS":"gone1"},` + rest, []int{1}, false},
	} {
		document := func(s string) string { return `{"Statement":[` + s + `]}` }
		got, empty, err := DropPrincipals(document(tt.in), func(kind, name string) bool { return kind == "AWS" && strings.HasPrefix(name, "gone") })
		if tt.fails {
			if err == nil {
				t.Errorf("%s: %s", tt.in, got)
			}
			continue
		}
		if err != nil || got != document(tt.want) || cmp.Diff(tt.empty, empty) != "" {
			t.Errorf("%s: %v, empty %v\n got %s\nwant %s", tt.in, err, empty, got, document(tt.want))
		}
	}
	for _, bad := range []string{``, `{`, `{}`, `{"Statement":[]}`, `{"Statement":7}`} {
		if _, _, err := DropPrincipals(bad, func(string, string) bool { return true }); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]int{"": 0, " \t\r\n": 0, `{"a": "b c"}`: 10, "ä": 2} {
		if got := Size(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}
