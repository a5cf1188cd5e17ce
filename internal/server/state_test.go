package server_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trent-kms/trent/internal/admin"
	"github.com/trent-kms/trent/internal/hsm/root"
	"github.com/trent-kms/trent/internal/kms"
	"github.com/trent-kms/trent/internal/server"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/store/memory"
)

const seedID = "11111111-2222-3333-4444-555555555555"

func withSeed(c *server.Config) {
	dev(c)
	c.Seed = []kms.SeedKey{{Account: "000000000000", Region: "us-east-1", ID: seedID, Aliases: []string{"alias/seed"}}}
}

// playground speaks to a development server.
type playground struct {
	*testing.T
	srv *server.Server
}

// call sends a request of KMS, and must succeed.
func (p playground) call(operation, body string) map[string]any {
	p.Helper()
	status, answer := post(p.T, p.srv, devKey("test"), "us-east-1", "kms", "TrentService."+operation, body)
	if status != http.StatusOK {
		p.Fatalf("%s: %d %v", operation, status, answer)
	}
	return answer
}

// administer sends a request of the administration.
func (p playground) administer(operation, body string) (int, map[string]any) {
	p.Helper()
	return post(p.T, p.srv, devKey("test"), "us-east-1", "trent", "TrentAdmin."+operation, body)
}

func (p playground) mustAdminister(operation, body string) map[string]any {
	p.Helper()
	status, answer := p.administer(operation, body)
	if status != http.StatusOK {
		p.Fatalf("%s: %d %v", operation, status, answer)
	}
	return answer
}

func (p playground) createKey() string {
	p.Helper()
	return p.call("CreateKey", "{}")["KeyMetadata"].(map[string]any)["KeyId"].(string)
}

func (p playground) encrypt(key string) string {
	p.Helper()
	return p.call("Encrypt", `{"KeyId":"`+key+`","Plaintext":"aGVsbG8="}`)["CiphertextBlob"].(string)
}

// decrypts says whether a ciphertext of encrypt opens.
func (p playground) decrypts(ciphertext string) bool {
	p.Helper()
	status, answer := post(p.T, p.srv, devKey("test"), "us-east-1", "kms", "TrentService.Decrypt", `{"CiphertextBlob":"`+ciphertext+`"}`)
	if status != http.StatusOK && status != http.StatusBadRequest {
		p.Errorf("Decrypt: %d %v", status, answer)
	}
	return status == http.StatusOK && answer["Plaintext"] == "aGVsbG8="
}

func (p playground) keys() []string {
	p.Helper()
	ids := []string{}
	for _, k := range p.call("ListKeys", "{}")["Keys"].([]any) {
		ids = append(ids, k.(map[string]any)["KeyId"].(string))
	}
	return ids
}

// snapshot returns the server's snapshot, read in parts.
func (p playground) snapshot() []byte {
	p.Helper()
	made := p.mustAdminister("CreateSnapshot", "{}")
	var data []byte
	for len(data) < int(made["Size"].(float64)) {
		part := p.mustAdminister("ReadSnapshot", fmt.Sprintf(`{"SnapshotId":"%s","Offset":%d}`, made["SnapshotId"], len(data)))["Part"].(string)
		b, err := base64.StdEncoding.DecodeString(part)
		if err != nil {
			p.Fatal(err)
		}
		data = append(data, b...)
	}
	return data
}

// write takes a snapshot to the server in two parts, and returns its id.
func (p playground) write(data []byte) string {
	p.Helper()
	id := admin.SnapshotID(data)
	for _, at := range []int{0, len(data) / 2} {
		end := len(data)
		if at == 0 {
			end = len(data) / 2
		}
		if at < end {
			p.mustAdminister("WriteSnapshot", fmt.Sprintf(`{"SnapshotId":"%s","Offset":%d,"Part":"%s"}`, id, at, base64.StdEncoding.EncodeToString(data[at:end])))
		}
	}
	return id
}

func (p playground) restore(data []byte) (int, map[string]any) {
	p.Helper()
	return p.administer("RestoreSnapshot", `{"SnapshotId":"`+p.write(data)+`"}`)
}

func TestResetEmptiesTheServerAndSeedsItAgain(t *testing.T) {
	s := newSite(t)
	p := playground{t, s.must(withSeed)}
	key := p.createKey()
	lost, kept := p.encrypt(key), p.encrypt("alias/seed")
	p.mustAdminister("AdvanceClock", `{"Duration":"30d"}`)
	p.mustAdminister("ResetServer", "{}")
	if diff := cmp.Diff([]string{seedID}, p.keys()); diff != "" {
		t.Errorf("keys: %s", diff)
	}
	if got := p.mustAdminister("GetStatus", "{}")["ClockOffset"]; got != "0s" {
		t.Errorf("the clock is %v ahead", got)
	}
	if p.decrypts(lost) {
		t.Error("a key that is gone decrypts")
	}
	if p.decrypts(kept) {
		t.Error("the seed gave a random key the old material")
	}
	p.encrypt("alias/seed")
	// It is the state from now on, also for the next server on this data.
	if diff := cmp.Diff([]string{seedID}, playground{t, s.must(dev)}.keys()); diff != "" {
		t.Errorf("after a restart: %s", diff)
	}
}

func TestRestoreBringsBackTheWholeState(t *testing.T) {
	p := playground{t, newSite(t).must(withSeed)}
	key := p.createKey()
	p.call("CreateAlias", `{"AliasName":"alias/app","TargetKeyId":"`+key+`"}`)
	p.mustAdminister("AdvanceClock", `{"Duration":"30d"}`)
	before := p.encrypt("alias/app")
	snapshot := p.snapshot()
	// What happens after the snapshot is undone, and what it undid is back.
	later := p.createKey()
	after := p.encrypt(later)
	p.call("DeleteAlias", `{"AliasName":"alias/app"}`)
	p.mustAdminister("AdvanceClock", `{"Duration":"5d"}`)
	if status, answer := p.restore(snapshot); status != http.StatusOK {
		t.Fatalf("%d %v", status, answer)
	}
	want := []string{seedID, key}
	slices.Sort(want)
	if diff := cmp.Diff(want, p.keys()); diff != "" {
		t.Errorf("keys: %s", diff)
	}
	if got := p.mustAdminister("GetStatus", "{}")["ClockOffset"]; got != "720h0m0s" {
		t.Errorf("the clock is %v ahead", got)
	}
	if !p.decrypts(before) || p.decrypts(after) {
		t.Error("the ciphertext of before must open, and that of after must not")
	}
	p.encrypt("alias/app")
	if last := p.call("GetKeyLastUsage", `{"KeyId":"`+key+`"}`)["KeyLastUsage"].(map[string]any); last["Operation"] == nil {
		t.Error("when the key was used last is forgotten")
	}
}

// A snapshot opens in every development server, whatever root key each has, and takes the domain keys along.
func TestASnapshotOpensInAnotherServer(t *testing.T) {
	one, other := playground{t, newSite(t).must(dev)}, playground{t, newSite(t).must(dev)}
	key := one.createKey()
	ciphertext := one.encrypt(key)
	own := other.encrypt(other.createKey())
	if status, answer := other.restore(one.snapshot()); status != http.StatusOK {
		t.Fatalf("%d %v", status, answer)
	}
	if !other.decrypts(ciphertext) || other.decrypts(own) {
		t.Error("the snapshot's ciphertext must open, and the server's own must not")
	}
	other.encrypt(other.createKey()) // under the domain keys of the snapshot
	if status, answer := one.restore(other.snapshot()); status != http.StatusOK {
		t.Fatalf("back: %d %v", status, answer)
	}
	if !one.decrypts(ciphertext) {
		t.Error("the ciphertext does not open after it came back")
	}
}

// Nothing of a snapshot protects it but the mode of its file. Its root key is the public one, so that everybody knows.
func TestSnapshotsAreSealedByThePublicRootKeyAlone(t *testing.T) {
	s := newSite(t)
	p := playground{t, s.must(dev)}
	records, err := admin.DecodeSnapshot(p.snapshot())
	if err != nil {
		t.Fatal(err)
	}
	st := memory.New()
	for _, r := range records {
		if _, err := st.Commit(t.Context(), store.Txn{Puts: []store.Put{r}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := (&site{t: t, store: st, root: root.Public()}).start(dev); err != nil {
		t.Errorf("with the public root key: %v", err)
	}
	if _, err := (&site{t: t, store: st, root: s.root}).start(dev); err == nil {
		t.Error("the root key of the server is in its snapshots")
	}
}

// edited is a snapshot with other records, and a right checksum.
func edited(t *testing.T, snapshot []byte, edit func(map[string]string)) []byte {
	t.Helper()
	puts, err := admin.DecodeSnapshot(snapshot)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for _, r := range puts {
		values[r.Key] = string(r.Value)
	}
	edit(values)
	var records []store.Record
	for _, key := range slices.Sorted(maps.Keys(values)) {
		records = append(records, store.Record{Key: key, Value: []byte(values[key])})
	}
	return admin.EncodeSnapshot(records)
}

func TestSnapshotsThatChangeNothing(t *testing.T) {
	s := newSite(t)
	p := playground{t, s.must(dev)}
	p.createKey()
	good := p.snapshot()
	setDeployment := func(member string, v any) func(map[string]string) {
		return func(all map[string]string) {
			var d map[string]any
			if err := json.Unmarshal([]byte(all["trent/deployment"]), &d); err != nil {
				t.Fatal(err)
			}
			d[member] = v
			b, err := json.Marshal(d)
			if err != nil {
				t.Fatal(err)
			}
			all["trent/deployment"] = string(b)
		}
	}
	add := func(key, value string) func(map[string]string) {
		return func(all map[string]string) { all[key] = value }
	}
	later := []byte(strings.Replace(string(good), "trent-snapshot:1\n", "trent-snapshot:2\n", 1))
	flipped := slices.Clone(good)
	flipped[len(flipped)-9] ^= 1
	ciphertext := p.encrypt(p.createKey())
	before := p.keys()
	rows := map[string]struct {
		data []byte
		want string
	}{
		"cut short":              {good[:len(good)-1], "not a usable snapshot: damaged: its checksum is another"},
		"cut in the checksum":    {good[:30], "not a usable snapshot: damaged: it is cut short"},
		"a changed bit":          {flipped, "not a usable snapshot: damaged: its checksum is another"},
		"more at the end":        {append(slices.Clone(good), 0), "not a usable snapshot: damaged: its checksum is another"},
		"a later format":         {later, `not a usable snapshot: it has format "2", this program reads format 1`},
		"something else":         {[]byte("keys:\n- id: x\n"), `not a usable snapshot: it does not begin with "trent-snapshot:"`},
		"no deployment":          {edited(t, good, func(all map[string]string) { delete(all, "trent/deployment") }), "not a usable snapshot: it has no deployment"},
		"of production":          {edited(t, good, setDeployment("dev", false)), "not a usable snapshot: server: the data belongs to the other mode"},
		"another deployment's":   {edited(t, good, setDeployment("account", "999999999999")), "not a usable snapshot: hsm: stored blob does not open: "},
		"a later deployment":     {edited(t, good, setDeployment("v", 99)), "not a usable snapshot: store: data written by a newer version"},
		"a broken clock":         {edited(t, good, add("trent/clock", `{"v":1,"offset_ns":-1}`)), "not a usable snapshot: admin: damaged or newer clock record"},
		"the mark of a wipe":     {edited(t, good, add("trent/wipe", "")), `not a usable snapshot: it has a record "trent/wipe", which belongs to no state`},
		"a record of nobody's":   {edited(t, good, add("x/y", "")), `not a usable snapshot: it has a record "x/y", which belongs to no state`},
		"a key that is no key":   {edited(t, good, add("kms/key/a b", "")), "not a usable snapshot: damaged: record "},
		"too large a record":     {edited(t, good, add("kms/key/a", strings.Repeat("x", store.MaxValueBytes+1))), "not a usable snapshot: damaged: record "},
		"sealed by another root": {edited(t, good, setDeployment("domain", domainOf(t, s.store))), "not a usable snapshot: hsm: wrong root key for this deployment: "},
	}
	for name, tt := range rows {
		t.Run(name, func(t *testing.T) {
			p := playground{t, p.srv}
			restore := p.restore
			if len(tt.data) > 1<<20 {
				restore = p.restoreLarge
			}
			status, answer := restore(tt.data)
			if message, _ := answer["message"].(string); status != 400 || answer["__type"] != "ValidationException" || !strings.HasPrefix(message, tt.want) {
				t.Errorf("got %d %v, want %s", status, answer, tt.want)
			}
			if diff := cmp.Diff(before, p.keys()); diff != "" || !p.decrypts(ciphertext) {
				t.Errorf("the state has changed: %s", diff)
			}
		})
	}
	if len(rows) < 16 {
		t.Errorf("only %d rows", len(rows))
	}
}

// restoreLarge is restore for what does not fit in two requests.
func (p playground) restoreLarge(data []byte) (int, map[string]any) {
	p.Helper()
	id := admin.SnapshotID(data)
	const size = 512 << 10
	for at := 0; at < len(data); at += size {
		part := base64.StdEncoding.EncodeToString(data[at:min(len(data), at+size)])
		p.mustAdminister("WriteSnapshot", fmt.Sprintf(`{"SnapshotId":"%s","Offset":%d,"Part":"%s"}`, id, at, part))
	}
	return p.administer("RestoreSnapshot", `{"SnapshotId":"`+id+`"}`)
}

// domainOf returns the sealed domain keys of a store's deployment.
func domainOf(t *testing.T, st store.Store) string {
	t.Helper()
	r, err := st.Get(t.Context(), "trent/deployment")
	var d struct{ Domain string }
	if err = errors.Join(err, json.Unmarshal(r.Value, &d)); err != nil {
		t.Fatal(err)
	}
	return d.Domain
}

// The parts of a snapshot come and go in order, and the server keeps one snapshot.
func TestPartsOfSnapshots(t *testing.T) {
	p := playground{t, newSite(t).must(dev)}
	made := p.mustAdminister("CreateSnapshot", "{}")
	id, size := made["SnapshotId"].(string), int(made["Size"].(float64))
	other := strings.Repeat("0", 64)
	for _, tt := range []struct{ operation, body, want string }{
		{"ReadSnapshot", fmt.Sprintf(`{"SnapshotId":"%s","Offset":%d}`, id, size), fmt.Sprintf("The snapshot is %d bytes long.", size)},
		{"ReadSnapshot", `{"SnapshotId":"` + other + `","Offset":0}`, "The server does not have snapshot " + other + ": it keeps the last one only."},
		{"RestoreSnapshot", `{"SnapshotId":"` + other + `"}`, "The server does not have snapshot " + other + ": it keeps the last one only."},
		{"WriteSnapshot", `{"SnapshotId":"` + other + `","Offset":1,"Part":"AAAA"}`, "The server does not have the first 1 bytes of snapshot " + other + ": begin again at 0."},
		{"WriteSnapshot", `{"SnapshotId":"` + other + `","Offset":0,"Part":"AAAA"}`, ""},
		{"WriteSnapshot", `{"SnapshotId":"` + other + `","Offset":4,"Part":"AAAA"}`, "The server does not have the first 4 bytes of snapshot " + other + ": begin again at 0."},
		{"RestoreSnapshot", `{"SnapshotId":"` + other + `"}`, "Snapshot " + other + " is not complete: the server has 3 bytes of it."},
		{"ReadSnapshot", `{"SnapshotId":"` + id + `","Offset":0}`, "The server does not have snapshot " + id + ": it keeps the last one only."},
		{"ReadSnapshot", `{"SnapshotId":"x","Offset":0}`, "1 validation error detected: Value 'x' at 'snapshotId' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[0-9a-f]{64}$"},
	} {
		_, answer := p.administer(tt.operation, tt.body)
		if message, _ := answer["message"].(string); message != tt.want {
			t.Errorf("%s %s: got %v, want %q", tt.operation, tt.body, answer, tt.want)
		}
	}
}

func TestProductionHasNoneOfThis(t *testing.T) {
	s := newSite(t)
	srv := s.must(nil)
	admin := devKey(s.keys[0].ID)
	admin.Secret = s.keys[0].Secret
	id := strings.Repeat("0", 64)
	for operation, body := range map[string]string{
		"ResetServer": "{}", "CreateSnapshot": "{}", "ReadSnapshot": `{"SnapshotId":"` + id + `","Offset":0}`,
		"WriteSnapshot": `{"SnapshotId":"` + id + `","Offset":0,"Part":"AAAA"}`, "RestoreSnapshot": `{"SnapshotId":"` + id + `"}`,
	} {
		status, answer := post(t, srv, admin, "us-east-1", "trent", "TrentAdmin."+operation, body)
		if status != 400 || answer["__type"] != "UnsupportedOperationException" || answer["message"] != "Only a development server can be reset, and makes and takes snapshots." {
			t.Errorf("%s: %d %v", operation, status, answer)
		}
	}
	for _, tag := range []string{"_custom_id_", "_custom_key_material_"} {
		status, answer := post(t, srv, admin, "us-east-1", "kms", "TrentService.CreateKey", `{"Tags":[{"TagKey":"`+tag+`","TagValue":"`+seedID+`"}]}`)
		if status != 400 || answer["__type"] != "TagException" || answer["message"] != "The tags _custom_id_ and _custom_key_material_ are for development servers only." {
			t.Errorf("%s: %d %v", tag, status, answer)
		}
	}
}

// Requests of all kinds while the state is replaced again and again: each sees one state or the other, so that a key
// that it finds works, and nothing that an old state has sealed gets into a new one.
func TestRequestsUnderWaySeeOneState(t *testing.T) {
	p := playground{t, newSite(t).must(withSeed)}
	snapshot := p.snapshot()
	id := p.write(snapshot)
	var done atomic.Bool
	var served atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for !done.Load() {
				key := p.createKey()
				status, answer := post(t, p.srv, devKey("test"), "us-east-1", "kms", "TrentService.Encrypt", `{"KeyId":"`+key+`","Plaintext":"aGVsbG8="}`)
				if status != http.StatusOK && answer["__type"] != "NotFoundException" {
					t.Errorf("Encrypt: %d %v", status, answer)
				}
				p.encrypt("alias/seed") // it is in every state
				for _, key := range p.keys() {
					status, answer := post(t, p.srv, devKey("test"), "us-east-1", "kms", "TrentService.Encrypt", `{"KeyId":"`+key+`","Plaintext":"aGVsbG8="}`)
					if status != http.StatusOK && answer["__type"] != "NotFoundException" {
						t.Errorf("Encrypt: %d %v", status, answer)
					}
				}
				served.Add(1)
			}
		})
	}
	for n := range 20 {
		if n%2 == 0 {
			p.mustAdminister("ResetServer", "{}")
		} else {
			p.mustAdminister("RestoreSnapshot", `{"SnapshotId":"`+id+`"}`)
		}
	}
	// Two at the same moment wait for each other, and not for ever.
	for range 4 {
		all.Go(func() { p.mustAdminister("ResetServer", "{}") })
	}
	for served.Load() < 20 && !t.Failed() {
		p.keys()
	}
	done.Store(true)
	all.Wait()
}

// failing is a store whose commits fail after a number of them.
type failing struct {
	store.Store
	left *atomic.Int64
}

var errDisk = errors.New("the disk is full")

func (f failing) Commit(ctx context.Context, t store.Txn) (int64, error) {
	if f.left.Add(-1) < 0 {
		return 0, errDisk
	}
	return f.Store.Commit(ctx, t)
}

// However far a restore comes before the store fails or the process ends, the next start finds the old state, the new
// one, or none: never a part of either.
func TestARestoreThatIsInterrupted(t *testing.T) {
	from := playground{t, newSite(t).must(dev)}
	for range 150 { // more than a transaction holds
		from.createKey()
	}
	snapshot := from.snapshot()
	found := map[int]int{}
	for commits := int64(0); ; commits++ {
		s := newSite(t)
		left := new(atomic.Int64)
		left.Store(1 << 30)
		p := playground{t, s.must(func(c *server.Config) {
			dev(c)
			c.Store = failing{c.Store, left}
		})}
		old := p.encrypt(p.createKey())
		id := p.write(snapshot)
		left.Store(commits)
		status, _ := p.administer("RestoreSnapshot", `{"SnapshotId":"`+id+`"}`)
		if status != http.StatusOK {
			if status, answer := p.administer("GetStatus", "{}"); status != http.StatusServiceUnavailable || !strings.Contains(answer["text"].(string), "start the server again") {
				t.Errorf("after %d commits: %d %v", commits, status, answer)
			}
			if status, answer := do(t, p.srv, httptest.NewRequest(http.MethodGet, "/readyz", nil)); status != http.StatusServiceUnavailable {
				t.Errorf("after %d commits it says that it is ready: %d %v", commits, status, answer)
			}
		}
		left.Store(1 << 30)
		next := playground{t, s.must(dev)}
		n := len(next.call("ListKeys", `{"Limit":1000}`)["Keys"].([]any))
		found[n]++
		if n == 1 && !next.decrypts(old) {
			t.Errorf("after %d commits the old state is there and its key does not work", commits)
		}
		next.encrypt(next.createKey())
		if status == http.StatusOK {
			break
		}
	}
	if len(found) != 3 || found[0] == 0 || found[1] == 0 || found[150] == 0 {
		t.Errorf("keys found, and how often: %v", found)
	}
}
