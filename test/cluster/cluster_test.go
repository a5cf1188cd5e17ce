// Package cluster runs two built servers on one real etcd cluster of three members.
package cluster

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trent-kms/trent/internal/material"
	"github.com/trent-kms/trent/internal/store/etcd/etcdtest"
	"github.com/trent-kms/trent/internal/wire/sigv4"
	"github.com/trent-kms/trent/test/internal/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// node is a server and the administrator's credentials.
type node struct {
	t          *testing.T
	server     *harness.Server
	credential sigv4.Credential
}

// call returns the answer's members; those of an error too.
func (n *node) call(operation string, in map[string]any) map[string]any {
	n.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		n.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(n.t.Context(), http.MethodPost, "http://"+n.server.Address(), bytes.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "TrentService."+operation)
	if err := sigv4.Sign(r, body, n.credential, "us-east-1", "kms", time.Now()); err != nil {
		n.t.Fatal(err)
	}
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		n.t.Fatal(err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	out := map[string]any{}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &out); err != nil {
			n.t.Fatalf("%v in %s", err, text)
		}
	}
	return out
}

// must fails the test unless the call succeeds.
func (n *node) must(operation string, in map[string]any) map[string]any {
	n.t.Helper()
	out := n.call(operation, in)
	if out["__type"] != nil {
		n.t.Fatalf("%s: %v", operation, out)
	}
	return out
}

// until repeats a call until its answer has the given error type ("" for none), for as long as a cluster may take.
func (n *node) until(errorType, operation string, in map[string]any) map[string]any {
	n.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		out := n.call(operation, in)
		if got, _ := out["__type"].(string); got == errorType {
			return out
		} else if time.Now().After(deadline) {
			n.t.Fatalf("%s: still %v, want %q", operation, out, errorType)
		}
	}
}

func TestTwoServersShareACluster(t *testing.T) {
	cluster := etcdtest.Start(t)
	url := "etcd://" + strings.Join(cluster.Endpoints(), ",") + "/trent"
	rootKey := filepath.Join(t.TempDir(), "root.key")
	dirs := []string{t.TempDir(), t.TempDir()}
	start := func(dir string) *harness.Server {
		// While there is no leader, calls fail, and the server says so.
		return harness.StartWith(t, harness.Config{
			Args: []string{"--data-dir", dir, "--store", url, "--root-key-file", rootKey}, Tolerate: `"error":"etcd: `,
		})
	}
	first := &node{t: t, server: start(dirs[0])}
	profile, err := harness.ReadProfile(dirs[0])
	if err != nil {
		t.Fatal(err)
	}
	first.credential = sigv4.Credential{AccessKeyID: profile.AccessKeyID, Secret: material.Take([]byte(profile.SecretAccessKey))}
	second := &node{t: t, server: start(dirs[1]), credential: first.credential}
	if _, err := harness.ReadProfile(dirs[1]); err == nil {
		t.Error("the second node made an administrator too")
	}

	id := first.must("CreateKey", map[string]any{})["KeyMetadata"].(map[string]any)["KeyId"]
	first.must("CreateAlias", map[string]any{"AliasName": "alias/shared", "TargetKeyId": id})
	sealed := first.must("Encrypt", map[string]any{"KeyId": "alias/shared", "Plaintext": "aGVsbG8="})["CiphertextBlob"]
	ciphertext := map[string]any{"CiphertextBlob": sealed}
	if got := second.until("", "Decrypt", ciphertext)["Plaintext"]; got != "aGVsbG8=" {
		t.Errorf("the other node decrypted %v", got)
	}

	// A change on one node reaches the other, and both refuse a change that was overtaken.
	second.must("DisableKey", map[string]any{"KeyId": id})
	first.until("DisabledException", "Decrypt", ciphertext)
	first.must("EnableKey", map[string]any{"KeyId": id})
	second.until("", "Decrypt", ciphertext)
	if out := second.call("CreateAlias", map[string]any{"AliasName": "alias/shared", "TargetKeyId": id}); out["__type"] != "AlreadyExistsException" {
		t.Errorf("the same alias again: %v", out)
	}

	// Without the cluster's leader, and after kill -9 of a server, everything is still there.
	cluster.Kill(cluster.Leader())
	second.until("", "TagResource", map[string]any{"KeyId": id, "Tags": []any{map[string]any{"TagKey": "a", "TagValue": "b"}}})
	if err := first.server.Kill(); err != nil {
		t.Fatal(err)
	}
	first.server = first.server.Restart(t)
	if got := first.until("", "Decrypt", ciphertext)["Plaintext"]; got != "aGVsbG8=" {
		t.Errorf("after a restart: %v", got)
	}
	tags := first.must("ListResourceTags", map[string]any{"KeyId": id})["Tags"].([]any)
	if len(tags) != 1 {
		t.Errorf("tags after a restart: %v", tags)
	}
}
