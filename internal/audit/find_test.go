package audit_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/caller"
)

var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// logOf writes n records, a minute apart, into segments of a few records each, and leaves the log open.
func logOf(t *testing.T, n int) (*audit.Log, string) {
	t.Helper()
	dir := t.TempDir()
	l, err := audit.Open(t.Context(), audit.Config{Dir: dir, Sync: audit.SyncOS, SegmentBytes: 4 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	for i := range n {
		e := audit.Event{
			RequestID: "request-" + strconv.Itoa(i), Time: start.Add(time.Duration(i) * time.Minute), Source: "kms.amazonaws.com",
			Name: "Encrypt", Region: "us-east-1", Account: "111122223333", Caller: caller.RootOf("111122223333", "AKIA"),
			RequestParameters: []byte(`{"keyId":"k","encryptionContext":{"requestID":"request-7"}}`),
			Authorization:     []byte(`[{"action":"kms:Encrypt","resource":"arn:k","allowed":true,"layer":"grant","grant":"g"}]`),
		}
		if err := l.Append(t.Context(), &e); err != nil {
			t.Fatal(err)
		}
	}
	return l, dir
}

func TestFindSeesEveryRecordOfAnOpenLog(t *testing.T) {
	const n = 100
	_, dir := logOf(t, n)
	r := audit.Reader{Dir: dir}
	for i := range n {
		id := "request-" + strconv.Itoa(i)
		x, err := r.Find(t.Context(), id)
		if err != nil || x == nil || x.RequestID != id {
			t.Fatalf("%s: %+v, %v", id, x, err)
		}
		if d := x.Authorized; len(d) != 1 || d[0].Action != "kms:Encrypt" || !d[0].Allowed || d[0].Grant != "g" || d[0].Statement != nil {
			t.Fatalf("%s: decisions %+v", id, d)
		}
		if x.Identity.Type != "Root" || !x.Time.Equal(start.Add(time.Duration(i)*time.Minute)) {
			t.Fatalf("%s: %+v", id, x)
		}
	}
	for _, id := range []string{"", "request-", "request-100", `request-7"`, "encryptionContext"} {
		if x, err := r.Find(t.Context(), id); err != nil || x != nil {
			t.Errorf("%q: found %+v, %v", id, x, err)
		}
	}
}

func TestIssuedFindsTheCallThatGaveOutCredentials(t *testing.T) {
	l, dir := logOf(t, 3)
	for _, e := range []audit.Event{
		{RequestID: "began", Name: "AssumeRole", ResponseElements: []byte(`{"credentials":{"accessKeyId":"ASIA1"}}`)},
		{RequestID: "failed", Name: "AssumeRole", ErrorCode: "AccessDenied"},
		{RequestID: "used", Name: "GetAccessKeyInfo", RequestParameters: []byte(`{"accessKeyId":"ASIA1"}`)},
	} {
		e.Time, e.Source = start, "sts.amazonaws.com"
		e.Caller = caller.Caller{Type: caller.Role, AccessKeyID: "ASIA1"}
		if err := l.Append(t.Context(), &e); err != nil {
			t.Fatal(err)
		}
	}
	x, err := audit.Reader{Dir: dir}.Issued(t.Context(), "ASIA1")
	if err != nil || x == nil || x.RequestID != "began" {
		t.Errorf("%+v, %v", x, err)
	}
}

func TestWalkKeepsToItsTimes(t *testing.T) {
	_, dir := logOf(t, 100)
	for _, c := range []struct{ from, until, want int }{{0, 99, 100}, {10, 19, 10}, {50, 50, 1}, {95, 200, 5}, {-50, 4, 5}, {101, 200, 0}} {
		at := func(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }
		got := 0
		err := audit.Reader{Dir: dir}.Walk(t.Context(), at(c.from), at(c.until), []byte("arn:k"), func(*audit.Record) error { got++; return nil })
		if err != nil || got != c.want {
			t.Errorf("%d to %d: %d records, %v; want %d", c.from, c.until, got, err, c.want)
		}
	}
	enough := errors.New("enough")
	err := audit.Reader{Dir: dir}.Walk(t.Context(), time.Time{}, start.Add(time.Hour), nil, func(*audit.Record) error { return enough })
	if !errors.Is(err, enough) {
		t.Error(err)
	}
}

// TestFindWorksAroundDamage: what is whole can be found, and damage is told where it may hide what is not.
func TestFindWorksAroundDamage(t *testing.T) {
	l, dir := logOf(t, 100)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	segments, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil || len(segments) < 4 {
		t.Fatal(segments, err)
	}
	text, err := os.ReadFile(segments[1])
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.LastIndex(text, []byte("Encrypt"))
	if err := os.WriteFile(segments[1], append(append(text[:at:at], "Decrypt"...), text[at+7:]...), 0o600); err != nil {
		t.Fatal(err)
	}
	r := audit.Reader{Dir: dir}
	for _, id := range []string{"request-0", "request-99"} {
		if x, err := r.Find(t.Context(), id); err != nil || x == nil {
			t.Errorf("%s: %+v, %v", id, x, err)
		}
	}
	if x, err := r.Find(t.Context(), "request-none"); !errors.Is(err, audit.ErrDamaged) || x != nil {
		t.Errorf("%+v, %v", x, err)
	}
}

func TestNoLogHasNoRecords(t *testing.T) {
	r := audit.Reader{Dir: filepath.Join(t.TempDir(), "none")}
	if x, err := r.Find(t.Context(), "x"); x != nil || err != nil {
		t.Errorf("%+v, %v", x, err)
	}
	if err := r.Walk(t.Context(), time.Time{}, start, nil, nil); err != nil {
		t.Error(err)
	}
}
