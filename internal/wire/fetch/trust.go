package fetch

import (
	"crypto/fips140"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
)

// tlsConfig trusts what the system trusts, and what thumbprints let in.
func tlsConfig(host string, thumbprints []string) *tls.Config {
	c := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if len(thumbprints) > 0 {
		c.InsecureSkipVerify = true // verify does it
		c.VerifyConnection = func(s tls.ConnectionState) error {
			return verify(s.PeerCertificates, host, thumbprints, nil)
		}
	}
	return c
}

// verify checks the certificates that a server has sent, its own first. The topmost one is trusted if a thumbprint says so
// (IAM User Guide, "Obtain the thumbprint for an OpenID Connect identity provider"); the way down to the server's own, its
// name and all dates are checked as always. SHA-1 is AWS's: it takes a second preimage to deceive it here, not a
// collision. roots are those of the system if nil.
func verify(sent []*x509.Certificate, host string, thumbprints []string, roots *x509.CertPool) error {
	if len(sent) == 0 {
		return fmt.Errorf("%w: none was sent", ErrCertificate)
	}
	o := x509.VerifyOptions{DNSName: host, Roots: roots, Intermediates: x509.NewCertPool()}
	for _, c := range sent[1:] {
		o.Intermediates.AddCert(c)
	}
	_, err := sent[0].Verify(o)
	if err == nil {
		return nil
	}
	top := sent[len(sent)-1]
	if fips140.Enforced() { // no SHA-1 then: thumbprints let nobody in
		return fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	sum := sha1.Sum(top.Raw)
	if !slices.Contains(thumbprints, hex.EncodeToString(sum[:])) {
		return fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	o.Roots = x509.NewCertPool()
	o.Roots.AddCert(top)
	if _, err := sent[0].Verify(o); err != nil {
		return fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	return nil
}
