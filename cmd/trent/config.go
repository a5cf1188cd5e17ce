package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/pflag"
)

// configure sets the flags that the command line left alone, from the environment (--data-dir: TRENT_DATA_DIR) and then
// from the YAML file that --config names. Unknown names in the file are refused.
func configure(flags *pflag.FlagSet, env func(string) (string, bool)) error {
	var wrong error
	flags.VisitAll(func(f *pflag.Flag) {
		v, ok := env("TRENT_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_")))
		if ok && !f.Changed && f.Name != "help" && wrong == nil {
			if err := flags.Set(f.Name, v); err != nil {
				wrong = usage("environment: %v", err)
			}
		}
	})
	path := flags.Lookup("config").Value.String()
	if wrong != nil || path == "" {
		return wrong
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	var file map[string]any
	if err := yaml.Unmarshal(text, &file); err != nil {
		return usage("configuration %s: %v", path, err)
	}
	return apply(flags, path, file)
}

func apply(flags *pflag.FlagSet, path string, file map[string]any) error {
	for name, v := range file {
		f := flags.Lookup(name)
		if f == nil || name == "config" || name == "help" {
			return usage("configuration %s: unknown setting %q", path, name)
		}
		if f.Changed {
			continue
		}
		text := fmt.Sprint(v)
		if list, ok := v.([]any); ok {
			words := make([]string, len(list))
			for i := range list {
				words[i] = fmt.Sprint(list[i])
			}
			text = strings.Join(words, ",")
		}
		if err := flags.Set(name, text); err != nil {
			return usage("configuration %s: %s: %v", path, name, err)
		}
	}
	return nil
}
