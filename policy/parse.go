package policy

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// Effect is what a statement does: Allow or Deny.
type Effect string

// The effects.
const (
	Allow Effect = "Allow"
	Deny  Effect = "Deny"
)

// The versions of the language. Documents that name none are of the older one, in which policy variables are plain text.
const (
	Version2008 = "2008-10-17"
	Version2012 = "2012-10-17"
)

// parser carries what the parts of a document need to know about the whole.
type parser struct {
	kind      Kind
	variables bool // policy variables are replaced
	statement int  // index, -1 outside
	sids      map[string]bool
	wildcards int  // so far
	perByte   work // of a part's text
}

// refuse makes the error for the statement at hand.
func (p *parser) refuse(reason Reason, format string, args ...any) error {
	return &Malformed{Reason: reason, Statement: p.statement, Detail: fmt.Sprintf(format, args...)}
}

// refuseResource is refuse for a name of a resource.
func (p *parser) refuseResource(name, why string) error {
	return &Malformed{Reason: InvalidResource, Statement: p.statement, Detail: fmt.Sprintf("the resource %q %s", name, why), Name: name}
}

// Parse checks a document of a kind and compiles it. The error is a *Malformed. Time and memory are linear in the text,
// of which there may be MaxBytes.
//
// The language is that of the IAM User Guide, "Grammar of the IAM JSON policy language". Names of elements and effects
// compare case; actions, condition keys and operators do not. A member given twice is refused.
func Parse(kind Kind, text string) (*Policy, error) {
	p := parser{kind: kind, statement: -1, sids: map[string]bool{}}
	if len(text) > MaxBytes {
		return nil, p.refuse(TooLarge, "the document has more than %d bytes", MaxBytes)
	}
	p.perByte = min(workPerByte, work(maxWork/max(1, len(text))))
	root, err := readTree(text)
	if err != nil {
		return nil, p.refuse(Syntax, "%s", strings.TrimPrefix(err.Error(), "jsontext: "))
	}
	statements, err := p.document(&root)
	if err != nil {
		return nil, err
	}
	doc := &Policy{kind: kind, text: text, variables: p.variables, statements: make([]statement, len(statements))}
	for i := range statements {
		p.statement = i
		if doc.statements[i], err = p.compileStatement(&statements[i]); err != nil {
			return nil, err
		}
		doc.statements[i].patterns(p.countWildcards)
		if p.wildcards > maxWildcards {
			return nil, p.refuse(TooLarge, "the document has the wildcard ? more than %d times", maxWildcards)
		}
	}
	return doc, nil
}

// maxWildcards is how often the wildcard ? may be in the resources and conditions of a document. Only such patterns take
// time that grows with the product of their length and the request's: without a bound, a document of 32 KiB and an
// encryption context of 8 KiB would take all the work that there is. The variables of such patterns count as well, because
// nobody knows how long their values are.
const maxWildcards = 512

func (p *parser) countWildcards(q *pattern) {
	ones, unknowns := 0, 0
	for i := range q.tokens {
		switch q.tokens[i].op {
		case anyOne:
			ones++
		case variable:
			unknowns++
		}
	}
	if ones > 0 {
		p.wildcards += ones + unknowns
	}
}

// document checks the elements of the document itself, and returns its statements.
func (p *parser) document(root *node) ([]node, error) {
	if root.kind != isObject {
		return nil, p.refuse(Syntax, "the document is not an object")
	}
	for i := range root.items {
		m := &root.items[i]
		switch m.name {
		case "Statement":
		case "Id":
			if m.kind != isString {
				return nil, p.refuse(Syntax, "Id is not a string")
			}
		case "Version":
			if m.kind != isString || m.text != Version2008 && m.text != Version2012 {
				return nil, p.refuse(InvalidVersion, "the Version %q is neither %s nor %s", m.text, Version2012, Version2008)
			}
			p.variables = m.text == Version2012
		default:
			return nil, p.refuse(Syntax, "%q is not an element of a policy", m.name)
		}
	}
	return p.statementsOf(root)
}

func (p *parser) statementsOf(root *node) ([]node, error) {
	list, err := statementNodes(root)
	if err != nil {
		return nil, p.refuse(Syntax, "%v", err)
	}
	if len(list) >= math.MaxInt16 {
		return nil, p.refuse(TooLarge, "there are more than %d statements", math.MaxInt16-1)
	}
	return list, nil
}

// statementNodes returns the statements of a document.
func statementNodes(root *node) ([]node, error) {
	member, ok := root.member("Statement")
	if !ok {
		return nil, errors.New("there is no Statement")
	}
	if member.kind != isArray && member.kind != isObject {
		return nil, errors.New("the Statement is neither an object nor an array of them")
	}
	list := member.list()
	if len(list) == 0 {
		return nil, errors.New("there are no statements")
	}
	return list, nil
}

// strings returns the strings of an element that is one or a list of them.
func (p *parser) strings(n *node) ([]string, error) {
	list := n.list()
	all := make([]string, len(list))
	for i := range list {
		if list[i].kind != isString {
			return nil, p.refuse(Syntax, "%s is neither a string nor a list of strings", n.name)
		}
		all[i] = list[i].text
	}
	return all, nil
}
