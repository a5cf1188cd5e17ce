package scripts

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/trent-kms/trent/test/internal/harness"
)

// formats is docs/formats.md.
func formats(t *testing.T) string {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "formats.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var quoted = regexp.MustCompile("`([^`]+)`")

func inQuotes(text string) []string {
	var all []string
	for _, m := range quoted.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

// table is what a table of the page says of a type's members: member → meaning.
type table map[string]string

// memberTables are the tables of the page by the type that their head names: iam.Entity.
func memberTables(t *testing.T) map[string]table {
	t.Helper()
	tables := make(map[string]table)
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+\\.\\w+)` \\| meaning \\|\n\\|---\\|---\\|\n((?:\\|.*\n?)+)").FindAllStringSubmatch(formats(t), -1) {
		members := make(table)
		for row := range strings.Lines(m[2]) {
			names, meaning, _ := strings.Cut(strings.TrimPrefix(row, "|"), "|")
			for _, name := range inQuotes(names) {
				members[name] = meaning
			}
		}
		tables[m[1]] = members
	}
	return tables
}

// storing are the packages that have records.
var storing = []string{"internal/admin", "internal/iam", "internal/iam/org", "internal/kms", "internal/server"}

// structs are the struct types of a package by their names.
func structs(t *testing.T, dir string) map[string]*ast.StructType {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(dir), "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]*ast.StructType)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if s, ok := spec.Type.(*ast.StructType); ok {
					all[spec.Name.Name] = s
				}
			}
			return true
		})
	}
	return all
}

// members are a struct's members in JSON, each with the name of its type: that of the element, if it is a list.
func members(s *ast.StructType) map[string]string {
	all := make(map[string]string)
	for _, f := range s.Fields.List {
		if f.Tag == nil {
			continue
		}
		tag, err := strconv.Unquote(f.Tag.Value)
		name, _, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
		if err == nil && name != "" {
			all[name] = elementType(f.Type)
		}
	}
	return all
}

func elementType(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.StarExpr:
		return elementType(x.X)
	case *ast.ArrayType:
		return elementType(x.Elt)
	}
	return ""
}

// TestEveryMemberOfEveryRecordIsDocumented compares the tables of docs/formats.md with the types that are stored: those
// that have a version.
func TestEveryMemberOfEveryRecordIsDocumented(t *testing.T) {
	tables := memberTables(t)
	compared := 0
	for _, dir := range storing {
		all := structs(t, dir)
		for name, s := range all {
			has, qualified := members(s), filepath.Base(dir)+"."+name
			said, ok := tables[qualified]
			if _, versioned := has["v"]; versioned && has["v"] == "int" && !ok {
				t.Errorf("%s is stored and has no table", qualified)
			}
			if !ok {
				continue
			}
			compared++
			if diff := cmp.Diff(slices.Sorted(maps.Keys(has)), slices.Sorted(maps.Keys(said))); diff != "" {
				t.Errorf("members of %s, in the code and on the page:\n%s", qualified, diff)
			}
			for member, of := range has {
				if inner, ok := all[of]; ok && tables[filepath.Base(dir)+"."+of] == nil {
					checkInner(t, qualified+"."+member, inner, said[member])
				}
			}
		}
	}
	if compared != len(tables) || compared < 20 {
		t.Errorf("%d types compared, of %d tables", compared, len(tables))
	}
}

// checkInner looks for the members of a type without a table of its own in the row that has it.
func checkInner(t *testing.T, where string, inner *ast.StructType, meaning string) {
	t.Helper()
	said := inQuotes(meaning)
	for name := range members(inner) {
		if !slices.Contains(said, name) {
			t.Errorf("%s does not tell of %s", where, name)
		}
	}
}

// parts are the forms of what stands for a part of a store's key on the page.
var parts = map[string]string{
	"ACCOUNT": `\d{12}`, "REGION": `[a-z]+(-[a-z0-9]+)+`, "ID": `([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})`,
	"DATE": `\d{8}T\d{6}\.\d{9}Z`, "HASH": `[0-9a-f]{64}`, "GRANT": `[0-9a-f]{64}`, "NAME": `.+`, "KIND": `(user|group|role)`,
	"UNIQUE-ID": `A[A-Z]{3}[A-Z2-7]{17}`, "GROUP": `AGPA[A-Z2-7]{17}`, "USER": `AIDA[A-Z2-7]{17}`, "USE": `(permissions|boundary)`,
	"ALIAS": `[a-z0-9-]+`, "ISSUER": `.+`, "PRINCIPAL": `[a-z0-9.-]+\.amazonaws\.com`, "ACCESS-KEY-ID": `AKIA[A-Z2-7]{16}`,
	"ORG": `(o-[a-z0-9]+|-)`, "PARENT": `(r-[a-z0-9]+|ou-[a-z0-9]+-[a-z0-9]+)`, "UNIT": `ou-[a-z0-9]+-[a-z0-9]+`, "REQUEST": `car-[0-9a-f]+`,
	"POLICY": `(p-[a-z0-9]+|ANPA[A-Z2-7]{17})`,
}

// keyForms are the keys that docs/formats.md names, as they are written there and as patterns.
func keyForms(t *testing.T) map[string]*regexp.Regexp {
	t.Helper()
	records := formats(t)
	records = records[strings.Index(records, "\n## Records"):]
	forms := make(map[string]*regexp.Regexp)
	for _, form := range inQuotes(records) {
		if !regexp.MustCompile(`^(kms|iam|trent)/[^ ]*[^/ ]$`).MatchString(form) || strings.HasPrefix(form, "iam/access-key/ID/") {
			continue
		}
		pattern := regexp.MustCompile(`[A-Z][A-Z-]*`).ReplaceAllStringFunc(form, func(part string) string {
			if parts[part] == "" {
				t.Fatalf("%s: nobody knows what %s is", form, part)
			}
			return parts[part]
		})
		forms[form] = regexp.MustCompile("^" + pattern + "$")
	}
	return forms
}

// checkKeys reads the stores that the scripts have left: every key in them must be one that docs/formats.md tells of.
func checkKeys(t *testing.T, work string) {
	t.Helper()
	forms, seen, keys := keyForms(t), make(map[string]int), 0
	err := filepath.WalkDir(work, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "trent.db" {
			return err
		}
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
		if errors.Is(err, bolterrors.ErrInvalid) {
			return nil // a script has damaged it on purpose
		}
		if err != nil {
			return err
		}
		defer db.Close()
		return db.View(func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("records")).ForEach(func(key, _ []byte) error {
				keys++
				known := false
				for form, pattern := range forms {
					if pattern.Match(key) {
						known = true
						seen[form]++
					}
				}
				if !known {
					t.Errorf("%s has the key %s, which docs/formats.md does not tell of", path, key)
				}
				return nil
			})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d keys of %d of %d forms: %v", keys, len(seen), len(forms), slices.Sorted(maps.Keys(seen)))
	if keys < 100 || len(seen) < 15 {
		t.Errorf("the scripts leave only %d keys of %d forms", keys, len(seen))
	}
}
