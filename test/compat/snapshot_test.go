package compat

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// snapshot is one recorded message of the SDK: what it sends for an operation with every member set, or an answer that
// it reads.
type snapshot struct {
	name string // of the operation or the error
	head string // first line: "POST /" or a status
	body []byte // JSON
}

// snapshots reads the files dir/*.suffix of the SDK's module.
func snapshots(t *testing.T, dir, suffix string) []snapshot {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/service/kms").Output()
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), dir, "*"+suffix))
	if err != nil {
		t.Fatal(err)
	}
	var all []snapshot
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		head, rest, _ := strings.Cut(string(data), "\n")
		body := rest[strings.LastIndex(rest, "\n\n")+2:]
		all = append(all, snapshot{strings.TrimSuffix(filepath.Base(path), suffix), head, []byte(body)})
	}
	return all
}

type shape interface {
	api.Shape
	AppendJSON([]byte) []byte
}

// roundTrip decodes body into x and compares what x encodes with body: nothing may be lost, and nothing added.
func roundTrip(t *testing.T, body []byte, x shape) {
	t.Helper()
	if err := api.Decode(body, x); err != nil {
		t.Errorf("%s: %v", body, err)
		return
	}
	encoded := x.AppendJSON(nil)
	var got, want any
	if err := json.Unmarshal(body, &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(encoded, &got); err != nil {
		t.Fatalf("%s: %v", encoded, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func operations() map[string]api.OperationInfo {
	all := map[string]api.OperationInfo{}
	for _, o := range kmsapi.Operations() {
		all[o.Name] = o
	}
	return all
}

func TestRequestsOfTheSDK(t *testing.T) {
	ops, n := operations(), 0
	for _, s := range snapshots(t, "request_snapshot", ".request.snap") {
		t.Run(s.name, func(t *testing.T) {
			n++
			roundTrip(t, s.body, ops[s.name].NewInput().(shape))
		})
	}
	if n < 56 {
		t.Fatalf("only %d requests", n)
	}
}

func TestResponsesOfTheSDK(t *testing.T) {
	ops, n, bodies := operations(), 0, 0
	for _, s := range snapshots(t, "response_snapshot", ".response.snap") {
		t.Run(s.name, func(t *testing.T) {
			n++
			out := ops[s.name].NewOutput()
			if _, empty := out.(*api.Empty); empty {
				if string(s.body) != "{}" {
					t.Errorf("the SDK knows members: %s", s.body)
				}
				return
			}
			bodies++
			roundTrip(t, s.body, out.(shape))
		})
	}
	if n < 56 || bodies < 40 {
		t.Fatalf("only %d responses, %d with members", n, bodies)
	}
}

func TestErrorsOfTheSDK(t *testing.T) {
	ours := map[string]*api.Error{}
	for _, e := range kmsapi.Errors() {
		ours[e.Code] = e
	}
	n := 0
	for _, s := range snapshots(t, "response_snapshot", ".error.snap") {
		n++
		var body struct {
			Type string `json:"__type"`
		}
		status, err := strconv.Atoi(s.head)
		if err != nil || json.Unmarshal(s.body, &body) != nil {
			t.Fatalf("%s: %q %s", s.name, s.head, s.body)
		}
		// Whose fault it is decides whether clients try again, so that must agree; within a class KMS has its own habits.
		if e := ours[body.Type]; e == nil || e.Status/100 != status/100 {
			t.Errorf("%s has status %d, ours is %v", body.Type, status, e)
		}
	}
	if n < 48 {
		t.Fatalf("only %d errors", n)
	}
}
