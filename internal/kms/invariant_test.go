package kms_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/kms"
	"github.com/trent-kms/trent/internal/store"
)

// records are the service's records at one moment, by path.
type records struct {
	keys      map[string]*kms.Key
	aliases   map[string]*kms.Alias
	deletions map[string]bool
}

// readRecords reads all of them in one page, which is a snapshot.
func (w *world) readRecords() records {
	w.t.Helper()
	page, err := w.store.Range(context.Background(), "kms/", "", 1<<20)
	if err != nil || page.More {
		w.t.Fatal(err, page.More)
	}
	all := records{map[string]*kms.Key{}, map[string]*kms.Alias{}, map[string]bool{}}
	for _, r := range page.Records {
		if err := all.add(r); err != nil {
			w.t.Errorf("record %s: %v", r.Key, err)
		}
	}
	return all
}

func (all records) add(r store.Record) (err error) {
	switch kind := strings.Split(r.Key, "/")[1]; kind {
	case "key":
		all.keys[r.Key], err = kms.DecodeKey(r.Value)
	case "alias":
		all.aliases[r.Key], err = kms.DecodeAlias(r.Value)
	case "deletion":
		all.deletions[r.Key] = true
	default:
		panic("kms_test: unknown kind of record " + kind)
	}
	return err
}

// checkRecords tests what must hold of the records at every moment.
func (w *world) checkRecords() {
	w.t.Helper()
	now := w.as(alice).now()
	all := w.readRecords()
	for path, k := range all.keys {
		if k != nil {
			w.checkKey(all, path, k, now)
		}
	}
	for path, a := range all.aliases {
		part := strings.SplitN(path, "/", 5)
		k := all.keys["kms/key/"+part[2]+"/"+part[3]+"/"+a.Target]
		if k == nil || !slices.Contains(k.Aliases, part[4]) {
			w.t.Errorf("alias %s points to key %s, which does not say so", path, a.Target)
		}
	}
	for path := range all.deletions {
		if !slices.ContainsFunc(mapValues(all.keys), func(k *kms.Key) bool { return isPending(k) && k.DeletionPath() == path }) {
			w.t.Errorf("%s: no key waits for its deletion then", path)
		}
	}
}

func mapValues[K comparable, V any](m map[K]V) []V {
	var out []V
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

func isPending(k *kms.Key) bool { return k != nil && k.State == kmsapi.KeyStatePendingDeletion }

func (w *world) checkKey(all records, path string, k *kms.Key, now time.Time) {
	w.t.Helper()
	if want := "kms/key/" + k.Account + "/" + k.Region + "/" + k.ID; path != want {
		w.t.Errorf("%s: the record is key %s", path, want)
	}
	if len(k.Materials) != 1 || len(k.Materials[0].Wrapped) == 0 {
		w.t.Errorf("%s: %d sets of key material", path, len(k.Materials))
	}
	if isPending(k) != all.deletions[k.DeletionPath()] {
		w.t.Errorf("%s: state %s, but deletion record %s is there: %v", path, k.State, k.DeletionPath(), !isPending(k))
	}
	if !ordered(k.Tags, func(t kms.Tag) string { return t.Key }) || len(k.Tags) > 50 {
		w.t.Errorf("%s: tags %v", path, k.Tags)
	}
	if !ordered(k.Aliases, func(s string) string { return s }) || len(k.Aliases) > 50 {
		w.t.Errorf("%s: aliases %v", path, k.Aliases)
	}
	if isPending(k) && !now.Before(k.DeleteAt) {
		return // deleted by time: its aliases may have been given to another key before it is swept
	}
	for _, name := range k.Aliases {
		if a := all.aliases["kms/alias/"+k.Account+"/"+k.Region+"/"+name]; a == nil || a.Target != k.ID {
			w.t.Errorf("%s says that %s points to it; its record is %+v", path, name, a)
		}
	}
}

// ordered says whether a list is sorted and without duplicates.
func ordered[T any](list []T, name func(T) string) bool {
	return slices.IsSortedFunc(list, func(a, b T) int { return strings.Compare(name(a), name(b)) }) &&
		len(slices.CompactFunc(slices.Clone(list), func(a, b T) bool { return name(a) == name(b) })) == len(list)
}

// event is an audit record.
type event struct {
	EventTime           time.Time
	EventName           string
	ErrorCode           string
	ErrorMessage        string
	AWSRegion           string `json:"awsRegion"`
	EventType           string
	EventSource         string
	RequestID           string
	ReadOnly            bool
	RequestParameters   json.RawMessage
	ResponseElements    json.RawMessage
	AdditionalEventData json.RawMessage
	RecipientAccountID  string `json:"recipientAccountId"`
	UserIdentity        map[string]string
	SourceIPAddress     string
	Resources           []resource
}

type resource struct{ AccountID, Type, ARN string }

// events returns all audit records of the service so far.
func (w *world) events() []event {
	w.t.Helper()
	var all []event
	err := audit.Read(w.auditDir, func(line []byte) error {
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			return err
		}
		if e.EventSource == "kms.amazonaws.com" {
			all = append(all, e)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// eventOf returns the one record of an answer.
func (w *world) eventOf(a answer) event {
	w.t.Helper()
	for _, e := range w.events() {
		if e.RequestID == a.requestID {
			return e
		}
	}
	w.t.Fatalf("%s %s has no audit record", a.operation, a.requestID)
	return event{}
}

// checkAudit tests that every answer has exactly one record that says the same, and that none of them shows a secret.
func (w *world) checkAudit() {
	w.t.Helper()
	found := map[string]int{}
	for _, e := range w.events() {
		if e.RequestID == "" {
			continue // of the service itself
		}
		found[e.RequestID]++
		if a := w.answered[e.RequestID]; a.operation != e.EventName || a.code != e.ErrorCode {
			w.t.Errorf("%s answered %q, its record says %s %q", a.operation, a.code, e.EventName, e.ErrorCode)
		}
	}
	for id, a := range w.answered {
		if info, _ := findOperation(a.operation); info.Built && found[id] != 1 {
			w.t.Errorf("%s %s (%s) has %d audit records", a.operation, id, a.code, found[id])
		}
	}
	files, err := filepath.Glob(filepath.Join(w.auditDir, "*"))
	if err != nil || len(files) == 0 {
		w.t.Fatal(files, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			w.t.Fatal(err)
		}
		w.checkNoSecrets(text)
	}
}

func (w *world) checkNoSecrets(text []byte) {
	w.t.Helper()
	lower := bytes.ToLower(text)
	for secret, where := range w.secrets {
		for form, s := range map[string]string{
			"plain": secret, "base64": base64.RawStdEncoding.EncodeToString([]byte(secret)), "base64url": base64.RawURLEncoding.EncodeToString([]byte(secret)),
		} {
			if bytes.Contains(text, []byte(s)) {
				w.t.Errorf("the audit log holds bytes of %s, %s", where, form)
			}
		}
		if bytes.Contains(lower, []byte(hex.EncodeToString([]byte(secret)))) {
			w.t.Errorf("the audit log holds bytes of %s in hex", where)
		}
	}
}

const (
	minSecret  = 8   // shorter ones would be found by accident
	maxSecrets = 100 // a test that makes thousands is not the better for searching all of them
)

// keepSecrets notes all blobs, and all grant tokens, of a request or an answer: no audit record may show one.
func (w *world) keepSecrets(where string, shape any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	keep := func(member string, secret []byte) {
		if len(secret) >= minSecret && len(w.secrets) < maxSecrets {
			w.secrets[string(secret)] = where + " " + member
		}
	}
	v := reflect.ValueOf(shape).Elem()
	for i := range v.NumField() {
		member := v.Type().Field(i).Name
		if b, ok := v.Field(i).Interface().([]byte); ok {
			keep(member, b)
		}
		if member == "GrantTokens" {
			for _, token := range v.Field(i).Interface().([]string) {
				keep(member, []byte(token))
			}
		}
	}
}
