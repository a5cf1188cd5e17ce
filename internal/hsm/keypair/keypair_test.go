package keypair

import (
	"crypto"
	"crypto/fips140"
	"os"
	"slices"
	"sync"
	"testing"
)

// ability is what a spec can do, from the table in AWS's documentation of key specs.
type ability struct {
	signing    []Algorithm
	encryption []Algorithm
	agree, kem bool
	importable bool
	approved   bool
}

func abilities() map[Spec]ability {
	rsa := ability{
		signing:    []Algorithm{PSSSHA256, PSSSHA384, PSSSHA512, PKCS1SHA256, PKCS1SHA384, PKCS1SHA512},
		encryption: []Algorithm{OAEPSHA1, OAEPSHA256}, importable: true, approved: true,
	}
	mldsa := ability{signing: []Algorithm{MLDSASHAKE256}}
	return map[Spec]ability{
		RSA2048: rsa, RSA3072: rsa, RSA4096: rsa,
		P256:    {signing: []Algorithm{ECDSASHA256}, agree: true, importable: true, approved: true},
		P384:    {signing: []Algorithm{ECDSASHA384}, agree: true, importable: true, approved: true},
		P521:    {signing: []Algorithm{ECDSASHA512}, agree: true, importable: true, approved: true},
		P256K1:  {signing: []Algorithm{ECDSASHA256}, importable: true},
		Ed25519: {signing: []Algorithm{Ed25519SHA512, Ed25519PHSHA512}, importable: true, approved: true},
		MLDSA44: mldsa, MLDSA65: mldsa, MLDSA87: mldsa,
		MLKEM512: {kem: true}, MLKEM768: {kem: true, approved: true}, MLKEM1024: {kem: true, approved: true},
		SM2: {signing: []Algorithm{SM2DSA}, encryption: []Algorithm{SM2PKE}, agree: true, importable: true},
	}
}

func algorithms() []Algorithm {
	return []Algorithm{
		OAEPSHA1, OAEPSHA256, SM2PKE, PSSSHA256, PSSSHA384, PSSSHA512, PKCS1SHA256, PKCS1SHA384, PKCS1SHA512,
		ECDSASHA256, ECDSASHA384, ECDSASHA512, Ed25519SHA512, Ed25519PHSHA512, MLDSASHAKE256, SM2DSA, "", "ECDSA_SHA_1",
	}
}

func messageTypes() []MessageType { return []MessageType{Raw, Digest, ExternalMu, "", "raw"} }

// lengths are the message lengths that an algorithm takes for each type; -1 is any.
func lengths(a Algorithm) map[MessageType]int {
	switch a {
	case Ed25519SHA512:
		return map[MessageType]int{Raw: -1}
	case Ed25519PHSHA512:
		return map[MessageType]int{Digest: 64}
	case MLDSASHAKE256:
		return map[MessageType]int{Raw: -1, ExternalMu: 64}
	case PSSSHA384, PKCS1SHA384, ECDSASHA384:
		return map[MessageType]int{Raw: -1, Digest: 48}
	case PSSSHA512, PKCS1SHA512, ECDSASHA512:
		return map[MessageType]int{Raw: -1, Digest: 64}
	}
	return map[MessageType]int{Raw: -1, Digest: 32}
}

// hashOf is the hash of algorithms whose digest is a plain hash of the message.
func hashOf(a Algorithm) (crypto.Hash, bool) {
	switch a {
	case PSSSHA256, PKCS1SHA256, ECDSASHA256:
		return crypto.SHA256, true
	case PSSSHA384, PKCS1SHA384, ECDSASHA384:
		return crypto.SHA384, true
	case PSSSHA512, PKCS1SHA512, ECDSASHA512:
		return crypto.SHA512, true
	}
	return 0, false
}

// usable are the specs that may be used in the mode that the test runs in.
func usable() []Spec {
	return slices.DeleteFunc(Specs(), func(s Spec) bool { return fips140.Enforced() && !abilities()[s].approved })
}

func servedAlgorithm(a Algorithm) bool { return a != OAEPSHA1 || !fips140.Enforced() }

// made holds the keys that Generate makes for the tests, one for each spec and two of those that are quick to make.
var made = func() (m [2]map[Spec]func() (*Private, error)) {
	for i := range m {
		m[i] = map[Spec]func() (*Private, error){}
		for _, s := range Specs() {
			m[i][s] = sync.OnceValues(func() (*Private, error) { return Generate(s) })
		}
	}
	for s, file := range map[Spec]string{RSA2048: "rsa_2048.der", RSA3072: "rsa_3072.der", RSA4096: "rsa_4096.der"} {
		m[1][s] = sync.OnceValues(func() (*Private, error) { return imported(s, file) })
	}
	return m
}()

// imported reads a key that openssl genpkey and openssl pkcs8 -topk8 made (testdata). It guards nothing.
func imported(s Spec, file string) (*Private, error) {
	der, err := os.ReadFile("testdata/" + file)
	if err != nil {
		return nil, err
	}
	return ParsePKCS8(s, der)
}

func key(t testing.TB, s Spec) *Private      { return nthKey(t, s, 0) }
func otherKey(t testing.TB, s Spec) *Private { return nthKey(t, s, 1) }

func nthKey(t testing.TB, s Spec, n int) *Private {
	t.Helper()
	k, err := made[n][s]()
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return k
}

// must returns v, for calls that cannot fail in a test that makes sense.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// message of n bytes for an algorithm; n < 0 stands for a few.
func message(n int) []byte {
	if n < 0 {
		return []byte("attack at dawn")
	}
	m := make([]byte, n)
	for i := range m {
		m[i] = byte(i*7 + 1)
	}
	return m
}
