package keypair

import (
	"bytes"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// openssl runs OpenSSL in a directory of its own for the test.
type openssl struct{ dir string }

func newOpenssl(t *testing.T) openssl { return openssl{t.TempDir()} }

func (o openssl) try(t *testing.T, args string) ([]byte, error) {
	cmd := exec.CommandContext(t.Context(), "openssl", strings.Fields(args)...)
	cmd.Dir = o.dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	// This test is about the default provider, whatever the machine's configuration says.
	cmd.Env = append(os.Environ(), "OPENSSL_CONF=/dev/null")
	out, err := cmd.Output()
	if err != nil {
		err = errors.Join(err, errors.New(stderr.String()))
	}
	return out, err
}

func (o openssl) run(t *testing.T, args string) []byte {
	t.Helper()
	out, err := o.try(t, args)
	if err != nil {
		t.Fatalf("openssl %s: %v", args, err)
	}
	return out
}

func (o openssl) write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(o.dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// with writes both halves of a key into the directory.
func (o openssl) with(t *testing.T, k *Private) openssl {
	t.Helper()
	o.write(t, "key.der", must(k.PKCS8()))
	o.write(t, "pub.der", k.Public().SPKI())
	return o
}

// knownToOpenSSL are the specs that OpenSSL 3.0 has.
func knownToOpenSSL() []Spec {
	return slices.DeleteFunc(usable(), func(s Spec) bool { return strings.HasPrefix(string(s), "ML_") })
}

func TestOpenSSLReadsKeys(t *testing.T) {
	n := 0
	for _, s := range knownToOpenSSL() {
		n++
		t.Run(string(s), func(t *testing.T) {
			k := key(t, s)
			o := newOpenssl(t).with(t, k)
			// Of Ed25519 keys OpenSSL 3.0 checks nothing and says that it cannot.
			check := " -check"
			if s == Ed25519 {
				check = ""
			}
			if got := o.run(t, "pkey -in key.der -inform DER -pubout -outform DER"+check); !bytes.HasSuffix(got, k.Public().SPKI()) {
				t.Errorf("another public key: %x", got)
			}
			if got := o.run(t, "pkey -in pub.der -inform DER -pubin -pubout -outform DER"); !bytes.Equal(got, k.Public().SPKI()) {
				t.Errorf("the public key changed: %x", got)
			}
			rewritten := o.run(t, "pkcs8 -topk8 -nocrypt -in key.der -inform DER -outform DER")
			back, err := ParsePKCS8(s, rewritten)
			if err != nil || !bytes.Equal(back.Secret(), k.Secret()) {
				t.Errorf("its PKCS #8 is not read back: %v", err)
			}
		})
	}
	if n < 7 {
		t.Fatalf("only %d specs", n)
	}
}

func TestKeysOfOpenSSLAreRead(t *testing.T) {
	commands := map[Spec]string{
		RSA2048: "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048",
		P256:    "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256", P384: "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384",
		P521: "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521", P256K1: "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1",
		Ed25519: "genpkey -algorithm ED25519", SM2: "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:SM2",
	}
	for s, command := range commands {
		if !slices.Contains(usable(), s) {
			continue
		}
		t.Run(string(s), func(t *testing.T) {
			o := newOpenssl(t)
			block, _ := pem.Decode(o.run(t, command))
			if block == nil {
				t.Fatal("no PEM")
			}
			k, err := ParsePKCS8(s, block.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			o.write(t, "key.der", block.Bytes)
			if got := o.run(t, "pkey -in key.der -inform DER -pubout -outform DER"); !bytes.Equal(got, k.Public().SPKI()) {
				t.Errorf("another public key: %x", got)
			}
			if !strings.HasPrefix(command, "genpkey -algorithm EC ") {
				return
			}
			o.run(t, "ec -in key.der -inform DER -conv_form compressed -out compressed.pem")
			converted := o.run(t, "pkcs8 -topk8 -nocrypt -in compressed.pem -outform DER")
			if back, err := ParsePKCS8(s, converted); err != nil || !bytes.Equal(back.Secret(), k.Secret()) {
				t.Errorf("with a compressed point: %v", err)
			}
			explicit := o.run(t, command+" -pkeyopt ec_param_enc:explicit")
			if block, _ := pem.Decode(explicit); block == nil {
				t.Error("no PEM")
			} else if _, err := ParsePKCS8(s, block.Bytes); err != ErrKey {
				t.Errorf("with the curve spelt out: %v", err)
			}
		})
	}
}

// pkeyutl are OpenSSL's options for an algorithm.
func pkeyutl(a Algorithm) string {
	hash := func() string { s := string(a); return "sha" + s[len(s)-3:] }
	switch {
	case a == Ed25519SHA512:
		return "-rawin"
	case a == SM2DSA:
		return "-rawin -digest sm3 -pkeyopt distid:1234567812345678"
	case strings.HasPrefix(string(a), "RSASSA_PSS"):
		return "-rawin -digest " + hash() + " -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:digest"
	case strings.HasPrefix(string(a), "RSASSA_PKCS1"), strings.HasPrefix(string(a), "ECDSA"):
		return "-rawin -digest " + hash()
	}
	return "" // OpenSSL 3.0 has no Ed25519ph
}

func TestOpenSSLVerifiesAndSigns(t *testing.T) {
	n := 0
	for _, s := range knownToOpenSSL() {
		for _, a := range abilities()[s].signing {
			options := pkeyutl(a)
			if options == "" {
				continue
			}
			n++
			t.Run(string(s)+"/"+string(a), func(t *testing.T) {
				k := key(t, s)
				o := newOpenssl(t).with(t, k)
				m := message(1000)
				o.write(t, "msg", m)
				o.write(t, "sig", must(k.Sign(a, Raw, m)))
				o.run(t, "pkeyutl -verify -pubin -inkey pub.der -keyform DER -in msg -sigfile sig "+options)
				o.run(t, "pkeyutl -sign -inkey key.der -keyform DER -in msg -out theirs "+options)
				theirs := must(os.ReadFile(filepath.Join(o.dir, "theirs")))
				if err := k.Public().Verify(a, Raw, m, theirs); err != nil {
					t.Error(err)
				}
			})
		}
	}
	if n < 22 {
		t.Fatalf("only %d cases", n)
	}
}

// TestOtherSalts: a PSS signature whose salt is not as long as the hash is valid for some, but not for KMS.
func TestOtherSalts(t *testing.T) {
	k := key(t, RSA2048)
	o := newOpenssl(t).with(t, k)
	o.write(t, "msg", message(100))
	for _, salt := range []string{"0", "20", "31", "33", "max"} {
		o.run(t, "pkeyutl -sign -inkey key.der -keyform DER -in msg -out sig -rawin -digest sha256 -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:"+salt)
		signature := must(os.ReadFile(filepath.Join(o.dir, "sig")))
		if err := k.Public().Verify(PSSSHA256, Raw, message(100), signature); !errors.Is(err, ErrSignature) {
			t.Errorf("salt of %s: %v", salt, err)
		}
	}
	o.run(t, "pkeyutl -sign -inkey key.der -keyform DER -in msg -out sig -rawin -digest sha256 -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:32 -pkeyopt rsa_mgf1_md:sha1")
	signature := must(os.ReadFile(filepath.Join(o.dir, "sig")))
	if err := k.Public().Verify(PSSSHA256, Raw, message(100), signature); !errors.Is(err, ErrSignature) {
		t.Errorf("another MGF1 hash: %v", err)
	}
}

// TestHighS: OpenSSL's signatures have a high s half of the time, and so have those of AWS.
func TestHighS(t *testing.T) {
	if !slices.Contains(usable(), P256K1) {
		return
	}
	k := key(t, P256K1)
	o := newOpenssl(t).with(t, k)
	o.write(t, "msg", message(100))
	order := curves()[P256K1].order
	for range 64 {
		o.run(t, "dgst -sha256 -sign key.der -keyform DER -out sig msg")
		signature := must(os.ReadFile(filepath.Join(o.dir, "sig")))
		if err := k.Public().Verify(ECDSASHA256, Raw, message(100), signature); err != nil {
			t.Fatal(err)
		}
		r, s := splitSignature(t, signature)
		high := new(big.Int).SetBytes(s)
		low := new(big.Int).Sub(order, high)
		if err := k.Public().Verify(ECDSASHA256, Raw, message(100), joinSignature(r, integer(low)[2:])); err != nil {
			t.Fatalf("n - s: %v", err)
		}
		if high.Cmp(low) > 0 {
			return
		}
	}
	t.Fatal("no signature had a high s")
}

func TestOpenSSLEncryptsAndDecrypts(t *testing.T) {
	options := map[Algorithm]string{
		OAEPSHA1:   "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha1",
		OAEPSHA256: "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256",
		SM2PKE:     "-pkeyopt digest:sm3",
	}
	n := 0
	for _, s := range knownToOpenSSL() {
		for _, a := range abilities()[s].encryption {
			if !servedAlgorithm(a) {
				continue
			}
			n++
			t.Run(string(s)+"/"+string(a), func(t *testing.T) {
				k := key(t, s)
				o := newOpenssl(t).with(t, k)
				o.write(t, "plain", message(100))
				o.run(t, "pkeyutl -encrypt -pubin -inkey pub.der -keyform DER -in plain -out cipher "+options[a])
				plaintext, err := k.Decrypt(a, must(os.ReadFile(filepath.Join(o.dir, "cipher"))))
				if err != nil || !bytes.Equal(plaintext, message(100)) {
					t.Errorf("theirs: %x, %v", plaintext, err)
				}
				o.write(t, "cipher", must(k.Public().Encrypt(a, message(77))))
				if got := o.run(t, "pkeyutl -decrypt -inkey key.der -keyform DER -in cipher "+options[a]); !bytes.Equal(got, message(77)) {
					t.Errorf("ours: %x", got)
				}
			})
		}
	}
	if n < 3 {
		t.Fatalf("only %d cases", n)
	}
}

func TestOpenSSLAgrees(t *testing.T) {
	n := 0
	for _, s := range knownToOpenSSL() {
		// OpenSSL 3.0 has no plain ECDH for SM2.
		if !abilities()[s].agree || s == SM2 {
			continue
		}
		n++
		t.Run(string(s), func(t *testing.T) {
			o := newOpenssl(t).with(t, key(t, s))
			peer := otherKey(t, s).Public().SPKI()
			o.write(t, "peer.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: peer}))
			theirs := o.run(t, "pkeyutl -derive -inkey key.der -keyform DER -peerkey peer.pem")
			if ours := must(key(t, s).Agree(peer)); !bytes.Equal(ours, theirs) {
				t.Errorf("%x, not %x", ours, theirs)
			}
		})
	}
	if n != 3 {
		t.Fatalf("%d specs", n)
	}
}
