package kms_test

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/hsm/root"
	"github.com/trent-kms/trent/internal/kms"
	"github.com/trent-kms/trent/internal/server"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/store/memory"
)

func (u user) createKeyOf(spec kmsapi.KeySpec, usage kmsapi.KeyUsageType) string {
	u.t.Helper()
	return *do[kmsapi.CreateKeyResponse](u, &kmsapi.CreateKeyRequest{KeySpec: &spec, KeyUsage: &usage}).KeyMetadata.KeyId
}

// trackedUse is a request that counts as use of a key.
type trackedUse struct {
	key string
	in  request
}

// trackedUses has a request for each operation that is tracked (KMS API Reference, KeyLastUsageData).
func trackedUses(u user) []trackedUse {
	u.t.Helper()
	sym, pair, mac := u.createKey(), u.createKeyOf("ECC_NIST_P256", "SIGN_VERIFY"), u.createKeyOf("HMAC_256", "GENERATE_VERIFY_MAC")
	agreement, kem := u.createKeyOf("ECC_NIST_P256", "KEY_AGREEMENT"), u.createKeyOf("ML_KEM_768", "ENCAPSULATE_DECAPSULATE")
	message, ecdsa, hmac, mlkem := []byte("m"), kmsapi.SigningAlgorithmSpecEcdsaSha256, kmsapi.MacAlgorithmSpecHmacSha256, kmsapi.EncapsulationAlgorithmSpecMlKem
	ciphertext := u.encrypt(sym, "x", nil)
	signature := do[kmsapi.SignResponse](u, &kmsapi.SignRequest{KeyId: &pair, Message: message, SigningAlgorithm: &ecdsa}).Signature
	tag := do[kmsapi.GenerateMacResponse](u, &kmsapi.GenerateMacRequest{KeyId: &mac, Message: message, MacAlgorithm: &hmac}).Mac
	shared := do[kmsapi.EncapsulateResponse](u, &kmsapi.EncapsulateRequest{KeyId: &kem, EncapsulationAlgorithm: &mlkem}).SharedSecretCiphertextBlob
	return []trackedUse{
		{sym, &kmsapi.EncryptRequest{KeyId: new(u.keyARN(sym)), Plaintext: message}},
		{sym, &kmsapi.DecryptRequest{CiphertextBlob: ciphertext}},
		{sym, &kmsapi.ReEncryptRequest{CiphertextBlob: ciphertext, DestinationKeyId: &sym}},
		{sym, &kmsapi.GenerateDataKeyRequest{KeyId: &sym, KeySpec: new(kmsapi.DataKeySpecAes256)}},
		{sym, &kmsapi.GenerateDataKeyWithoutPlaintextRequest{KeyId: &sym, KeySpec: new(kmsapi.DataKeySpecAes256)}},
		{sym, &kmsapi.GenerateDataKeyPairRequest{KeyId: &sym, KeyPairSpec: new(kmsapi.DataKeyPairSpecEccNistP256)}},
		{sym, &kmsapi.GenerateDataKeyPairWithoutPlaintextRequest{KeyId: &sym, KeyPairSpec: new(kmsapi.DataKeyPairSpecEccNistP256)}},
		{pair, &kmsapi.SignRequest{KeyId: &pair, Message: message, SigningAlgorithm: &ecdsa}},
		{pair, &kmsapi.VerifyRequest{KeyId: &pair, Message: message, SigningAlgorithm: &ecdsa, Signature: signature}},
		{mac, &kmsapi.GenerateMacRequest{KeyId: &mac, Message: message, MacAlgorithm: &hmac}},
		{mac, &kmsapi.VerifyMacRequest{KeyId: &mac, Message: message, MacAlgorithm: &hmac, Mac: tag}},
		{agreement, &kmsapi.DeriveSharedSecretRequest{KeyId: &agreement, KeyAgreementAlgorithm: new(kmsapi.KeyAgreementAlgorithmSpecEcdh), PublicKey: publicKeyOfAPeer(u.t)}},
		{kem, &kmsapi.EncapsulateRequest{KeyId: &kem, EncapsulationAlgorithm: &mlkem}},
		{kem, &kmsapi.DecapsulateRequest{KeyId: &kem, EncapsulationAlgorithm: &mlkem, SharedSecretCiphertextBlob: shared}},
	}
}

// publicKeyOfAPeer is somebody's public key.
func publicKeyOfAPeer(t testing.TB) []byte {
	t.Helper()
	k, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(k.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// Each of the operations is told of exactly: which, when, and by which request and audit record. Before and after the
// store has it the answer is the same.
func TestLastUsageOfEachOperation(t *testing.T) {
	n := newNodes(t, 1)[0]
	u := n.as(alice)
	tracked := map[string]bool{}
	for _, row := range trackedUses(u) {
		n.clock.Advance(time.Hour)
		a := u.must(row.in)
		tracked[a.operation] = true
		for range 2 {
			got, e := u.lastUsage(row.key).KeyLastUsage, n.written[a.requestID]
			if string(*got.Operation) != a.operation || !got.Operation.Valid() {
				t.Errorf("%s: operation %s", a.operation, *got.Operation)
			}
			if !got.Timestamp.Equal(e.Time.Truncate(time.Millisecond)) {
				t.Errorf("%s: at %s, want %s", a.operation, got.Timestamp, e.Time)
			}
			if *got.KmsRequestId != a.requestID || e.ID == "" || *got.CloudTrailEventId != e.ID {
				t.Errorf("%s: request %s and event %s, want %s and %s", a.operation, *got.KmsRequestId, *got.CloudTrailEventId, a.requestID, e.ID)
			}
			n.flush()
		}
	}
	if len(tracked) != 14 {
		t.Errorf("%d operations, want 14: %v", len(tracked), slices.Sorted(maps.Keys(tracked)))
	}
}

// The id of the event is the one in the audit log, not only the one that was meant for it.
func TestLastUsageNamesTheAuditRecord(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	id := u.createKey()
	u.use(id)
	last := u.lastUsage(id).KeyLastUsage
	found := 0
	err := audit.Read(w.auditDir, func(line []byte) error {
		var e struct{ EventID, RequestID, EventName string }
		err := json.Unmarshal(line, &e)
		if err == nil && e.EventID == *last.CloudTrailEventId && e.RequestID == *last.KmsRequestId && e.EventName == string(*last.Operation) {
			found++
		}
		return err
	})
	if err != nil || found != 1 {
		t.Errorf("%d records with the id of the last usage, error %v", found, err)
	}
}

func TestLastUsageOfAKeyThatWasNotUsed(t *testing.T) {
	u := newNodes(t, 1)[0].as(alice)
	id := u.createKey()
	created := *u.describe(id).CreationDate
	for _, key := range []string{id, u.keyARN(id)} {
		a := u.must(&kmsapi.GetKeyLastUsageRequest{KeyId: &key})
		if !strings.Contains(string(a.body), `"KeyLastUsage":{}`) {
			t.Errorf("got %s", a.body)
		}
		out := u.lastUsage(key)
		if *out.KeyId != id || !out.KeyCreationDate.Equal(created) || !out.TrackingStartDate.Equal(created) {
			t.Errorf("got %s, want key %s, created and tracked since %s", a.body, id, created)
		}
	}
	nobody, _ := u.nobody()
	u.refusedAs(&kmsapi.GetKeyLastUsageRequest{KeyId: &nobody}, "NotFoundException")
	u.createAlias("alias/app", id)
	u.refusedAs(&kmsapi.GetKeyLastUsageRequest{KeyId: new("alias/app")}, "NotFoundException")
}

// What fails is no use, nor what would only have succeeded, nor what needs no key material.
func TestWhatIsNoUse(t *testing.T) {
	n := newNodes(t, 1)[0]
	u := n.as(alice)
	id, disabled := u.createKey(), u.createKey()
	pair, mac := u.createKeyOf("ECC_NIST_P256", "SIGN_VERIFY"), u.createKeyOf("HMAC_256", "GENERATE_VERIFY_MAC")
	u.disable(disabled)
	ciphertext := u.encrypt(id, "x", nil)
	before := u.lastRequest(id)
	for _, row := range []struct {
		in   request
		code string
	}{
		{&kmsapi.DecryptRequest{CiphertextBlob: ciphertext, EncryptionContext: map[string]string{"a": "b"}}, "InvalidCiphertextException"},
		{&kmsapi.DecryptRequest{CiphertextBlob: ciphertext[:len(ciphertext)-1]}, "InvalidCiphertextException"},
		{&kmsapi.DecryptRequest{CiphertextBlob: ciphertext, DryRun: new(true)}, "DryRunOperationException"},
		{&kmsapi.EncryptRequest{KeyId: &id, Plaintext: []byte("x"), DryRun: new(true)}, "DryRunOperationException"},
		{&kmsapi.ReEncryptRequest{CiphertextBlob: ciphertext, DestinationKeyId: &disabled}, "DisabledException"},
		{&kmsapi.ReEncryptRequest{CiphertextBlob: ciphertext, DestinationKeyId: &id, DryRun: new(true)}, "DryRunOperationException"},
		{&kmsapi.GenerateDataKeyRequest{KeyId: &disabled, KeySpec: new(kmsapi.DataKeySpecAes256)}, "DisabledException"},
		{&kmsapi.VerifyRequest{KeyId: &pair, Message: []byte("x"), Signature: []byte("x"), SigningAlgorithm: new(kmsapi.SigningAlgorithmSpecEcdsaSha256)}, "KMSInvalidSignatureException"},
		{&kmsapi.VerifyMacRequest{KeyId: &mac, Message: []byte("x"), Mac: make([]byte, 32), MacAlgorithm: new(kmsapi.MacAlgorithmSpecHmacSha256)}, "KMSInvalidMacException"},
		{&kmsapi.GetPublicKeyRequest{KeyId: &pair}, ""},
		{&kmsapi.DescribeKeyRequest{KeyId: &id}, ""},
		{&kmsapi.GetKeyLastUsageRequest{KeyId: &id}, ""},
	} {
		u.refusedAs(row.in, row.code)
	}
	if got := u.lastRequest(id); got != before {
		t.Errorf("the last use is now %s, want %s", got, before)
	}
	for _, key := range []string{disabled, pair, mac} {
		if got := u.lastRequest(key); got != "" {
			t.Errorf("key %s was used by %s", key, got)
		}
	}
}

func TestReEncryptUsesBothKeys(t *testing.T) {
	n := newNodes(t, 1)[0]
	u := n.as(alice)
	from, to := u.createKey(), u.createKey()
	ciphertext := u.encrypt(from, "x", nil)
	a := u.must(&kmsapi.ReEncryptRequest{CiphertextBlob: ciphertext, DestinationKeyId: &to})
	f, d := u.lastUsage(from).KeyLastUsage, u.lastUsage(to).KeyLastUsage
	if *f.KmsRequestId != a.requestID || *d.KmsRequestId != a.requestID || *f.CloudTrailEventId != *d.CloudTrailEventId {
		t.Errorf("got %+v and %+v, want both by %s", f, d, a.requestID)
	}
}

func TestRelativesAreUsedSeparately(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createPrimary()
	u.replicate(id, abroad)
	v := u.in(abroad)
	here := u.use(id)
	if got := v.lastRequest(id); got != "" {
		t.Errorf("the replica was used by %s, which used the primary key", got)
	}
	there := v.use(id)
	if a, b := u.lastRequest(id), v.lastRequest(id); a != here || b != there {
		t.Errorf("got %s and %s, want %s and %s", a, b, here, there)
	}
}

// In every state the past can be asked for.
func TestLastUsageInEveryState(t *testing.T) {
	u := newNodes(t, 1)[0].as(alice)
	id := u.createKey()
	used := u.use(id)
	for _, change := range []request{&kmsapi.DisableKeyRequest{KeyId: &id}, &kmsapi.ScheduleKeyDeletionRequest{KeyId: &id}, &kmsapi.CancelKeyDeletionRequest{KeyId: &id}} {
		u.must(change)
		if got := u.lastRequest(id); got != used {
			t.Errorf("after %s: got %q, want %s", operationOf(change), got, used)
		}
	}
}

// A server that ends leaves nothing behind that it has not written.
func TestLastUsageAfterARestart(t *testing.T) {
	shared, r := memory.New(), root.New()
	start := func() (user, *server.Server) {
		s, err := server.New(t.Context(), server.Config{
			Store: notClosed{shared}, Engine: "memory", Root: r, Audit: audit.Config{Dir: t.TempDir(), Sync: audit.SyncOS},
			Dev: true, Version: "test", Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		w := &world{t: t, handler: s.Handler(), store: shared, answered: map[string]answered{}, secrets: map[string]string{}}
		return w.as(alice), s
	}
	u, s := start()
	id := u.createKey()
	u.use(id)
	before := u.must(&kmsapi.GetKeyLastUsageRequest{KeyId: &id})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	u, s = start()
	defer s.Close()
	if after := u.must(&kmsapi.GetKeyLastUsageRequest{KeyId: &id}); string(after.body) != string(before.body) {
		t.Errorf("got %s, want %s", after.body, before.body)
	}
}

// A request costs no write; a flush writes many keys at once, and only those that were used.
func TestCommitsOfLastUsage(t *testing.T) {
	n := newNodes(t, 1)[0]
	u := n.as(alice)
	var keys []string
	for range 2*kms.UsageBatch + 1 {
		keys = append(keys, u.createKey())
	}
	ciphertext := u.encrypt(keys[0], "x", nil)
	commits := func(f func()) int64 {
		before := n.gate.commits.Load()
		f()
		return n.gate.commits.Load() - before
	}
	for _, row := range []struct {
		what string
		f    func()
		want int64
	}{
		{"1,000 Decrypts", func() {
			for range 1000 {
				u.decrypt(ciphertext, nil)
			}
		}, 0},
		{"their flush", n.flush, 1},
		{"a flush of nothing", n.flush, 0},
		{"use of 81 keys", func() {
			for _, id := range keys {
				u.use(id)
			}
		}, 0},
		{"asking", func() { u.lastUsage(keys[0]) }, 0},
		{"their flush", n.flush, 3},
	} {
		if got := commits(row.f); got != row.want {
			t.Errorf("%s: %d commits, want %d", row.what, got, row.want)
		}
	}
	if len(n.stored()) != len(keys) {
		t.Errorf("%d records, want %d", len(n.stored()), len(keys))
	}
}

// Of what several nodes know, the latest counts, in whatever order they write it.
func TestTheLaterUseWins(t *testing.T) {
	for _, order := range [][2]int{{0, 1}, {1, 0}} {
		nodes := newNodes(t, 2)
		nodes[1].clock.Advance(time.Hour)
		a, b := nodes[0].as(alice), nodes[1].as(alice)
		id := a.createKey()
		earlier, later := a.use(id), b.use(id)
		if x, y := a.lastRequest(id), b.lastRequest(id); x != earlier || y != later {
			t.Errorf("each node knows its own first: got %s and %s, want %s and %s", x, y, earlier, later)
		}
		nodes[order[0]].flush()
		if x := a.lastRequest(id); order[0] == 1 && x != later {
			t.Errorf("got %s, want %s: the store knows of a later use than the node", x, later)
		}
		nodes[order[1]].flush()
		if x, y := a.lastRequest(id), b.lastRequest(id); x != later || y != later {
			t.Errorf("flushed in order %v: got %s and %s, want %s", order, x, y, later)
		}
		if got := nodes[0].stored()[a.usagePath(id)].RequestID; got != later {
			t.Errorf("stored: %s, want %s", got, later)
		}
	}
}

// Two nodes that flush the same keys at the same time both find out.
func TestLastUsageWrittenByTwoNodesAtOnce(t *testing.T) {
	nodes := newNodes(t, 2)
	a, b := nodes[0].as(alice), nodes[1].as(alice)
	nodes[1].clock.Advance(time.Hour)
	want := map[string]string{}
	for range 10 {
		id := a.createKey()
		a.use(id)
		want[id] = b.use(id)
	}
	met := false
	nodes[0].gate.before = func(store.Txn) error {
		if !met {
			met = true
			nodes[1].flush()
		}
		return nil
	}
	nodes[0].flush()
	for id, request := range want {
		if got := nodes[0].stored()[a.usagePath(id)].RequestID; got != request {
			t.Errorf("stored: %s, want %s", got, request)
		}
	}
	if n := nodes[0].service.UsageNotes() + nodes[1].service.UsageNotes(); n != 0 || !met {
		t.Errorf("%d notes are left", n)
	}
}
