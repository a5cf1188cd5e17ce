package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/trent-kms/trent/internal/admin"
	trentapi "github.com/trent-kms/trent/internal/api/trent"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/policy"
)

func policyCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "policy", Short: "Check, try and rehearse policies before they are in force", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(simulateCommand(), lintCommand(), whoCanCommand(), replayCommand())
	return c
}

// jsonFlag adds --json.
func jsonFlag(c *cobra.Command) *bool {
	return c.Flags().Bool("json", false, "print JSON")
}

func simulateCommand() *cobra.Command {
	var principal, action, resource, keyPolicy, identityPolicy string
	var context []string
	c := &cobra.Command{
		Use: "simulate", Short: "Decide a call that nobody has made, and say why", Args: cobra.NoArgs,
		Example: `  trent policy simulate --principal arn:aws:iam::111122223333:user/bob --action kms:Decrypt --resource alias/app \
      --context kms:EncryptionContext:tenant=blue --key-policy new.json`,
		Long: `Decide a call that nobody has made, and say why, as trent explain does for one that was made. The policies are those in
force, but for those that are given: --key-policy stands in the place of the key's own, --identity-policy is one more policy
of the principal. Answers are data: the exit status is 0 for both.`,
	}
	asJSON := jsonFlag(c)
	c.RunE = does(func(c *cobra.Command, _ []string) error {
		in := &trentapi.SimulatePolicyRequest{PrincipalArn: &principal, Action: &action, Resource: &resource}
		var err error
		if in.Context, err = contextOf(context); err != nil {
			return err
		}
		if in.KeyPolicy, err = policyFile(c, keyPolicy); err != nil {
			return err
		}
		if in.IdentityPolicy, err = policyFile(c, identityPolicy); err != nil {
			return err
		}
		s, err := newClient()
		if err != nil {
			return err
		}
		var out trentapi.SimulatePolicyResponse
		if err := s.call(c.Context(), "SimulatePolicy", in, &out); err != nil {
			return err
		}
		if out.Trace == nil {
			return errStrange
		}
		if *asJSON {
			_, err := fmt.Fprintln(c.OutOrStdout(), *out.Trace)
			return err
		}
		var x authz.Explanation
		if json.Unmarshal([]byte(*out.Trace), &x) != nil {
			return errStrange
		}
		p := &printer{w: c.OutOrStdout()}
		p.explanation(&x)
		return p.err
	})
	f := c.Flags()
	f.StringVar(&principal, "principal", "", "ARN of a user, a role, a role's session or a root user, or a service principal")
	f.StringVar(&action, "action", "", "what it does: kms:Decrypt")
	f.StringVar(&resource, "resource", "", "key id, alias or ARN; * for actions on nothing in particular")
	f.StringArrayVar(&context, "context", nil, "a condition key and its value, KEY=VALUE; can be repeated")
	f.StringVar(&keyPolicy, "key-policy", "", "file with a policy in the place of the key's own; - is standard input")
	f.StringVar(&identityPolicy, "identity-policy", "", "file with one more policy of the principal")
	return required(c, "principal", "action", "resource")
}

// required marks flags that must be there.
func required(c *cobra.Command, names ...string) *cobra.Command {
	for _, n := range names {
		_ = c.MarkFlagRequired(n) // it exists
	}
	return c
}

// contextOf reads KEY=VALUE pairs.
func contextOf(pairs []string) (map[string]string, error) {
	var all map[string]string
	for _, p := range pairs {
		key, value, ok := strings.Cut(p, "=")
		if !ok || key == "" {
			return nil, usage("--context %s is not of the form KEY=VALUE", p)
		}
		if all == nil {
			all = make(map[string]string)
		}
		all[key] = value
	}
	return all, nil
}

// maxPolicyFileBytes is more than any service takes as a policy.
const maxPolicyFileBytes = 128 << 10

// policyFile reads a policy; nil for no path.
func policyFile(c *cobra.Command, path string) (*string, error) {
	if path == "" {
		return nil, nil
	}
	var from io.Reader = c.InOrStdin()
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		from = f
	}
	text, err := io.ReadAll(io.LimitReader(from, maxPolicyFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if len(text) > maxPolicyFileBytes {
		return nil, fmt.Errorf("%s is longer than a policy can be, %d bytes", path, maxPolicyFileBytes)
	}
	return new(string(text)), nil
}

func lintCommand() *cobra.Command {
	var kind string
	c := &cobra.Command{
		Use: "lint FILE", Short: "Look for mistakes in a policy; needs no server", Args: cobra.ExactArgs(1),
		Example: "  trent policy lint key-policy.json\n  trent policy lint --kind scp guardrails.json",
		Long: `Look for mistakes in a policy. Findings are errors (the policy is refused, lets in everybody, or cannot do what it
says), warnings and notes. The exit status is 1 if there is an error. It needs no server.`,
	}
	asJSON := jsonFlag(c)
	c.Flags().StringVar(&kind, "kind", string(trentapi.PolicyKindKey), "key, identity, trust, scp, rcp or endpoint")
	c.RunE = does(func(c *cobra.Command, args []string) error {
		k := trentapi.PolicyKind(kind)
		if !k.Valid() {
			return usage("--kind %s is none of key, identity, trust, scp, rcp, endpoint", kind)
		}
		text, err := policyFile(c, args[0])
		if err != nil {
			return err
		}
		out := trentapi.LintPolicyResponse{Findings: admin.Findings(admin.KindOf(&k), *text)}
		if *asJSON {
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s\n", out.AppendJSON(nil))
		} else {
			err = printFindings(c.OutOrStdout(), out.Findings)
		}
		if err != nil {
			return err
		}
		if slices.ContainsFunc(out.Findings, func(f trentapi.Finding) bool { return *f.Severity == string(policy.SeverityError) }) {
			return &failure{err: fmt.Errorf("%s has errors", args[0])}
		}
		return nil
	})
	return c
}

func printFindings(w io.Writer, all []trentapi.Finding) error {
	for _, f := range all {
		where := "document"
		if *f.Statement >= 0 {
			where = fmt.Sprintf("statement %d", *f.Statement)
		}
		detail := ""
		if *f.Detail != "" {
			detail = ": " + *f.Detail
		}
		if _, err := fmt.Fprintf(w, "%s: %s: %s (%s)%s\n", *f.Severity, where, *f.Message, *f.Code, printable(detail)); err != nil {
			return err
		}
	}
	return nil
}

func whoCanCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "who-can ACTION KEY", Short: "List who may do something with a key", Args: cobra.ExactArgs(2),
		Example: "  trent policy who-can kms:Decrypt alias/app",
		Long: `List who may do something with a key, by which policy or grant, and whether only under conditions that a request decides,
such as its encryption context. Of other accounts' principals it says that the key's side lets them.`,
	}
	asJSON := jsonFlag(c)
	c.RunE = does(func(c *cobra.Command, args []string) error {
		s, err := newClient()
		if err != nil {
			return err
		}
		var out trentapi.WhoCanResponse
		if err := s.call(c.Context(), "WhoCan", &trentapi.WhoCanRequest{Action: &args[0], KeyId: &args[1]}, &out); err != nil {
			return err
		}
		if *asJSON {
			_, err := fmt.Fprintf(c.OutOrStdout(), "%s\n", out.AppendJSON(nil))
			return err
		}
		return printPrincipals(c, &out)
	})
	return c
}

func printPrincipals(c *cobra.Command, out *trentapi.WhoCanResponse) error {
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 8, 2, ' ', 0)
	for _, p := range out.Principals {
		if p.Arn == nil || p.Through == nil || p.Conditional == nil {
			return errStrange
		}
		when := "always"
		if *p.Conditional {
			when = "under conditions"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", printable(*p.Arn), when, printable(*p.Through))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return truncated(c, out.Truncated, "There are more; this is not the whole list.")
}

// truncated says on stderr that an answer is not all there is.
func truncated(c *cobra.Command, is *bool, text string) error {
	if is == nil || !*is {
		return nil
	}
	_, err := fmt.Fprintf(c.ErrOrStderr(), "trent: warning: %s\n", text)
	return err
}

func replayCommand() *cobra.Command {
	var key, file, since, until string
	c := &cobra.Command{
		Use: "replay", Short: "Say which recorded calls a new key policy would decide otherwise", Args: cobra.NoArgs,
		Example: "  trent policy replay --key alias/app --policy new.json --since 30d",
		Long: `Say which calls of the audit log a new key policy would decide otherwise than the present one. Every recorded call on the
key is decided twice, with everything else as it is now.`,
	}
	asJSON := jsonFlag(c)
	c.RunE = does(func(c *cobra.Command, _ []string) error {
		in := &trentapi.ReplayPolicyRequest{KeyId: &key}
		var err error
		if in.StartTime, err = moment(since); err != nil {
			return err
		}
		if in.EndTime, err = moment(until); err != nil {
			return err
		}
		if in.Policy, err = policyFile(c, file); err != nil {
			return err
		}
		s, err := newClient()
		if err != nil {
			return err
		}
		var out trentapi.ReplayPolicyResponse
		if err := s.call(c.Context(), "ReplayPolicy", in, &out); err != nil {
			return err
		}
		if out.Examined == nil {
			return errStrange
		}
		return printReplay(c, &out, *asJSON)
	})
	f := c.Flags()
	f.StringVar(&key, "key", "", "key id, alias or ARN")
	f.StringVar(&file, "policy", "", "file with the new key policy; - is standard input")
	f.StringVar(&since, "since", "", "the first moment: a date and time (RFC 3339), or how long ago: 30d, 12h; everything if left out")
	f.StringVar(&until, "until", "", "the last moment; now if left out")
	return required(c, "key", "policy")
}

// moment reads a time, or how long ago it was; nil for none.
func moment(s string) (*time.Time, error) {
	if s == "" {
		return nil, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return &t, nil
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return &t, nil
	}
	ago, err := admin.ParseDuration(s)
	if err != nil {
		return nil, usage("%s is neither a time (2026-11-01T12:00:00Z, 2026-11-01) nor how long ago (30d, 12h)", s)
	}
	return new(time.Now().Add(-ago)), nil
}

func printReplay(c *cobra.Command, out *trentapi.ReplayPolicyResponse, asJSON bool) error {
	if asJSON {
		_, err := fmt.Fprintf(c.OutOrStdout(), "%s\n", out.AppendJSON(nil))
		return err
	}
	p := &printer{w: c.OutOrStdout()}
	for _, x := range out.Changes {
		if x.EventTime == nil || slices.Contains([]*string{x.RequestId, x.Principal, x.Action, x.Before, x.After, x.Reason}, nil) {
			return errStrange
		}
		p.line(0, "%s %s %s by %s: %s, would be %s", x.EventTime.UTC().Format(time.RFC3339), *x.RequestId, *x.Action, *x.Principal, *x.Before, *x.After)
		p.line(1, "%s", *x.Reason)
	}
	p.line(0, "%d calls examined, %d would change", *out.Examined, len(out.Changes))
	if p.err != nil {
		return p.err
	}
	until := ""
	if out.ExaminedUntil != nil {
		until = ", calls until " + out.ExaminedUntil.UTC().Format(time.RFC3339) + " were examined"
	}
	return truncated(c, out.Truncated, "That is not all"+until+": narrow it with --since and --until.")
}
