package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// The functions here change one thing in a document and leave the rest byte for byte as it was, blanks and the order of
// members included: what people wrote they should recognise.

// edit replaces text[start:end].
type edit struct {
	start, end int
	text       string
}

// apply makes edits, which do not overlap.
func apply(text string, edits []edit) string {
	slices.SortFunc(edits, func(a, b edit) int { return a.start - b.start })
	var b strings.Builder
	done := 0
	for _, e := range edits {
		b.WriteString(text[done:e.start])
		b.WriteString(e.text)
		done = e.end
	}
	b.WriteString(text[done:])
	return b.String()
}

// RewritePrincipals returns a document with the names in its Principal and NotPrincipal elements replaced by what f returns
// for them. kind is the member that a name stands in: AWS, Service, Federated or CanonicalUser. The short form "*" stays.
//
// Key policies are kept with unique ids in the place of the ARNs of users and roles, and shown with ARNs. The document need
// not be valid as a policy; the error is that of its JSON.
func RewritePrincipals(text string, f func(kind, name string) string) (string, error) {
	root, err := readTree(text)
	if err != nil {
		return "", err
	}
	statements, err := statementNodes(&root)
	if err != nil {
		return "", err
	}
	var edits []edit
	for i := range statements {
		for _, element := range []string{"Principal", "NotPrincipal"} {
			if n, ok := statements[i].member(element); ok && n.kind == isObject {
				edits = appendRenamed(edits, n, f)
			}
		}
	}
	return apply(text, edits), nil
}

func appendRenamed(edits []edit, principals *node, f func(kind, name string) string) []edit {
	for i := range principals.items {
		for _, name := range principals.items[i].list() {
			if name.kind != isString {
				continue
			}
			if to := f(principals.items[i].name, name.text); to != name.text {
				edits = append(edits, edit{name.start, name.end, quote(to)})
			}
		}
	}
	return edits
}

// quote returns a JSON string. What is not UTF-8 is replaced, as in any JSON.
func quote(s string) string {
	b, _ := jsontext.AppendQuote(nil, s) // the error is that of bytes that were replaced
	return string(b)
}

// AppendStatement returns a document with a statement added after its last one. It does not say whether the result is valid
// for a kind of policy: Parse does.
func AppendStatement(text, statement string) (string, error) {
	root, err := readTree(text)
	if err != nil {
		return "", fmt.Errorf("reading the document: %w", err)
	}
	added, err := readTree(statement)
	if err != nil {
		return "", fmt.Errorf("reading the statement: %w", err)
	}
	if added.kind != isObject {
		return "", errors.New("the statement is not an object")
	}
	if _, err := statementNodes(&root); err != nil {
		return "", err
	}
	list, _ := root.member("Statement")
	return apply(text, []edit{appendItem(text, list, strings.TrimSpace(statement))}), nil
}

// appendItem adds an item to an array or an object that has one at least, or makes an array of a value and the item.
// Blanks before the last item are repeated before the new one.
func appendItem(text string, n *node, item string) edit {
	if n.kind != isArray {
		return edit{n.start, n.end, "[" + text[n.start:n.end] + ", " + item + "]"}
	}
	last := n.items[len(n.items)-1]
	return edit{last.end, last.end, "," + blanksBefore(text, last.start) + item}
}

func blanksBefore(text string, i int) string {
	return text[len(strings.TrimRight(text[:i], " \t\r\n")):i]
}

// appendMember adds a member, written out with its name, to an object.
func appendMember(text string, n *node, member string) edit {
	if len(n.items) == 0 {
		return edit{n.start + 1, n.start + 1, member}
	}
	return edit{n.items[len(n.items)-1].end, n.items[len(n.items)-1].end, "," + memberBlanks(text, n) + member}
}

// memberBlanks returns the blanks before the name of the first member, which the decoder does not place.
func memberBlanks(text string, n *node) string {
	inside := text[n.start+1:]
	return inside[:len(inside)-len(strings.TrimLeft(inside, " \t\r\n"))]
}

// Emptied returns a policy of the same kind without statements, which no document can be.
func (p *Policy) Emptied() *Policy { return &Policy{kind: p.kind} }

// ExemptPrincipal returns a document in which a denying statement does not apply to one principal: the condition
// ArnNotEquals on aws:PrincipalArn is added, or gets one value more. The ARN is that of a user, a role (for its sessions),
// or an account's root user.
func ExemptPrincipal(text string, statement int, principalARN string) (string, error) {
	if !isPrincipalARN(principalARN) && accountOfRoot(principalARN) == "" {
		return "", fmt.Errorf("%q is not the ARN of a principal", principalARN)
	}
	root, err := readTree(text)
	if err != nil {
		return "", err
	}
	statements, err := statementNodes(&root)
	if err != nil {
		return "", err
	}
	if statement < 0 || statement >= len(statements) {
		return "", fmt.Errorf("there is no statement %d", statement)
	}
	n := &statements[statement]
	if effect, ok := n.member("Effect"); !ok || effect.text != string(Deny) {
		return "", fmt.Errorf("statement %d does not deny", statement)
	}
	e, err := exempt(text, n, quote(principalARN))
	if err != nil {
		return "", err
	}
	return apply(text, []edit{e}), nil
}

var errCondition = errors.New("the statement has a Condition that is not valid")

// exempt finds the innermost place that is there already: the list of values, the operator, the conditions, or the
// statement.
func exempt(text string, statement *node, arn string) (edit, error) {
	key := `"aws:PrincipalArn": ` + arn
	condition, ok := statement.member("Condition")
	if !ok {
		return appendMember(text, statement, `"Condition": {"ArnNotEquals": {`+key+`}}`), nil
	}
	operator, ok := memberFold(condition, "ArnNotEquals")
	if !ok {
		operator, ok = memberFold(condition, "ArnNotLike")
	}
	switch {
	case condition.kind != isObject || ok && operator.kind != isObject:
		return edit{}, errCondition
	case !ok:
		return appendMember(text, condition, `"ArnNotEquals": {`+key+`}`), nil
	}
	values, ok := memberFold(operator, "aws:PrincipalArn")
	switch {
	case !ok:
		return appendMember(text, operator, key), nil
	case values.kind == isArray && len(values.items) == 0:
		return edit{}, errCondition
	}
	return appendItem(text, values, arn), nil
}

// memberFold is member for names that do not look at case.
func memberFold(n *node, name string) (*node, bool) {
	for i := range n.items {
		if strings.EqualFold(n.items[i].name, name) {
			return &n.items[i], true
		}
	}
	return nil, false
}
