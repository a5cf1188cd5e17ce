package material

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"text/template"
)

const secret = "Zq7!wKp9#Lm2@Xv5"

// places is the secret in every place where a careless line of code might print it.
func places() map[string]any {
	type exported struct{ Secret Bytes }
	type unexported struct{ secret Bytes }
	type nested struct{ inner *unexported }
	type embedded struct{ Bytes }
	type generic struct{ secret any }
	b := Take([]byte(secret))
	p := &b
	return map[string]any{
		"value": b, "pointer": p, "pointer to pointer": &p,
		"exported field": exported{b}, "pointer to exported field": &exported{b},
		"unexported field": unexported{b}, "pointer to unexported field": &unexported{b},
		"behind two pointers": &nested{&unexported{b}},
		"embedded":            embedded{b}, "pointer to embedded": &embedded{b},
		"interface field": generic{b}, "pointer in interface field": generic{p},
		"slice": []Bytes{b}, "slice of pointers": []*Bytes{p}, "array": [1]Bytes{b}, "slice of structs": []unexported{{b}},
		"map": map[string]Bytes{"k": b}, "map of structs": map[string]unexported{"k": {b}},
		"error": fmt.Errorf("wrapped: %v", b),
	}
}

// detector finds a part of the secret in any notation that fmt or an encoder has for bytes.
type detector struct{ forms []string }

func newDetector() detector {
	forms := map[string]bool{
		strings.ToLower(base64.StdEncoding.EncodeToString([]byte(secret))[:8]): true,
	}
	add := func(format, separator string, bytes string) {
		var list []string
		for _, c := range []byte(bytes) {
			list = append(list, fmt.Sprintf(format, c))
		}
		forms[strings.ToLower(strings.Join(list, separator))] = true
	}
	for _, flags := range flagSets() {
		for _, verb := range "dxXobOUqcv" {
			add(flags+string(verb), " ", secret[:3])
			add(flags+string(verb), ", ", secret[:3])
		}
	}
	for _, format := range []string{"%c", "%02x", "%08b"} {
		add(format, "", secret[:5])
	}
	return detector{slices.Collect(maps.Keys(forms))}
}

func (d detector) leaks(out string) bool {
	out = strings.ToLower(out)
	return slices.ContainsFunc(d.forms, func(form string) bool { return strings.Contains(out, form) })
}

// flagSets are "%" and each combination of flags.
func flagSets() []string {
	const flags = "+-# 0"
	var sets []string
	for set := range 1 << len(flags) {
		f := "%"
		for i, c := range flags {
			if set>>i&1 == 1 {
				f += string(c)
			}
		}
		sets = append(sets, f)
	}
	return sets
}

// formats are each combination of flags with each letter as a verb.
func formats() []string {
	var out []string
	for _, f := range flagSets() {
		for _, verb := range "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" {
			out = append(out, f+string(verb))
		}
	}
	return out
}

func TestNoFormatPrintsIt(t *testing.T) {
	d, places, ran := newDetector(), places(), 0
	for _, format := range formats() {
		for name, v := range places {
			if out := fmt.Sprintf(format, v); d.leaks(out) {
				t.Errorf("%s of %s: %q", format, name, out)
			}
			ran++
		}
		if strings.ContainsAny(format, "Tpw") {
			continue // fmt prints the type or an address and does not ask the value
		}
		if out := fmt.Sprintf(format, places["value"]); out != marker {
			t.Errorf("%s: got %q, want the marker", format, out)
		}
	}
	if ran < 30_000 {
		t.Fatalf("only %d formats ran", ran)
	}
}

func TestNoPrintOrTemplateShowsIt(t *testing.T) {
	d := newDetector()
	for name, v := range places() {
		var out strings.Builder
		fmt.Fprint(&out, v)
		fmt.Fprintln(&out, v)
		if err := template.Must(template.New("").Parse("{{.}}")).Execute(&out, v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d.leaks(out.String()) {
			t.Errorf("%s: %q", name, &out)
		}
	}
}

// TestTheDetectorDetects shows that these tests would notice a plain byte slice.
func TestTheDetectorDetects(t *testing.T) {
	type plain struct{ secret []byte }
	d, ran := newDetector(), 0
	for _, flags := range flagSets() {
		for _, verb := range "vdxXobOUqc" {
			for _, v := range []any{[]byte(secret), plain{[]byte(secret)}, &plain{[]byte(secret)}} {
				if out := fmt.Sprintf(flags+string(verb), v); !d.leaks(out) {
					t.Errorf("%s of %T: %q not noticed", flags+string(verb), v, out)
				}
				ran++
			}
		}
	}
	if encoded, err := json.Marshal([]byte(secret)); err != nil || !d.leaks(string(encoded)) {
		t.Errorf("JSON %q, %v not noticed", encoded, err)
	}
	if ran < 900 {
		t.Fatalf("only %d formats ran", ran)
	}
}

func TestNoLogShowsIt(t *testing.T) {
	var out bytes.Buffer
	d := newDetector()
	for _, h := range []slog.Handler{
		slog.NewTextHandler(&out, nil),
		slog.NewJSONHandler(&out, nil),
		slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr { return a }}),
	} {
		for name, v := range places() {
			out.Reset()
			slog.New(h).With("with", v).Info(name, "attr", v, slog.Group("group", "in", v))
			if d.leaks(out.String()) {
				t.Errorf("%T of %s: %s", h, name, &out)
			}
		}
		out.Reset()
		slog.New(h).Info("", "key", Take([]byte(secret)))
		if !strings.Contains(out.String(), marker) {
			t.Errorf("%T: no marker in %s", h, &out)
		}
	}
}

func TestEncodersRefuse(t *testing.T) {
	encoders := map[string]func(v any) ([]byte, error){
		"json": json.Marshal,
		"xml":  xml.Marshal,
		"gob": func(v any) ([]byte, error) {
			var out bytes.Buffer
			err := gob.NewEncoder(&out).Encode(v)
			return out.Bytes(), err
		},
	}
	d := newDetector()
	for encoder, encode := range encoders {
		for name, v := range places() {
			if out, _ := encode(v); d.leaks(string(out)) {
				t.Errorf("%s of %s: %q", encoder, name, out)
			}
		}
		for _, name := range []string{"value", "pointer", "exported field", "pointer to exported field", "embedded", "slice"} {
			if _, err := encode(places()[name]); !errors.Is(err, errEncode) {
				t.Errorf("%s of %s: got %v, want a refusal", encoder, name, err)
			}
		}
	}
	b := Take([]byte(secret))
	for name, marshal := range map[string]func() ([]byte, error){"text": b.MarshalText, "binary": b.MarshalBinary} {
		if out, err := marshal(); out != nil || !errors.Is(err, errEncode) {
			t.Errorf("%s: got %q, %v; want a refusal", name, out, err)
		}
	}
}

func TestExposeIsTheWayOut(t *testing.T) {
	own := []byte(secret)
	b := Take(own)
	if got := b.Expose(); &got[0] != &own[0] || len(got) != len(own) {
		t.Error("Expose does not return the bytes themselves")
	}
	if b.Len() != len(secret) {
		t.Errorf("Len is %d, want %d", b.Len(), len(secret))
	}
	b.Clear()
	if !bytes.Equal(own, make([]byte, len(secret))) {
		t.Errorf("Clear left %q", own)
	}
}

func TestZeroValueIsEmpty(t *testing.T) {
	var b Bytes
	b.Clear()
	if b.Expose() != nil || b.Len() != 0 || fmt.Sprint(b) != marker {
		t.Errorf("got %v, %d bytes", b, b.Len())
	}
	if !b.Equal(Bytes{}) || !b.Equal(Take(nil)) || b.Equal(Take([]byte{0})) {
		t.Error("empty is not equal to empty alone")
	}
}

func TestEqualComparesTheBytes(t *testing.T) {
	a := Take([]byte(secret))
	for other, want := range map[string]bool{secret: true, secret[1:]: false, secret + "x": false, "Zq7!wKp9#Lm2@Xv6": false, "": false} {
		if got := a.Equal(Take([]byte(other))); got != want {
			t.Errorf("Equal(%q) is %v, want %v", other, got, want)
		}
	}
}
