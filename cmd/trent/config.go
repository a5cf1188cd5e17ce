package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
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
	file, err := readConfig(path)
	if err != nil {
		return err
	}
	return apply(flags, path, file)
}

// readConfig reads the one document of a YAML file.
func readConfig(path string) (map[string]any, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	defer f.Close()
	d := yaml.NewDecoder(f)
	var file, second map[string]any
	if err := d.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return nil, usage("configuration %s: %v", path, err)
	}
	if err := d.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, usage("configuration %s: more than one document", path)
	}
	return file, nil
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
		text, err := settingText(v)
		if err == nil {
			err = flags.Set(name, text)
		}
		if err != nil {
			return usage("configuration %s: %s: %v", path, name, err)
		}
	}
	return nil
}

// settingText returns the value of a setting as a flag would have it. A number is refused, because YAML has read it
// already: an account id that begins with 0 would have become another one.
func settingText(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case []any:
		words := make([]string, len(v))
		for i := range v {
			word, ok := v[i].(string)
			if !ok {
				return "", fmt.Errorf("element %d is not text", i+1)
			}
			words[i] = word
		}
		return strings.Join(words, ","), nil
	}
	return "", errors.New("must be text, true or false, or a list of texts; write numbers in quotes")
}
