package kms_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	trentapi "github.com/trent-kms/trent/internal/api/trent"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/hsm/root"
	"github.com/trent-kms/trent/internal/server"
	"github.com/trent-kms/trent/internal/store/memory"
	"github.com/trent-kms/trent/internal/uuid"
)

// Two accounts and two Regions are enough for every rule.
const (
	alice  = "111122223333"
	bob    = "444455556666"
	region = "us-east-1"
	abroad = "eu-west-1"
)

// world is a development server in process, from the signature to the store. Every answer is held against the API
// model, and at the end of the test the store's records and the audit log against their own rules.
type world struct {
	t        testing.TB
	handler  http.Handler
	store    *memory.Store
	faults   *faultyStore
	auditDir string

	mu       sync.Mutex
	answered map[string]answered // by request id
	secrets  map[string]string   // bytes that no audit record may show → where they were seen
	faulty   bool                // status 500 is expected
}

// answered is what the audit log must say of a request too.
type answered struct{ operation, code string }

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldWith(t, func(*server.Config) {})
}

// newWorldWith is newWorld with other settings.
func newWorldWith(t testing.TB, change func(*server.Config)) *world {
	t.Helper()
	w := &world{
		t: t, store: memory.New(), auditDir: t.TempDir(), answered: map[string]answered{}, secrets: map[string]string{},
	}
	w.faults = &faultyStore{Store: w.store}
	c := server.Config{
		Store: w.faults, Engine: "memory", Root: root.New(), Audit: audit.Config{Dir: w.auditDir, Sync: audit.SyncOS},
		Dev: true, Version: "test", Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	change(&c)
	s, err := server.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	w.handler = s.Handler()
	t.Cleanup(func() {
		w.checkRecords()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		w.checkAudit()
	})
	return w
}

// user is the root of an account, or who has signed in (harness_iam_test.go), speaking to one Region.
type user struct {
	*world
	account, region string
	login           *login // nil: the root user
}

func (w *world) as(account string) user { return user{w, account, region, nil} }
func (u user) in(region string) user    { return user{u.world, u.account, region, u.login} }
func (u user) arn(resource string) string {
	return "arn:aws:kms:" + u.region + ":" + u.account + ":" + resource
}
func (u user) keyARN(id string) string    { return u.arn("key/" + id) }
func (u user) principal() string          { return u.login.arnOr("arn:aws:iam::" + u.account + ":root") }
func (u user) nobody() (id, arnOf string) { id = uuid.New(); return id, u.keyARN(id) }
func (u user) keyPath(id string) string   { return "kms/key/" + u.account + "/" + u.region + "/" + id }
func (u user) aliasPath(name string) string {
	return "kms/alias/" + u.account + "/" + u.region + "/" + name
}

// request is a request of the API: it can be sent.
type request interface {
	api.Input
	AppendJSON([]byte) []byte
}

// answer is what came back.
type answer struct {
	operation     string
	status        int
	requestID     string
	body          []byte
	code, message string // of an error
}

func (a answer) ok() bool { return a.status == http.StatusOK }

// operationOf names the operation of a request by its type.
func operationOf(in request) string {
	return strings.TrimSuffix(reflect.TypeOf(in).Elem().Name(), "Request")
}

// send signs and sends a request and holds the answer against the API model.
func (u user) send(in request) answer {
	u.t.Helper()
	u.keepSecrets(operationOf(in)+" request", in)
	return u.post(operationOf(in), in.AppendJSON(nil))
}

// post is send for a body that no request type makes.
func (u user) post(operation string, body []byte) answer {
	u.t.Helper()
	a := u.roundTrip("kms", "TrentService", operation, body)
	u.hold(a)
	return a
}

func (u user) roundTrip(service, prefix, operation string, body []byte) answer {
	u.t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", prefix+"."+operation)
	u.signRequest(r, body, service)
	w := httptest.NewRecorder()
	u.handler.ServeHTTP(w, r)
	a := answer{operation: operation, status: w.Code, requestID: w.Header().Get("X-Amzn-Requestid"), body: w.Body.Bytes()}
	if got := w.Header().Get("Content-Type"); got != "application/x-amz-json-1.1" || !uuid.Valid(a.requestID) {
		u.t.Errorf("%s: content type %q, request id %q", operation, got, a.requestID)
	}
	if !a.ok() {
		var e struct {
			Type    string `json:"__type"`
			Message string `json:"message"`
		}
		if err := json.Unmarshal(a.body, &e); err != nil || e.Type == "" {
			u.t.Errorf("%s: the error body is %s", operation, a.body)
		}
		a.code, a.message = e.Type, e.Message
	}
	return a
}

// hold tests what every answer of the service must keep: rules C1b, C1c and C4 of the operations, and the modeled
// errors of each.
func (u user) hold(a answer) {
	u.t.Helper()
	u.mu.Lock()
	u.answered[a.requestID] = answered{a.operation, a.code}
	faulty := u.faulty
	u.mu.Unlock()
	info, known := findOperation(a.operation)
	switch {
	case !known:
	case a.ok():
		u.holdOutput(a, info.NewOutput())
	case a.status == http.StatusInternalServerError && !faulty:
		u.t.Errorf("%s failed: %s: %s", a.operation, a.code, a.message)
	case !mayAnswer(u.t, a):
		u.t.Errorf("%s answered %d %s (%s), which its model does not have", a.operation, a.status, a.code, a.message)
	}
}

func (u user) holdOutput(a answer, out api.Output) {
	u.t.Helper()
	if _, none := out.(*api.Empty); none {
		if len(a.body) != 0 {
			u.t.Errorf("%s has no output, but the body is %s", a.operation, a.body)
		}
		return
	}
	if err := api.Decode(a.body, out.(api.Shape)); err != nil {
		u.t.Errorf("%s: %v: %s", a.operation, err, a.body)
	}
	if bytes.Contains(a.body, []byte(":null")) {
		u.t.Errorf("%s sends a null: %s", a.operation, a.body)
	}
	u.keepSecrets(a.operation+" answer", out)
}

func findOperation(name string) (api.OperationInfo, bool) {
	all := kmsapi.Operations()
	i := slices.IndexFunc(all, func(o api.OperationInfo) bool { return o.Name == name })
	if i < 0 {
		return api.OperationInfo{}, false
	}
	return all[i], true
}

// common are the errors that every operation may answer without its model saying so (errors.go of package api), as far
// as a correctly signed request can meet them.
var common = []string{"AccessDeniedException", "ValidationException", "SerializationException", "ThrottlingException"}

// modeled returns the errors of each operation, from the file that the API is generated from.
var modeled = sync.OnceValues(func() (map[string][]string, error) {
	text, err := os.ReadFile("../api/model/kms.json")
	if err != nil {
		return nil, err
	}
	var model struct {
		Operations []struct {
			Name   string
			Errors []string
		}
	}
	err = json.Unmarshal(text, &model)
	byName := map[string][]string{}
	for _, o := range model.Operations {
		byName[o.Name] = o.Errors
	}
	return byName, err
})

// mayAnswer says whether an operation may answer such an error, with such a status.
func mayAnswer(t testing.TB, a answer) bool {
	t.Helper()
	errors, err := modeled()
	if err != nil {
		t.Fatal(err)
	}
	want := http.StatusBadRequest
	if slices.Contains([]string{"KMSInternalException", "DependencyTimeoutException", "KeyUnavailableException"}, a.code) {
		want = http.StatusInternalServerError
	}
	switch {
	case a.status != want:
		return false
	case slices.Contains(errors[a.operation], a.code), slices.Contains(common, a.code):
		return true
	case a.code == "UnsupportedOperationException":
		return strings.Contains(a.message, "not built in this version")
	case a.code == "NotAuthorizedException": // alias/aws/…
		return strings.HasSuffix(a.operation, "Alias")
	}
	// DescribeKey takes grant tokens, but its model has no error for a bad one.
	return a.operation == "DescribeKey" && a.code == "InvalidGrantTokenException"
}

// do sends a request that must succeed, and returns the answer.
func do[Out any, P interface {
	*Out
	api.Shape
}](u user, in request) *Out {
	u.t.Helper()
	a := u.must(in)
	out := new(Out)
	if err := api.Decode(a.body, P(out)); err != nil {
		u.t.Fatalf("%s: %v", a.operation, err)
	}
	return out
}

// must sends a request that must succeed.
func (u user) must(in request) answer {
	u.t.Helper()
	a := u.send(in)
	if !a.ok() {
		u.t.Fatalf("%s: %s: %s", a.operation, a.code, a.message)
	}
	return a
}

// refused sends a request that must be answered with an error: its code, and its whole text.
func (u user) refused(in request, code, message string) answer {
	u.t.Helper()
	a := u.send(in)
	if a.code != code || a.message != message {
		u.t.Errorf("%s: got %d %q %q, want %q %q", a.operation, a.status, a.code, a.message, code, message)
	}
	return a
}

// refusedAs is refused for errors whose text is ours to choose.
func (u user) refusedAs(in request, code string) answer {
	u.t.Helper()
	a := u.send(in)
	if a.code != code {
		u.t.Errorf("%s: got %d %q %q, want %q", a.operation, a.status, a.code, a.message, code)
	}
	return a
}

// setFaulty says whether status 500 is expected from here on.
func (w *world) setFaulty(faulty bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faulty = faulty
}

// advance moves the domain clock forward: "30d", "12h".
func (u user) advance(duration string) time.Time {
	u.t.Helper()
	in := &trentapi.AdvanceClockRequest{Duration: &duration}
	a := u.roundTrip("trent", trentapi.TargetPrefix, "AdvanceClock", in.AppendJSON(nil))
	out := new(trentapi.AdvanceClockResponse)
	if err := api.Decode(a.body, out); err != nil || !a.ok() {
		u.t.Fatalf("AdvanceClock: %v %s", err, a.body)
	}
	return *out.Now
}

// now is the domain time.
func (u user) now() time.Time {
	u.t.Helper()
	a := u.roundTrip("trent", trentapi.TargetPrefix, "GetStatus", []byte("{}"))
	out := new(trentapi.GetStatusResponse)
	if err := api.Decode(a.body, out); err != nil || !a.ok() {
		u.t.Fatalf("GetStatus: %v %s", err, a.body)
	}
	return *out.Now
}

// What nearly every test begins with.

func (u user) createKey() string {
	u.t.Helper()
	return *do[kmsapi.CreateKeyResponse](u, &kmsapi.CreateKeyRequest{}).KeyMetadata.KeyId
}

func (u user) createAlias(name, key string) {
	u.t.Helper()
	u.must(&kmsapi.CreateAliasRequest{AliasName: &name, TargetKeyId: &key})
}

func (u user) describe(key string) *kmsapi.KeyMetadata {
	u.t.Helper()
	return do[kmsapi.DescribeKeyResponse](u, &kmsapi.DescribeKeyRequest{KeyId: &key}).KeyMetadata
}

func (u user) disable(key string) {
	u.t.Helper()
	u.must(&kmsapi.DisableKeyRequest{KeyId: &key})
}

// schedule schedules the deletion of a key in 7 days.
func (u user) schedule(key string) *kmsapi.ScheduleKeyDeletionResponse {
	u.t.Helper()
	return do[kmsapi.ScheduleKeyDeletionResponse](u, &kmsapi.ScheduleKeyDeletionRequest{KeyId: &key, PendingWindowInDays: new(int32(7))})
}

func (u user) encrypt(key, plaintext string, context map[string]string) []byte {
	u.t.Helper()
	return do[kmsapi.EncryptResponse](u, &kmsapi.EncryptRequest{KeyId: &key, Plaintext: []byte(plaintext), EncryptionContext: context}).CiphertextBlob
}

func (u user) decrypt(ciphertext []byte, context map[string]string) string {
	u.t.Helper()
	return string(do[kmsapi.DecryptResponse](u, &kmsapi.DecryptRequest{CiphertextBlob: ciphertext, EncryptionContext: context}).Plaintext)
}

// keyState is what the API shows of a key's state; "" when it does not exist.
func (u user) keyState(key string) string {
	u.t.Helper()
	a := u.send(&kmsapi.DescribeKeyRequest{KeyId: &key})
	if a.code == "NotFoundException" {
		return ""
	}
	out := new(kmsapi.DescribeKeyResponse)
	if err := api.Decode(a.body, out); err != nil || !a.ok() {
		u.t.Fatalf("DescribeKey: %s %s %v", a.code, a.message, err)
	}
	return string(*out.KeyMetadata.KeyState)
}
