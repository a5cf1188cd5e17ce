package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"

	"github.com/goccy/go-yaml"

	"github.com/trent-kms/trent/internal/iam"
	"github.com/trent-kms/trent/internal/kms"
)

// maxSeedBytes bounds a seed file: more than 10,000 RSA keys with their material.
const maxSeedBytes = 64 << 20

// readSeed reads the keys of a seed file (docs/development.md). Nothing in it is unknown, and nothing is taken for what
// it does not say: text is text, for YAML would read an account id as a number.
func readSeed(path, region string) ([]kms.SeedKey, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the seed: %w", err)
	}
	defer f.Close()
	d := yaml.NewDecoder(io.LimitReader(f, maxSeedBytes), yaml.Strict())
	var file struct {
		Keys []map[string]any `yaml:"keys"`
	}
	if err := d.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		// Without the lines around the place, which may be key material.
		return nil, fmt.Errorf("seed %s: %s", path, yaml.FormatError(err, false, false))
	}
	var second any
	if err := d.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("seed %s: more than one document", path)
	}
	keys := make([]kms.SeedKey, len(file.Keys))
	for i, fields := range file.Keys {
		if err := readSeedKey(&keys[i], fields, i+1); err != nil {
			return nil, seedFailure(path, err)
		}
		keys[i].Account = cmp.Or(keys[i].Account, iam.DevAccount)
		keys[i].Region = cmp.Or(keys[i].Region, region)
	}
	return keys, nil
}

// seedFailure says in which file a key of the seed is wrong.
func seedFailure(path string, err error) error { return fmt.Errorf("seed %s: %w", path, err) }

func readSeedKey(k *kms.SeedKey, fields map[string]any, number int) error {
	label := "no id"
	_ = setText(&label, fields["id"]) // what is wrong with it is told below
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if err := setSeedField(k, name, fields[name]); err != nil {
			return &kms.SeedError{Number: number, ID: label, Field: name, Err: err}
		}
	}
	if fields["id"] == nil {
		return &kms.SeedError{Number: number, ID: label, Field: "id", Err: errors.New("is needed")}
	}
	return nil
}

func setSeedField(k *kms.SeedKey, name string, v any) error {
	texts := map[string]*string{
		"account": &k.Account, "region": &k.Region, "id": &k.ID, "spec": &k.Spec, "usage": &k.Usage, "origin": &k.Origin,
		"description": &k.Description, "policy": &k.Policy, "material": &k.Material,
	}
	if to, ok := texts[name]; ok {
		return setText(to, v)
	}
	switch name {
	case "multi-region":
		return setBool(&k.MultiRegion, v)
	case "disabled":
		return setBool(&k.Disabled, v)
	case "rotation-period":
		return setDays(&k.RotationPeriod, v)
	case "aliases":
		return setTexts(&k.Aliases, v)
	case "tags":
		return setTextMap(&k.Tags, v)
	}
	return errors.New("there is no such field")
}

func setText(to *string, v any) (err error) {
	s, ok := v.(string)
	if !ok {
		return errors.New("must be text; write numbers in quotes")
	}
	*to = s
	return nil
}

func setBool(to *bool, v any) error {
	b, ok := v.(bool)
	if !ok {
		return errors.New("must be true or false")
	}
	*to = b
	return nil
}

func setDays(to *int32, v any) error {
	n, ok := v.(uint64) // what YAML makes of a number without a sign
	if !ok || n == 0 || n > math.MaxInt32 {
		return errors.New("must be a number of days")
	}
	*to = int32(n)
	return nil
}

func setTexts(to *[]string, v any) error {
	list, ok := v.([]any)
	if !ok {
		return errors.New("must be a list")
	}
	*to = make([]string, len(list))
	for i := range list {
		if err := setText(&(*to)[i], list[i]); err != nil {
			return fmt.Errorf("element %d %w", i+1, err)
		}
	}
	return nil
}

func setTextMap(to *map[string]string, v any) error {
	pairs, ok := v.(map[string]any)
	if !ok {
		return errors.New("must be pairs of name and value")
	}
	*to = make(map[string]string, len(pairs))
	for name, v := range pairs {
		var text string
		if err := setText(&text, v); err != nil {
			return fmt.Errorf("the value of %s %w", name, err)
		}
		(*to)[name] = text
	}
	return nil
}
