package script

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// identity is somebody whom a script can call as.
type identity struct{ id, secret, token string }

// rootUser are the names of accounts' root users, whose credentials every development server knows.
var rootUser = regexp.MustCompile(`^(test|[0-9]{12})$`)

func credentialsCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 || rootUser.MatchString(args[0]) {
		ts.Fatalf("usage: credentials NAME")
	}
	who, err := parseCredentials(ts.ReadFile("stdout"))
	ts.Check(err)
	of(ts).callers[args[0]] = who
}

// parseCredentials reads what the AWS CLI prints as JSON, or a profile as trent service register prints it.
func parseCredentials(text string) (identity, error) {
	type credentials struct{ AccessKeyID, SecretAccessKey, SessionToken string }
	var out struct{ AccessKey, Credentials credentials }
	if err := json.Unmarshal([]byte(text), &out); err == nil {
		for _, c := range []credentials{out.AccessKey, out.Credentials} {
			if c.AccessKeyID != "" && c.SecretAccessKey != "" {
				return identity{c.AccessKeyID, c.SecretAccessKey, c.SessionToken}, nil
			}
		}
	}
	var who identity
	for line := range strings.Lines(text) {
		switch name, value, _ := strings.Cut(strings.TrimSpace(line), " = "); name {
		case "aws_access_key_id":
			who.id = value
		case "aws_secret_access_key":
			who.secret = value
		}
	}
	if who.id == "" || who.secret == "" {
		return identity{}, fmt.Errorf("there are no credentials in %q", text)
	}
	return who, nil
}

func asCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: as NAME")
	}
	who, ok := of(ts).callers[args[0]]
	if !ok && !rootUser.MatchString(args[0]) {
		ts.Fatalf("nobody has credentials of %s", args[0])
	} else if !ok {
		who = identity{id: args[0], secret: "test"}
	}
	ts.Setenv("AS", who.id)
	ts.Setenv("SECRET", who.secret)
	ts.Setenv("SESSION_TOKEN", who.token)
	sign(ts)
}

// deniedCommand compares a denial with AWS's text, in which only the caller's name is left open (IAM User Guide,
// "Troubleshoot access denied error messages").
func deniedCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: denied ACTION RESOURCE REASON")
	}
	action, resource, reason := args[0], args[1], args[2]
	if strings.HasPrefix(reason, "no ") {
		reason = "because " + reason + " allows the " + action + " action"
	} else {
		reason = "with " + reason
	}
	want := action + " on resource: " + resource + " " + reason
	expected := "AccessDeniedException"
	if strings.HasPrefix(action, "iam:") || strings.HasPrefix(action, "sts:") {
		expected = "AccessDenied" // what services with Query and XML call it
	}
	code, text := failure(ts)
	who, got, _ := strings.Cut(text, " is not authorized to perform: ")
	if code != expected || !strings.HasPrefix(who, "User: ") || got != want {
		ts.Fatalf("got  %s: %s\nwant %s: User: … is not authorized to perform: %s", code, text, expected, want)
	}
}
