package fetch

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"math/big"
	"testing"
	"time"
)

// authority makes certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func (a *authority) issue(t *testing.T, name string, ca bool, ends time.Time) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: ends,
		IsCA: ca, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	if !ca {
		c.DNSNames, c.ExtKeyUsage = []string{name}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	parent, signer := c, key
	if a != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key}
}

func thumbprint(a *authority) string {
	sum := sha1.Sum(a.cert.Raw)
	return hex.EncodeToString(sum[:])
}

func TestTrust(t *testing.T) {
	later, past := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	var nobody *authority
	root := nobody.issue(t, "root", true, later)
	middle := root.issue(t, "middle", true, later)
	server := middle.issue(t, "idp.example", false, later)
	over := middle.issue(t, "idp.example", false, past)
	stranger := nobody.issue(t, "root", true, later).issue(t, "idp.example", false, later)
	none, system := x509.NewCertPool(), x509.NewCertPool()
	system.AddCert(root.cert)

	chain := func(all ...*authority) (certs []*x509.Certificate) {
		for _, a := range all {
			certs = append(certs, a.cert)
		}
		return certs
	}
	tests := []struct {
		name  string
		sent  []*x509.Certificate
		host  string
		given *authority // whose thumbprint is given
		roots *x509.CertPool
		ok    bool
	}{
		{"trusted by the system", chain(server, middle), "idp.example", nil, system, true},
		{"trusted by the system, whatever the thumbprint", chain(server, middle), "idp.example", stranger, system, true},
		{"not trusted", chain(server, middle), "idp.example", nil, none, false},
		{"thumbprint of the topmost", chain(server, middle), "idp.example", middle, none, true},
		{"thumbprint of the topmost, the root itself", chain(server, middle, root), "idp.example", root, none, true},
		{"thumbprint of one that is not the topmost", chain(server, middle, root), "idp.example", middle, none, false},
		{"thumbprint of the server's own below others", chain(server, middle), "idp.example", server, none, false},
		{"thumbprint of the server's own, alone", chain(server), "idp.example", server, none, true},
		{"another name", chain(server, middle), "other.example", middle, none, false},
		{"another name, trusted by the system", chain(server, middle), "other.example", nil, system, false},
		{"over", chain(over, middle), "idp.example", middle, none, false},
		{"a chain that does not lead to the topmost", chain(stranger, middle), "idp.example", middle, none, false},
		{"nothing sent", nil, "idp.example", middle, system, false},
	}
	for _, test := range tests {
		var given []string
		if test.given != nil {
			given = []string{thumbprint(test.given)}
		}
		err := verify(test.sent, test.host, given, test.roots)
		if (err == nil) != test.ok || err != nil && !errors.Is(err, ErrCertificate) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
