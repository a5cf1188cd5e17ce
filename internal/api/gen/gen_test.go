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
		{"map of constrained text", `{"shapes":{"A":{"type":"map","key":"B","value":"B"},"B":{"type":"string","max":1}}}`, "maps of anything but free text"},
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
