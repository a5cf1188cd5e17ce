package server_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/hsm/root"
	"github.com/trent-kms/trent/internal/iam"
	"github.com/trent-kms/trent/internal/material"
	"github.com/trent-kms/trent/internal/server"
	"github.com/trent-kms/trent/internal/store/memory"
	"github.com/trent-kms/trent/internal/wire/sigv4"
)

// BenchmarkPipeline is the way of one request without the network and without net/http's parser: what Trent adds to
// them. bench/ measures the whole.
func BenchmarkPipeline(b *testing.B) {
	p := newBenchPeer(b)
	created := new(kmsapi.CreateKeyResponse)
	p.call(b, "CreateKey", &kmsapi.CreateKeyRequest{}, created)
	key := created.KeyMetadata.KeyId
	context := map[string]string{"tenant": "tenant-100000", "purpose": "orders"}
	sealed := new(kmsapi.EncryptResponse)
	p.call(b, "Encrypt", &kmsapi.EncryptRequest{KeyId: key, Plaintext: make([]byte, 32), EncryptionContext: context}, sealed)
	for _, c := range []struct {
		operation string
		in        interface{ AppendJSON([]byte) []byte }
	}{
		{"Decrypt", &kmsapi.DecryptRequest{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: context}},
		{"GenerateDataKey", &kmsapi.GenerateDataKeyRequest{KeyId: key, KeySpec: new(kmsapi.DataKeySpecAes256), EncryptionContext: context}},
		{"Encrypt", &kmsapi.EncryptRequest{KeyId: key, Plaintext: make([]byte, 32), EncryptionContext: context}},
		{"DescribeKey", &kmsapi.DescribeKeyRequest{KeyId: key}},
	} {
		b.Run(c.operation, func(b *testing.B) {
			body := c.in.AppendJSON(nil)
			r := p.signed(b, c.operation, body)
			w := &discard{header: http.Header{}}
			b.ReportAllocs()
			before := cpuTime(b)
			for b.Loop() {
				w.status = 0
				clear(w.header)
				one := *r
				one.Body = io.NopCloser(bytes.NewReader(body))
				p.handler.ServeHTTP(w, &one)
				if w.status != http.StatusOK {
					b.Fatalf("status %d", w.status)
				}
			}
			// On a machine that does other things too, this is steadier than the time that passes.
			b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// cpuTime returns the processor time of this process so far, in nanoseconds.
func cpuTime(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// benchPeer is a development server and its caller.
type benchPeer struct {
	handler http.Handler
	caller  sigv4.Credential
}

func newBenchPeer(b *testing.B) *benchPeer {
	s, err := server.New(b.Context(), server.Config{
		Store: memory.New(), Engine: "memory", Root: root.New(), Dev: true, Log: slog.New(slog.DiscardHandler),
		Audit: audit.Config{Dir: b.TempDir(), Sync: audit.SyncOS},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return &benchPeer{s.Handler(), sigv4.Credential{AccessKeyID: iam.DevAccessKeyID, Secret: material.Take([]byte(iam.DevSecret))}}
}

func (p *benchPeer) signed(b *testing.B, operation string, body []byte) *http.Request {
	r, err := http.NewRequest(http.MethodPost, "http://localhost:4599/", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.RequestURI, r.RemoteAddr, r.ContentLength = "/", "127.0.0.1:40000", int64(len(body))
	r.Header.Set("X-Amz-Target", kmsapi.TargetPrefix+"."+operation)
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("User-Agent", "aws-sdk-go-v2/1.47.7 ua/2.1 os/linux lang/go#1.26.8 md/GOOS#linux md/GOARCH#amd64 api/kms#1.62.4 m/E,g")
	if err := sigv4.Sign(r, body, p.caller, "us-east-1", "kms", time.Now()); err != nil {
		b.Fatal(err)
	}
	return r
}

func (p *benchPeer) call(b *testing.B, operation string, in interface{ AppendJSON([]byte) []byte }, out api.Shape) {
	body := in.AppendJSON(nil)
	r := p.signed(b, operation, body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	w := &discard{header: http.Header{}}
	p.handler.ServeHTTP(w, r)
	if w.status != http.StatusOK {
		b.Fatalf("%s: %d %s", operation, w.status, w.body)
	}
	if err := api.Decode(w.body, out); err != nil {
		b.Fatal(err)
	}
}

// discard is a ResponseWriter that costs next to nothing.
type discard struct {
	header http.Header
	status int
	body   []byte
}

func (d *discard) Header() http.Header { return d.header }
func (d *discard) WriteHeader(s int)   { d.status = s }
func (d *discard) Write(b []byte) (int, error) {
	d.body = append(d.body[:0], b...)
	return len(b), nil
}
