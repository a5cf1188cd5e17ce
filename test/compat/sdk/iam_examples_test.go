package sdk

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/trent-kms/trent/test/internal/harness"
)

// TestDocumentedPolicies plays testdata/policy_examples.txt, whose beginning says how it is to be read.
func TestDocumentedPolicies(t *testing.T) {
	examples := readExamples(t)
	p := newPopulation(t)
	cast := p.cast(t)
	policies, allowed, denied := 0, 0, 0
	for _, e := range examples {
		t.Run(e.name, func(t *testing.T) {
			t.Cleanup(func() { cast.clear(t) })
			stage := cast.prepare(t, e)
			for _, c := range e.calls {
				if c.allowed {
					allowed++
				} else {
					denied++
				}
				stage.check(t, c)
			}
		})
		if e.key != "" {
			policies++
		}
		if e.user != "" {
			policies++
		}
	}
	t.Logf("%d policies, %d calls allowed, %d denied", policies, allowed, denied)
	if policies < 60 || allowed < 80 || denied < 100 {
		t.Errorf("only %d policies, %d calls allowed, %d denied", policies, allowed, denied)
	}
}

// example is one section of the file.
type example struct {
	name      string
	kind      []string // words: key spec, key usage, and multi-region or external
	key, user string   // statements
	refused   string
	calls     []exampleCall
}

type exampleCall struct {
	line           string
	allowed        bool
	who, operation string
	parameters     map[string]string
	says           string // a part of the denial's text
}

func readExamples(t *testing.T) []example {
	t.Helper()
	f := must(os.Open("testdata/policy_examples.txt"))(t)
	defer f.Close()
	var all []example
	var e *example
	policy := new(string) // where lines of JSON go
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "# ") || line == "#" {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "##":
			all = append(all, example{name: rest})
			e = &all[len(all)-1]
		case "kind":
			e.kind = strings.Fields(rest)
		case "key":
			policy = &e.key
		case "user":
			policy = &e.user
		case "refused":
			e.refused = rest
		case "allow", "deny":
			e.calls = append(e.calls, readCall(t, line))
		default:
			*policy += line + "\n"
		}
	}
	return all
}

func readCall(t *testing.T, line string) exampleCall {
	t.Helper()
	call, says, _ := strings.Cut(line, " : ")
	words := strings.Fields(call)
	if len(words) < 3 {
		t.Fatalf("this is no call: %s", line)
	}
	c := exampleCall{line: line, allowed: words[0] == "allow", who: words[1], operation: words[2], parameters: map[string]string{}, says: says}
	for _, word := range words[3:] {
		name, value, ok := strings.Cut(word, "=")
		if !ok {
			t.Fatalf("%s: %q is no parameter", line, word)
		}
		c.parameters[name] = value
	}
	return c
}

const (
	exampleAccount = "111122223333"
	partnerAccount = "444455556666"
)

// cast is who plays in all examples, and the root user who sets the stage.
type exampleCast struct {
	root   person
	people map[string]person
}

func (p *population) cast(t *testing.T) exampleCast {
	t.Helper()
	ctx := t.Context()
	c := exampleCast{root: p.root(exampleAccount), people: map[string]person{}}
	c.people["root"] = c.root
	ids := map[string]string{}
	for name, by := range map[string]person{"ExampleUser": c.root, "OtherUser": c.root, "Partner": p.root(partnerAccount), "Stranger": p.root(partnerAccount)} {
		must(by.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: &name}))(t)
		k := must(by.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: &name}))(t).AccessKey
		c.people[name], ids[name] = p.as(*k.AccessKeyId, *k.SecretAccessKey, ""), *k.AccessKeyId
	}
	must(p.root(partnerAccount).iam.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: aws.String("Partner"), PolicyName: aws.String("keys"), PolicyDocument: aws.String(wrapped(`{"Effect":"Allow","Action":"kms:*","Resource":"*"}`))}))(t)
	must(c.root.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("ExampleRole"), AssumeRolePolicyDocument: aws.String(wrapped(`{"Effect":"Allow","Principal":{"AWS":"` + exampleAccount + `"},"Action":"sts:AssumeRole"}`))}))(t)
	// A root user cannot assume roles; a user who may do nothing else does.
	must(c.root.iam.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: aws.String("OtherUser"), PolicyName: aws.String("assumes"), PolicyDocument: aws.String(wrapped(`{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}`))}))(t)
	s := must(c.people["OtherUser"].sts.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::" + exampleAccount + ":role/ExampleRole"), RoleSessionName: aws.String("example")}))(t).Credentials
	c.people["ExampleRole"] = p.as(*s.AccessKeyId, *s.SecretAccessKey, *s.SessionToken)

	id, secret := registerService(t, p.server)
	for _, name := range []string{"ExampleUser", "OtherUser"} {
		c.people["s3/"+name] = p.as(id, secret, "", smithyhttp.AddHeaderValue("X-Amz-Trent-On-Behalf-Of", ids[name]))
	}
	return c
}

// registerService registers s3.amazonaws.com as an administrator would, and returns its access key.
func registerService(t *testing.T, s *harness.Server) (id, secret string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), harness.Binary(), "service", "register", "s3.amazonaws.com", "--account", exampleAccount)
	c.Env = append(harness.Environ(), "AWS_ENDPOINT_URL="+s.URL)
	out, err := c.Output()
	if err != nil {
		t.Fatalf("registering a service: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		switch name, value, _ := strings.Cut(strings.TrimSpace(line), " = "); name {
		case "aws_access_key_id":
			id = value
		case "aws_secret_access_key":
			secret = value
		}
	}
	return id, secret
}

// wrapped makes a policy of statements.
func wrapped(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}
