package sdk

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/test/internal/harness"
)

// TestTransports calls over HTTP/1.1 and HTTP/2, in the clear on loopback and over TLS.
func TestTransports(t *testing.T) {
	certificates, data := t.TempDir(), t.TempDir()
	trust := must(harness.WriteCertificate(certificates))(t)
	plain := harness.Start(t, "--dev")
	secure := harness.Start(t, "--dev", "--data-dir", data,
		"--tls-cert", filepath.Join(certificates, "chain.pem"), "--tls-key", filepath.Join(certificates, "key.pem"))
	protocols := func(set func(*http.Protocols)) *http.Protocols {
		p := new(http.Protocols)
		set(p)
		return p
	}
	for _, c := range []struct {
		what   string
		server *harness.Server
		want   string
		set    func(*http.Protocols)
	}{
		{"HTTP/1.1 in the clear", plain, "HTTP/1.1", func(p *http.Protocols) { p.SetHTTP1(true) }},
		{"HTTP/2 in the clear", plain, "HTTP/2.0", func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }},
		{"HTTP/1.1 over TLS", secure, "HTTP/1.1", func(p *http.Protocols) { p.SetHTTP1(true) }},
		{"HTTP/2 over TLS", secure, "HTTP/2.0", func(p *http.Protocols) { p.SetHTTP2(true) }},
	} {
		t.Run(c.what, func(t *testing.T) {
			transport := &http.Transport{Protocols: protocols(c.set), TLSClientConfig: &tls.Config{RootCAs: trust}}
			defer transport.CloseIdleConnections()
			rec := newRecorder(transport)
			client := newClient(c.server, through(rec))
			k := must(client.CreateKey(t.Context(), &kms.CreateKeyInput{}))(t)
			e := must(client.Encrypt(t.Context(), &kms.EncryptInput{KeyId: k.KeyMetadata.KeyId, Plaintext: []byte("x")}))(t)
			must(client.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: e.CiphertextBlob}))(t)
			_, err := client.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: []byte("x")})
			refused(t, err, "InvalidCiphertextException", "")
			if len(rec.protocols) != 1 || rec.protocols[c.want] != 4 {
				t.Errorf("protocols %v, want 4 of %s", rec.protocols, c.want)
			}
		})
	}

	// TLS 1.1 is not spoken, and plain HTTP not where TLS is.
	old := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trust, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}}}
	if _, err := old.Get(secure.URL + "/healthz"); err == nil {
		t.Error("TLS 1.1 was accepted")
	}
	if r, err := http.Get("http://" + secure.Address() + "/healthz"); err == nil && r.StatusCode == http.StatusOK {
		t.Error("plain HTTP was answered on a TLS port")
	}

	if err := secure.Stop(); err != nil {
		t.Fatal(err)
	}
	seen := 0
	err := audit.Read(filepath.Join(data, "audit"), func(line []byte) error {
		var e struct {
			EventName  string
			TLSDetails struct{ TLSVersion, CipherSuite, ClientProvidedHostHeader string }
		}
		if err := json.Unmarshal(line, &e); err != nil {
			return err
		}
		seen++
		if e.TLSDetails.TLSVersion != "TLSv1.3" || e.TLSDetails.CipherSuite == "" || e.TLSDetails.ClientProvidedHostHeader != secure.Address() {
			t.Errorf("the audit record says %+v", e.TLSDetails)
		}
		return nil
	})
	if err != nil || seen != 8 {
		t.Errorf("%d records, %v", seen, err)
	}
}
