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

	"github.com/google/go-cmp/cmp"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/kms"
	"github.com/trent-kms/trent/internal/store"
)

// records are the service's records at one moment, by path.
type records struct {
	keys    map[string]*kms.Key
	aliases map[string]*kms.Alias
	indexes map[string]bool // deletions and expiries
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
	case "deletion", "expiry":
		all.indexes[r.Key] = true
	case "usage", "grant", "grant-name", "grant-retiring", "grant-grantee": // tested with what makes them
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
	w.checkGrants()
	for path, a := range all.aliases {
		part := strings.SplitN(path, "/", 5)
		k := all.keys["kms/key/"+part[2]+"/"+part[3]+"/"+a.Target]
		if k == nil || !slices.Contains(k.Aliases, part[4]) {
			w.t.Errorf("alias %s points to key %s, which does not say so", path, a.Target)
		}
	}
	var indexes []string
	for _, k := range all.keys {
		indexes = append(indexes, k.Indexes()...)
		w.checkRelatives(all, k, now)
	}
	for path := range all.indexes {
		if !slices.Contains(indexes, path) {
			w.t.Errorf("%s: nothing happens to a key then", path)
		}
	}
}

// checkRelatives tests that what the relatives of a key share is the same in all their records.
func (w *world) checkRelatives(all records, k *kms.Key, now time.Time) {
	if k.MultiRegion == nil {
		return
	}
	type shared struct {
		MultiRegion kms.MultiRegion
		Rotation    kms.Rotation
		Materials   []string
	}
	of := func(k *kms.Key) (s shared) {
		s.MultiRegion, s.Rotation = *k.MultiRegion, k.Rotation
		for _, m := range k.Materials {
			s.Materials = append(s.Materials, m.ID+string(m.By)+m.Rotated.String())
		}
		if k.Pending != nil {
			s.Materials = append(s.Materials, "pending "+k.Pending.ID)
		}
		return s
	}
	for _, region := range k.MultiRegion.Replicas {
		other := all.keys["kms/key/"+k.Account+"/"+region.Region+"/"+k.ID]
		if _, deleted := k.StateAt(now); deleted || other == nil {
			continue
		}
		if _, deleted := other.StateAt(now); deleted {
			continue
		}
		if diff := cmp.Diff(of(k), of(other)); diff != "" {
			w.t.Errorf("key %s in %s and %s: %s", k.ID, k.Region, other.Region, diff)
		}
	}
}

func isPending(k *kms.Key) bool { return k != nil && k.State == kmsapi.KeyStatePendingDeletion }

func (w *world) checkKey(all records, path string, k *kms.Key, now time.Time) {
	w.t.Helper()
	if want := "kms/key/" + k.Account + "/" + k.Region + "/" + k.ID; path != want {
		w.t.Errorf("%s: the record is key %s", path, want)
	}
	if k.Origin == kmsapi.OriginTypeAwsKms && slices.ContainsFunc(k.Materials, func(m kms.Material) bool { return len(m.Wrapped) == 0 }) {
		w.t.Errorf("%s: key material is missing", path)
	}
	for _, index := range k.Indexes() {
		if !all.indexes[index] {
			w.t.Errorf("%s: state %s, but %s is not there", path, k.State, index)
		}
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
	ServiceEventDetails map[string]string
	RecipientAccountID  string `json:"recipientAccountId"`
	UserIdentity        map[string]any
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

// eventsNamed returns the records with one name.
func (w *world) eventsNamed(name string) []event {
	w.t.Helper()
	return slices.DeleteFunc(w.events(), func(e event) bool { return e.EventName != name })
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
		if e.EventType == "AwsServiceEvent" {
			continue
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
		if token, ok := v.Field(i).Interface().(*string); ok && token != nil && member == "GrantToken" {
			keep(member, []byte(*token))
		}
		if member == "GrantTokens" {
			for _, token := range v.Field(i).Interface().([]string) {
				keep(member, []byte(token))
			}
		}
	}
}
