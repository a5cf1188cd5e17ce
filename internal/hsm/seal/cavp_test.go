package seal

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// record is one vector of a CAVP response file: its "name = value" lines, and FAIL for one that must not open.
type record map[string]string

// readCAVP returns the records of a file in testdata. Each begins with a line called first.
func readCAVP(t *testing.T, file, first string) []record {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var records []record
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		name, value, _ := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		if line == "" || line[0] == '#' || line[0] == '[' {
			continue
		}
		if strings.EqualFold(name, first) {
			records = append(records, record{})
		}
		records[len(records)-1][name] = strings.TrimSpace(value)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return records
}

func (r record) bytes(t *testing.T, name string) []byte {
	t.Helper()
	value, ok := r[name]
	if !ok {
		t.Fatalf("record %v has no %s", r, name)
	}
	b, err := hex.DecodeString(value)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestKDFAgreesWithNIST(t *testing.T) {
	ran := 0
	for _, r := range readCAVP(t, "KDFCTR_gen.rsp", "COUNT") {
		bits, err := strconv.Atoi(r["L"])
		if err != nil {
			t.Fatal(err)
		}
		p := &prf{mac: hmac.New(sha256.New, r.bytes(t, "KI")), fixed: r.bytes(t, "FixedInputData")}
		got := make([]byte, bits/8)
		p.expand(got)
		if want := r.bytes(t, "KO"); !bytes.Equal(got, want) {
			t.Errorf("COUNT %s, L %s: got %x, want %x", r["COUNT"], r["L"], got, want)
		}
		ran++
	}
	if ran != 40 {
		t.Fatalf("%d vectors ran, want 40", ran)
	}
}

func TestGCMAgreesWithNIST(t *testing.T) {
	for _, f := range []struct {
		name         string
		opens, fails int
	}{
		{"gcmDecrypt256.rsp", 184, 191},
		{"gcmEncryptExtIV256.rsp", 375, 0},
	} {
		opens, fails := 0, 0
		for _, r := range readCAVP(t, f.name, "Count") {
			aead := newGCM(r.bytes(t, "Key"))
			sealed := slices.Concat(r.bytes(t, "IV"), r.bytes(t, "CT"), r.bytes(t, "Tag"))
			aad := r.bytes(t, "AAD")
			got, err := aead.Open(nil, nil, sealed, aad)
			if _, bad := r["FAIL"]; bad {
				if err == nil {
					t.Errorf("%s: key %s: opened, but must not", f.name, r["Key"])
				}
				fails++
				continue
			}
			want := r.bytes(t, "PT")
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: key %s: got %x, %v; want %x", f.name, r["Key"], got, err, want)
			}
			// No nonce can be given, so the other direction is a round trip.
			if back, err := aead.Open(nil, nil, aead.Seal(nil, nil, want, aad), aad); err != nil || !bytes.Equal(back, want) {
				t.Errorf("%s: key %s: round trip: got %x, %v; want %x", f.name, r["Key"], back, err, want)
			}
			opens++
		}
		if opens != f.opens || fails != f.fails {
			t.Errorf("%s: %d vectors that open and %d that fail ran, want %d and %d", f.name, opens, fails, f.opens, f.fails)
		}
	}
}
