package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = ".." // internal/api

// The checked-in files are what the models say; if this fails, run go generate ./internal/api.
func TestGeneratedFilesAreFresh(t *testing.T) {
	files, err := generate(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Fatalf("only %d files are generated", len(files))
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is stale (%v)", name, err)
		}
	}
	old, err := generated(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range old {
		if files[name] == nil {
			t.Errorf("%s is no longer generated", name)
		}
	}
}

func TestGenerationIsDeterministic(t *testing.T) {
	first, err := generate(root)
	if err != nil {
		t.Fatal(err)
	}
	again, err := generate(root)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range first {
		if !bytes.Equal(again[name], want) {
			t.Errorf("%s differs from run to run", name)
		}
	}
}

// In all models, what is sensitive is never recorded, and what every client must keep secret is sensitive.
func TestSensitiveMembersAreNotRecorded(t *testing.T) {
	secret := regexp.MustCompile(`^(SecretAccessKey|SessionToken|WebIdentityToken|TokenCode|Password|ContextAssertion)$`)
	n := 0
	for _, service := range services {
		m, err := loadModel(filepath.Join(root, service.model))
		if err != nil {
			t.Fatal(err)
		}
		for name, s := range m.Shapes {
			for _, member := range s.Members {
				sensitive := m.Shapes[member.Shape].Sensitive
				if secret.MatchString(member.Name) && !sensitive {
					t.Errorf("%s.%s is not sensitive", name, member.Name)
				}
				if !sensitive || name == "XksProxyConfigurationType" { // shows an access key id to its owner
					continue
				}
				if n++; member.Audit != "never" {
					t.Errorf("%s.%s is sensitive and may be recorded", name, member.Name)
				}
			}
		}
	}
	if n < 25 {
		t.Errorf("only %d members were checked", n)
	}
}

// A pattern that Go cannot read has another in its place that accepts the same.
func TestAccountAliasPattern(t *testing.T) {
	m, err := loadModel(filepath.Join(root, "model/iam.json"))
	if err != nil {
		t.Fatal(err)
	}
	re := regexp.MustCompile(`\A(?:` + goPattern(m.Shapes["accountAliasType"].Match) + `)\z`)
	for alias, want := range map[string]bool{"abc": true, "a-b": true, "0a-b-c9": true, "a--b": false, "-ab": false, "ab-": false, "aBc": false, "a_b": false, "": false} {
		if re.MatchString(alias) != want {
			t.Errorf("%q: got %t", alias, !want)
		}
	}
}

// Facts of the models that no compiler checks: what audit records must never hold (spec of the audit log) and what no
// message may echo.
func TestModelKeepsSecretsOutOfRecords(t *testing.T) {
	m, err := loadModel(filepath.Join(root, "model/kms.json"))
	if err != nil {
		t.Fatal(err)
	}
	secret := regexp.MustCompile(`^(Plaintext|PrivateKeyPlaintext|SharedSecret|SharedSecretCiphertextBlob|CiphertextBlob|PrivateKeyCiphertextBlob|CiphertextForRecipient|` +
		`Message|Signature|Mac|ImportToken|EncryptedKeyMaterial|GrantTokens?|KeyStorePassword|RawSecretAccessKey|AttestationDocument|Recipient)$`)
	n := 0
	for name, s := range m.Shapes {
		for _, member := range s.Members {
			never := member.Audit == "never"
			if secret.MatchString(member.Name) || name == "GetKeyPolicyResponse" && member.Name == "Policy" {
				if n++; !never {
					t.Errorf("%s.%s is not marked", name, member.Name)
				}
			}
			if m.Shapes[member.Shape].Sensitive && !never && name != "XksProxyConfigurationType" { // shows an access key id to its owner
				t.Errorf("%s.%s is sensitive and not marked", name, member.Name)
			}
		}
	}
	if n < 60 {
		t.Errorf("only %d members were checked", n)
	}
}

func TestConstant(t *testing.T) {
	for _, tt := range [][3]string{
		{"KeySpec", "SYMMETRIC_DEFAULT", "KeySpecSymmetricDefault"},
		{"KeySpec", "RSA_2048", "KeySpecRsa2048"},
		{"KeySpec", "ECC_SECG_P256K1", "KeySpecEccSecgP256k1"},
		{"AlgorithmSpec", "RSAES_OAEP_SHA_1", "AlgorithmSpecRsaesOaepSha1"},
		{"KeyState", "PendingDeletion", "KeyStatePendingDeletion"},
		{"KeyManagerType", "AWS", "KeyManagerTypeAws"},
		{"Mode", "dev", "ModeDev"},
	} {
		if got := constant(tt[0], tt[1]); got != tt[2] {
			t.Errorf("%s %s: got %s, want %s", tt[0], tt[1], got, tt[2])
		}
	}
}

// A loop made from a pattern accepts what the regular expression does.
func TestSingleClass(t *testing.T) {
	m, err := loadModel(filepath.Join(root, "model/kms.json"))
	if err != nil {
		t.Fatal(err)
	}
	loops := 0
	for name, s := range m.Shapes {
		class, atLeastOne := singleClass(goPattern(s.Pattern))
		if s.Pattern == "" || class == nil {
			continue
		}
		loops++
		re := regexp.MustCompile(`\A(?:` + goPattern(s.Pattern) + `)\z`)
		if re.MatchString("") == atLeastOne {
			t.Errorf("%s: the empty string", name)
		}
		for r := rune(0); r < 0x300; r++ {
			in := false
			for i := 0; i < len(class); i += 2 {
				in = in || class[i] <= r && r <= class[i+1]
			}
			if r < 0xd800 && re.MatchString(string(r)) != in {
				t.Errorf("%s: %q", name, r)
			}
		}
	}
	if loops < 9 {
		t.Errorf("only %d patterns are loops", loops)
	}
}

func TestModelMistakesAreRefused(t *testing.T) {
	for _, tt := range []struct{ name, model, want string }{
		{"unknown field", `{"Operation":[]}`, "unknown field"},
		{"undefined shape", `{"operations":[{"name":"A","input":"B"}]}`, `input "B" is no structure`},
		{"undefined member", `{"shapes":{"A":{"type":"structure","members":[{"name":"X","shape":"Y"}]}}}`, "Y is not defined"},
		{"undefined error", `{"operations":[{"name":"A","input":"B","errors":["E"]}],"shapes":{"B":{"type":"structure"}}}`, "error E is not in the table"},
		{"unknown type", `{"shapes":{"A":{"type":"double"}}}`, `type "double" is not supported`},
		{"list of numbers", `{"shapes":{"A":{"type":"list","member":"B"},"B":{"type":"integer"}}}`, "lists of integer are not supported"},
		{"map of lists", `{"shapes":{"A":{"type":"map","key":"B","value":"C"},"B":{"type":"string"},"C":{"type":"list","member":"B"}}}`, "maps from string to list are not supported"},
		{"list with a bound of bytes", `{"shapes":{"A":{"type":"list","member":"B","maxBytes":1},"B":{"type":"string"}}}`, "maxBytes is for maps of text"},
		{"map of numbers with a bound of bytes", `{"shapes":{"A":{"type":"map","key":"B","value":"C","maxBytes":1},"B":{"type":"string"},"C":{"type":"integer"}}}`, "maxBytes is for maps of text"},
		{"request with a map of constrained text", `{"operations":[{"name":"A","input":"B"}],"shapes":{"B":{"type":"structure","members":[{"name":"X","shape":"C"}]},"C":{"type":"map","key":"D","value":"D"},"D":{"type":"string","max":1}}}`,
			"requests with maps of anything but free text are not supported"},
		{"Query request with a blob", `{"service":{"protocol":"query"},"operations":[{"name":"A","input":"B"}],"shapes":{"B":{"type":"structure","members":[{"name":"X","shape":"C"}]},"C":{"type":"blob"}}}`,
			"Query requests with a blob are not supported"},
		{"Query request with a structure in it", `{"service":{"protocol":"query"},"operations":[{"name":"A","input":"B"}],"shapes":{"B":{"type":"structure","members":[{"name":"X","shape":"C"}]},"C":{"type":"structure"}}}`,
			"Query requests with a structure in them are not supported"},
		{"Query answer with a blob", `{"service":{"protocol":"query"},"operations":[{"name":"A","input":"I","output":"B"}],"shapes":{"I":{"type":"structure"},"B":{"type":"structure","members":[{"name":"X","shape":"C"}]},"C":{"type":"blob"}}}`,
			"Query answers with a blob are not supported"},
		{"member with a small letter in JSON", `{"shapes":{"A":{"type":"structure","members":[{"name":"x","shape":"B"}]},"B":{"type":"string"}}}`, "member x begins with a small letter"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "m.json")
			if err := os.WriteFile(path, []byte(tt.model), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := loadModel(path); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}
