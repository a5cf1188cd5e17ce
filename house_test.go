package trent_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// module is the prefix of our own packages.
const module = "github.com/trent-kms/trent/"

// floors is the house from the ground up (docs/architecture.md has the picture). A package may import packages of
// floors below its own, and its own parts: internal/hsm may import internal/hsm/root.
var floors = [][]string{
	{"policy"},
	{"internal/arn", "internal/clock", "internal/material", "internal/uuid", "internal/caller"},
	{"internal/api", "internal/store", "internal/hsm"},
	{"internal/authz", "internal/audit", "internal/wire"},
	{"internal/service"},
	{"internal/kms", "internal/iam", "internal/admin"},
	{"internal/server"},
	{"cmd/trent"},
}

// outside may import anything: nothing that is shipped imports it.
var outside = []string{"bench", "test"}

// driversOf are rooms that only the named packages may know: the main program chooses drivers, the house does not.
var driversOf = map[string][]string{
	"internal/store/bolt":   {"cmd/trent"},
	"internal/store/etcd":   {"cmd/trent"},
	"internal/store/memory": {"cmd/trent"},
}

// noHTTP are the rooms that must not know how a request travels.
var noHTTP = []string{"internal/kms", "internal/iam", "internal/admin", "internal/authz", "internal/hsm", "internal/store"}

type pkg struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module)
		all = append(all, p)
	}
}

// room returns the room a package belongs to and its floor; floor -1 for none.
func room(path string) (string, int) {
	for n, floor := range floors {
		for _, r := range floor {
			if under(path, r) {
				return r, n
			}
		}
	}
	return "", -1
}

func under(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

func TestImportsGoDown(t *testing.T) {
	checked := 0
	for _, p := range packages(t) {
		if p.ImportPath == strings.TrimSuffix(module, "/") || slices.ContainsFunc(outside, func(o string) bool { return under(p.ImportPath, o) }) {
			continue
		}
		from, floor := room(p.ImportPath)
		if floor < 0 {
			t.Errorf("package %s is in no room of the house: give it one in floors", p.ImportPath)
			continue
		}
		for _, i := range p.Imports {
			path, ours := strings.CutPrefix(i, module)
			if !ours {
				continue
			}
			checked++
			to, below := room(path)
			if to != from && below >= floor {
				t.Errorf("%s (floor %d) imports %s (floor %d)", p.ImportPath, floor, path, below)
			}
		}
	}
	if checked < 50 {
		t.Fatalf("only %d imports were checked", checked)
	}
}

func TestOnlyTheProgramKnowsDrivers(t *testing.T) {
	for _, p := range packages(t) {
		for driver, allowed := range driversOf {
			if slices.Contains(p.Imports, module+driver) && !slices.Contains(allowed, p.ImportPath) &&
				!under(p.ImportPath, "internal/store") && !under(p.ImportPath, "bench") && !under(p.ImportPath, "test") {
				t.Errorf("%s imports the driver %s", p.ImportPath, driver)
			}
		}
	}
}

func TestDomainKnowsNoHTTP(t *testing.T) {
	for _, p := range packages(t) {
		if strings.HasSuffix(p.ImportPath, "test") {
			continue // test support: etcdtest asks a real server how it is
		}
		for _, r := range noHTTP {
			if under(p.ImportPath, r) && slices.Contains(p.Imports, "net/http") {
				t.Errorf("%s imports net/http", p.ImportPath)
			}
		}
	}
}
