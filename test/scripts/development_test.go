package scripts

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/trent-kms/trent/test/internal/harness"
)

// TestDevelopmentGuide starts a server with the seed file of docs/development.md and types every sh block of it, in
// order, in one shell that stops at the first failure.
func TestDevelopmentGuide(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "development.md"))
	if err != nil {
		t.Fatal(err)
	}
	var seed, typed strings.Builder
	for _, m := range regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		switch m[1] {
		case "yaml":
			seed.WriteString(m[2])
		case "sh":
			typed.WriteString(m[2])
		}
	}
	if keys, commands := strings.Count(seed.String(), "- id:"), strings.Count(typed.String(), "aws ")+strings.Count(typed.String(), "trent "); keys < 6 || commands < 8 {
		t.Fatalf("the guide has only %d keys and %d commands", keys, commands)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "seed.yaml"), []byte(seed.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	s := harness.StartWith(t, harness.Config{Args: []string{"--dev", "--seed", "seed.yaml"}, Dir: dir})
	said := shell(t, dir, `eval "$(trent env --endpoint `+s.URL+`)"
aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }
`+typed.String()+`
aws kms list-keys --query 'Keys[].KeyId' --output text
aws --region eu-central-1 kms list-keys --query 'length(Keys)'
`)
	for _, want := range []string{
		`"Description": "encrypts orders"`, `"KeySpec": "ECC_NIST_P256"`, `"KeyId": "66666666-2222-3333-4444-555555555555"`,
		"\n0f0e0d0c-1111-4222-8333-444444444444\t11111111-2222-3333-4444-555555555555\t22222222-2222-3333-4444-555555555555\t44444444-2222-3333-4444-555555555555\t55555555-2222-3333-4444-555555555555\n",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("the guide does not show %q:\n%s", want, said)
		}
	}
}
