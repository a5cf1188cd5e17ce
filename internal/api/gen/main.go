// Command gen writes the Go packages of the API models and the table of docs/compatibility.md. It is run by go generate
// in internal/api; its output depends on the model files alone.
package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

func main() {
	files, err := generate(".")
	if err == nil {
		err = write(".", files)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// services are the models, each with the directory and name of the package made from it.
var services = []struct{ model, dir, pkg string }{
	{"model/kms.json", "kms", "kmsapi"},
	{"model/iam.json", "iam", "iamapi"},
	{"model/sts.json", "sts", "stsapi"},
	{"model/organizations.json", "organizations", "organizationsapi"},
	{"model/trent.json", "trent", "trentapi"},
}

// compatibility is where the table of operations goes, seen from internal/api.
const compatibility = "../../docs/compatibility.md"

// generate returns the contents of every generated file by its path relative to root, the directory internal/api.
func generate(root string) (map[string][]byte, error) {
	files := map[string][]byte{}
	var models []*model
	for _, s := range services {
		m, err := loadModel(filepath.Join(root, s.model))
		if err != nil {
			return nil, err
		}
		sources, err := packageFiles(m, s.pkg)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.model, err)
		}
		for name, source := range sources {
			files[filepath.Join(s.dir, name)] = source
		}
		models = append(models, m)
	}
	files[compatibility] = compatibilityPage(models)
	return files, nil
}

// write replaces what differs and removes generated files that are no longer made.
func write(root string, files map[string][]byte) error {
	old, err := generated(root)
	if err != nil {
		return err
	}
	for _, name := range old {
		if files[name] == nil {
			if err := os.Remove(filepath.Join(root, name)); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, files[name], 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generated returns the Go files below root that look generated, whoever made them.
func generated(root string) ([]string, error) {
	var names []string
	for _, s := range services {
		paths, err := filepath.Glob(filepath.Join(root, s.dir, "*_gen.go"))
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			names = append(names, filepath.Join(s.dir, filepath.Base(path)))
		}
	}
	return names, nil
}
