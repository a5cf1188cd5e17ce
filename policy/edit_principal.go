package policy

import (
	"errors"
	"strings"
)

var errNobodyLeft = errors.New("NotPrincipal would name nobody")

// DropPrincipals returns a document without those names in its Principal and NotPrincipal elements for which gone is true, and
// the indexes of statements whose Principal names nobody then: they are left as they were. A NotPrincipal that would name
// nobody is an error. kind is as in RewritePrincipals.
func DropPrincipals(text string, gone func(kind, name string) bool) (rest string, empty []int, err error) {
	root, err := readTree(text)
	if err != nil {
		return "", nil, err
	}
	statements, err := statementNodes(&root)
	if err != nil {
		return "", nil, err
	}
	var edits []edit
	for i := range statements {
		for _, element := range []string{"Principal", "NotPrincipal"} {
			n, ok := statements[i].member(element)
			if !ok || n.kind != isObject {
				continue
			}
			switch kept, dropped := withoutPrincipals(n, gone); {
			case !dropped:
			case kept != "":
				edits = append(edits, edit{n.start, n.end, kept})
			case element == "Principal":
				empty = append(empty, i)
			default:
				return "", nil, errNobodyLeft
			}
		}
	}
	return apply(text, edits), empty, nil
}

// withoutPrincipals writes an element anew; "" if nobody is left in it.
func withoutPrincipals(principals *node, gone func(kind, name string) bool) (kept string, dropped bool) {
	var members []string
	for i := range principals.items {
		var names []string
		for _, name := range principals.items[i].list() {
			if name.kind == isString && gone(principals.items[i].name, name.text) {
				dropped = true
			} else {
				names = append(names, quote(name.text))
			}
		}
		switch kind := quote(principals.items[i].name); len(names) {
		case 0:
		case 1:
			members = append(members, kind+": "+names[0])
		default:
			members = append(members, kind+": ["+strings.Join(names, ", ")+"]")
		}
	}
	if members == nil {
		return "", dropped
	}
	return "{" + strings.Join(members, ", ") + "}", dropped
}
