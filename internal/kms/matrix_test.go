package kms_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// stateTable is testdata/key-states.txt: operation → state → code.
type stateTable map[string]map[kmsapi.KeyState]string

func readStateTable(t *testing.T) stateTable {
	t.Helper()
	text, err := os.ReadFile("testdata/key-states.txt")
	if err != nil {
		t.Fatal(err)
	}
	table := stateTable{}
	var states []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		cells := strings.Split(line, "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if states == nil {
			states = cells
			continue
		}
		if len(cells) != len(states) || table[cells[0]] != nil {
			t.Fatalf("the row %q", line)
		}
		table[cells[0]] = map[kmsapi.KeyState]string{}
		for i, code := range cells[1:] {
			table[cells[0]][kmsapi.KeyState(states[i+1])] = code
		}
		table[cells[0]][kmsapi.KeyStatePendingReplicaDeletion] = table[cells[0]][kmsapi.KeyStatePendingDeletion]
	}
	return table
}

// keyless are the operations that name no key, and so have no row in the table.
var keyless = []string{"CreateKey", "GenerateRandom", "ListKeys", "ListRetirableGrants"}

// The table has a row for each operation that there is, and no other; and each has a sample.
func TestEveryOperationIsInTheStateTable(t *testing.T) {
	var want []string
	for _, o := range kmsapi.Operations() {
		if o.Built && !slices.Contains(keyless, o.Name) {
			want = append(want, o.Name)
		}
	}
	if got := slices.Sorted(maps.Keys(readStateTable(t))); !slices.Equal(got, want) {
		t.Errorf("the table has %v, want %v", got, want)
	}
	sampled := map[string]bool{"DeleteAlias": true}
	for _, s := range samples(keyKinds()[0], new(evidence)) {
		sampled[operation(s.operation)] = true
	}
	if got := slices.Sorted(maps.Keys(sampled)); !slices.Equal(got, want) {
		t.Errorf("samples of %v, want %v", got, want)
	}
}

// codes are the texts behind the codes of the table; %s is the key's ARN.
var codes = map[string]string{
	"ok": works, "D": isDisabled, "P": isPendings, "NP": notPending,
	"I": "KMSInvalidStateException %s is pending import.",
	"C": "KMSInvalidStateException %s is creating.",
	"W": "KMSInvalidStateException %s is updating.",
	"X": "UnsupportedOperationException %s origin is EXTERNAL which is not valid for this operation.",
}

// TestStateTable asks every operation of a key of every kind in every state that such a key can be in.
func TestStateTable(t *testing.T) {
	table := readStateTable(t)
	w := newWorld(t)
	u := w.as(alice)
	u.createAlias(spareAlias, u.createKey())
	u.in(abroad).createAlias(spareAlias, u.in(abroad).createKey())
	cells := 0
	var gone []*specimen
	for _, k := range keyKinds() {
		s := u.specimen(k)
		for _, state := range k.states() {
			if state != "" {
				cells += s.testState(t, state, table)
			}
		}
		if slices.Contains(k.states(), "") {
			gone = append(gone, s)
		}
	}
	u.advance("8d") // the last state that each was brought into is PendingDeletion
	for _, s := range gone {
		cells += s.testState(t, "", table)
	}
	t.Logf("%d cells", cells)
	if cells < 4000 {
		t.Errorf("%d cells, want at least 4000", cells)
	}
}

// testState asks all operations of the key in a state, and brings it back there after each that has changed it.
func (s *specimen) testState(t *testing.T, state kmsapi.KeyState, table stateTable) (cells int) {
	t.Helper()
	all := s.asked()
	for _, in := range all {
		s.bring(state)
		want := s.want(in.operation, state, table)
		a := s.send(in.make(s.user, s.arn()))
		got := works
		if !a.ok() {
			got = a.code + " " + a.message
		}
		if got != want {
			t.Errorf("%s of a key %s that is %s: got %q, want %q", in.operation, s.kind.name, state, got, want)
		}
		if a.ok() {
			s.undo(in.operation)
		}
	}
	return len(all)
}

// asked are the samples, and the operations that name the key by what it has made, or by its alias.
func (s *specimen) asked() []sample {
	all := slices.DeleteFunc(samples(s.kind, &s.made), func(s sample) bool { return s.operation == "UpdateAlias" })
	all = append(all,
		sample{"UpdateAlias to", false, func(_ user, id string) request {
			return &kmsapi.UpdateAliasRequest{AliasName: new(s.twinAlias()), TargetKeyId: &id}
		}},
		sample{"UpdateAlias from", false, func(user, string) request {
			return &kmsapi.UpdateAliasRequest{AliasName: &s.made.aliases[0], TargetKeyId: &s.twin}
		}},
		sample{"DeleteAlias", false, func(user, string) request { return &kmsapi.DeleteAliasRequest{AliasName: &s.made.aliases[0]} }},
	)
	if s.kind.symmetric() {
		all = append(all,
			sample{"Decrypt unnamed", false, func(user, string) request { return &kmsapi.DecryptRequest{CiphertextBlob: s.made.ciphertext} }},
			sample{"ReEncrypt unnamed", false, func(user, string) request {
				return &kmsapi.ReEncryptRequest{CiphertextBlob: s.made.ciphertext, DestinationKeyId: new(spareAlias)}
			}},
		)
	}
	return all
}

// want is what the table says of an operation, after what the key's kind says.
func (s *specimen) want(name string, state kmsapi.KeyState, table stateTable) string {
	op, role, _ := strings.Cut(name, " ")
	alias := op == "DeleteAlias" || op == "UpdateAlias" && role == "from"
	switch {
	case state == "" && alias:
		return "NotFoundException Alias " + s.user.arn(s.made.aliases[0]) + " is not found."
	case state == "" && role == "unnamed":
		return isHidden
	case state == "":
		return strings.ReplaceAll(isGone, "%s", s.arn())
	}
	if wrong := wrongKind(name, s.kind, s.arn()); wrong != "" {
		return wrong
	}
	code := table[op][state]
	if alias {
		code = "ok" // the alias's present key may be in any state
	}
	text := strings.ReplaceAll(codes[code], "%s", s.arn())
	if state == kmsapi.KeyStatePendingReplicaDeletion {
		text = strings.Replace(text, " is pending deletion.", " is pending replica deletion.", 1)
	}
	if code == "ok" {
		return s.wantAfterState(op, role)
	}
	return text
}

// wantAfterState is what an operation says of the key when neither its kind nor its state is in the way.
func (s *specimen) wantAfterState(op, role string) string {
	replica := s.in(abroad).keyARN(s.id)
	switch {
	case s.kind.usage != encrypting && (op == "Decrypt" || op == "ReEncrypt" && role == "from"):
		return "IncorrectKeyException " + incorrect
	case op == "RotateKeyOnDemand" && s.kind.external():
		return "KMSInvalidStateException No available key material pending rotation for the key: " + s.arn() + "."
	case op == "UpdatePrimaryRegion" && s.kind.alone:
		return "NotFoundException Key '" + replica + "' does not exist"
	case op == "UpdatePrimaryRegion" && s.kind.external():
		return "KMSInvalidStateException " + replica + " is pending import."
	}
	return works
}

// undo takes back what would be in the way of the same operation later, or change what kind of key this is.
func (s *specimen) undo(name string) {
	s.t.Helper()
	switch name {
	case "CreateAlias":
		s.must(&kmsapi.DeleteAliasRequest{AliasName: new("alias/new")})
	case "UpdateAlias to":
		s.must(&kmsapi.UpdateAliasRequest{AliasName: new(s.twinAlias()), TargetKeyId: &s.twin})
	case "UpdateAlias from", "DeleteAlias":
		s.made.aliases = s.made.aliases[1:]
	case "UpdatePrimaryRegion", "ReplicateKey":
		*s = *s.specimen(s.kind)
	}
}
