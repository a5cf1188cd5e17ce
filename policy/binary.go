package policy

import (
	"encoding/base64"
	"fmt"
	"slices"
)

// binaryTest is BinaryEquals. Requests have binary values in base64 too (RFC 4648, section 4, with padding).
type binaryTest struct {
	texts []string
}

func newBinaryTest(values []string) (test, error) {
	for _, v := range values {
		if _, err := base64.StdEncoding.Strict().DecodeString(v); err != nil {
			return nil, fmt.Errorf("%q is not base64", v)
		}
	}
	return &binaryTest{values}, nil
}

// matches compares the encoded forms: strict base64 has one for each value.
func (t *binaryTest) matches(got string, _ Context, w work) (matched bool, left work) {
	return slices.Contains(t.texts, got), w.parsed(got, len(t.texts))
}

func (t *binaryTest) wanted(Context) []string { return t.texts }
