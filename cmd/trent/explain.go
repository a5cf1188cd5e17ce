package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/trent-kms/trent/internal/admin"
	trentapi "github.com/trent-kms/trent/internal/api/trent"
	"github.com/trent-kms/trent/internal/authz"
)

func explainCommand() *cobra.Command {
	var all bool
	var asJSON *bool
	c := &cobra.Command{
		Use: "explain REQUEST-ID", Short: "Say why a call was allowed or denied, and what would change that", Args: cobra.ExactArgs(1),
		Example: "  trent explain 3f2b8c1e-0d5a-4f6b-9c7d-2e1a8b4c6d90",
		Long: `Say why a call was allowed or denied: every layer that had a say, the statements that matched, conditions with what
they want and what the request had, and the rule that decided. For a denial, also the smallest set of changes that would
allow it.

The request id is the x-amzn-RequestId of the answer, which AWS's clients print with an error. The call is decided again, with
the policies as they are now; if they have changed since so that the outcome differs, that is said.`,
		RunE: does(func(c *cobra.Command, args []string) error {
			s, err := newClient()
			if err != nil {
				return err
			}
			var out trentapi.ExplainDecisionResponse
			if err := s.call(c.Context(), "ExplainDecision", &trentapi.ExplainDecisionRequest{RequestId: &args[0]}, &out); err != nil {
				return err
			}
			if out.Trace == nil {
				return errStrange
			}
			if *asJSON {
				_, err := fmt.Fprintln(c.OutOrStdout(), *out.Trace)
				return err
			}
			var x admin.ExplainedCall
			if json.Unmarshal([]byte(*out.Trace), &x) != nil {
				return errStrange
			}
			p := &printer{w: c.OutOrStdout(), all: all}
			p.call(&x)
			return p.err
		}),
	}
	asJSON = jsonFlag(c)
	c.Flags().BoolVar(&all, "all", false, "print statements that are about other actions too")
	return c
}

// printer writes explanations for people. It keeps the first error.
type printer struct {
	w   io.Writer
	all bool // also statements that are about other actions
	err error
}

// line writes one line. The values come from a server, and must not steer a terminal.
func (p *printer) line(indent int, format string, args ...any) {
	if p.err != nil {
		return
	}
	text := printable(fmt.Sprintf(format, args...))
	_, p.err = fmt.Fprintf(p.w, "%s%s\n", strings.Repeat("  ", indent), text)
}

func (p *printer) call(x *admin.ExplainedCall) {
	p.line(0, "%s %s, %s", strings.TrimSuffix(x.Service, ".amazonaws.com"), x.Operation, x.Time.UTC().Format(time.RFC3339))
	p.line(0, "by %s", x.Principal)
	if x.ErrorCode != "" {
		p.line(0, "answered %s: %s", x.ErrorCode, x.Message)
	}
	for i := range x.Recorded {
		d := &x.Recorded[i]
		was := "denied"
		if d.Allowed {
			was = "allowed"
		}
		if !d.Undecided && (x.Changed || len(x.Decisions) == 0) {
			p.line(0, "%s on %s was %s then (%s)", d.Action, d.Resource, was, d.Layer)
		}
	}
	if x.Changed {
		p.line(0, "Policies have changed since. This is how it would be decided now:")
	}
	for _, u := range x.Unknown {
		p.line(0, "note: %s", u)
	}
	for _, d := range x.Decisions {
		p.line(0, "")
		p.explanation(d)
	}
	p.hint(x.Hint)
	p.changes(x.Changes)
}

func (p *printer) explanation(x *authz.Explanation) {
	p.line(0, "%s %s on %s", verdict(x.Allowed), x.Action, x.Resource)
	p.line(1, "%s", x.Rule)
	for i := range x.Layers {
		p.layer(&x.Layers[i])
	}
	if x.Truncated {
		p.line(1, "The rest was left out: it is too long.")
	}
	p.hint(x.Hint)
	p.changes(x.Changes)
}

func (p *printer) hint(text string) {
	if text != "" {
		p.line(1, "%s", text)
	}
}

func verdict(allowed bool) string {
	if allowed {
		return "✓ allowed:"
	}
	return "✗ denied:"
}

// mark stands before a layer's or a policy's verdict.
func mark(verdict string) string {
	switch verdict {
	case "allows":
		return "✓"
	case "denies", "does not allow":
		return "✗"
	}
	return "·"
}

func (p *printer) layer(l *authz.LayerTrace) {
	note := ""
	switch {
	case l.Hidden:
		note = ": of another account"
	case l.Note != "":
		note = ": " + l.Note
	}
	p.line(1, "%s %s %s%s", mark(l.Verdict), l.Layer, l.Verdict, note)
	for i := range l.Policies {
		p.policy(&l.Policies[i])
	}
}

func (p *printer) policy(t *authz.PolicyTrace) {
	level := ""
	if t.Level > 0 {
		level = " (level " + strconv.Itoa(t.Level) + ")"
	}
	p.line(2, "%s %s%s %s", mark(t.Verdict), t.Name, level, t.Verdict)
	for i := range t.Statements {
		if s := &t.Statements[i]; s.Action || p.all {
			p.statement(s)
		}
	}
}

func (p *printer) statement(s *authz.StatementTrace) {
	sid := ""
	if s.Sid != "" {
		sid = " " + strconv.Quote(s.Sid)
	}
	if s.Matched {
		p.line(3, "statement %d%s %s: matches", s.Index, sid, s.Effect)
	} else {
		p.line(3, "statement %d%s %s: does not match (%s)", s.Index, sid, s.Effect, strings.Join(differs(s), ", "))
	}
	for _, c := range s.Conditions {
		is, got := "✗", strings.Join(c.Got, ", ")
		if c.Met {
			is = "✓"
		}
		if c.Absent {
			got = "absent"
		}
		p.line(4, "%s %s %s: wants %s, got %s", is, c.Operator, c.Key, strings.Join(c.Wanted, ", "), got)
	}
}

// differs are the parts of a statement that do not match.
func differs(s *authz.StatementTrace) []string {
	var all []string
	if s.Principal == "none" {
		all = append(all, "principal")
	}
	if !s.Action {
		all = append(all, "action")
	}
	if !s.Resource {
		all = append(all, "resource")
	}
	for _, c := range s.Conditions {
		if !c.Met {
			return append(all, "condition")
		}
	}
	return all
}

func (p *printer) changes(all []authz.Change) {
	if len(all) == 0 {
		return
	}
	p.line(0, "To allow it, all of this is needed:")
	for i := range all {
		c := &all[i]
		if c.Hidden {
			p.line(1, "%d. a change in another account's %s", i+1, c.Layer)
			continue
		}
		for n, e := range c.Edits {
			number := strconv.Itoa(i+1) + "."
			if n > 0 {
				number = "and"
			}
			p.line(1, "%s %s", number, e.Text)
			if e.Statement != "" {
				p.line(2, "%s", e.Statement)
			}
		}
	}
	p.line(1, "--json has the whole new documents.")
}
