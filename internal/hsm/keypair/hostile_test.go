package keypair

import (
	"bytes"
	"crypto/elliptic"
	"crypto/fips140"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"maps"
	"math/big"
	"slices"
	"testing"
)

// curveCase is an elliptic curve with the order of its base point.
type curveCase struct {
	oid   asn1.ObjectIdentifier
	order *big.Int
	size  int
}

func curves() map[Spec]curveCase {
	number := func(h string) *big.Int { return new(big.Int).SetBytes(unhex(h)) }
	all := map[Spec]curveCase{
		P256:   {curveP256(), elliptic.P256().Params().N, 32},
		P384:   {curveP384(), elliptic.P384().Params().N, 48},
		P521:   {curveP521(), elliptic.P521().Params().N, 66},
		P256K1: {curveP256K1(), number("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141"), 32},
		SM2:    {curveSM2(), number("FFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123"), 32},
	}
	maps.DeleteFunc(all, func(s Spec, _ curveCase) bool { return !slices.Contains(usable(), s) })
	return all
}

// pointOf is the uncompressed point of an elliptic curve key.
func pointOf(k *Private, c curveCase) []byte {
	spki := k.Public().SPKI()
	return spki[len(spki)-2*c.size-1:]
}

func TestImportedCurveKeys(t *testing.T) {
	for spec, c := range curves() {
		t.Run(string(spec), func(t *testing.T) {
			n1 := new(big.Int).Sub(c.order, big.NewInt(1))
			scalar := bytes.Repeat([]byte{0x42}, c.size)
			scalar[0] = 0
			k, err := ParsePKCS8(spec, ecKey(c.oid, scalar))
			if err != nil {
				t.Fatal(err)
			}
			point := pointOf(k, c)
			compressed := append([]byte{2 + point[2*c.size]&1}, point[1:c.size+1]...)
			off := bytes.Clone(point)
			off[len(off)-1] ^= 1
			version, octets := der(2, []byte{1}), der(4, scalar)
			bits := func(b []byte) []byte { return der(3, []byte{0}, b) }
			inner := der(0x30, version, octets)
			algorithm := der(0x30, oid(ecPublicKey()), oid(c.oid))
			v1, v2 := der(2, []byte{0}), der(2, []byte{1})
			good := map[string][]byte{
				"no point":            ecKey(c.oid, scalar),
				"own form":            must(k.PKCS8()),
				"point":               ecKeyWith(c.oid, der(0x30, version, octets, der(0xa1, bits(point)))),
				"compressed point":    ecKeyWith(c.oid, der(0x30, version, octets, der(0xa1, bits(compressed)))),
				"curve inside":        ecKeyWith(c.oid, der(0x30, version, octets, der(0xa0, oid(c.oid)))),
				"curve and point":     ecKeyWith(c.oid, der(0x30, version, octets, der(0xa0, oid(c.oid)), der(0xa1, bits(point)))),
				"leading zeros gone":  ecKey(c.oid, trim(scalar)),
				"leading zeros added": ecKey(c.oid, append(make([]byte, 3), scalar...)),
				"attributes":          der(0x30, v1, algorithm, der(4, inner), der(0xa0, der(0x30, oid(c.oid), der(0x31)))),
				"version 2":           der(0x30, v2, algorithm, der(4, inner), der(0x81, []byte{0}, point)),
			}
			for name, d := range good {
				back, err := ParsePKCS8(spec, d)
				if err != nil {
					t.Errorf("%s: %v", name, err)
				} else if !bytes.Equal(back.Secret(), k.Secret()) {
					t.Errorf("%s: another key", name)
				}
			}
			bad := map[string][]byte{
				"zero":                  ecKey(c.oid, make([]byte, c.size)),
				"no scalar":             ecKey(c.oid, nil),
				"the order":             ecKey(c.oid, c.order.FillBytes(make([]byte, c.size))),
				"order + 1":             ecKey(c.oid, new(big.Int).Add(c.order, big.NewInt(1)).FillBytes(make([]byte, c.size))),
				"all ones":              ecKey(c.oid, bytes.Repeat([]byte{0xff}, c.size)),
				"a byte too long":       ecKey(c.oid, append([]byte{1}, scalar...)),
				"another point":         ecKeyWith(c.oid, der(0x30, version, octets, der(0xa1, bits(pointOf(key(t, spec), c))))),
				"point off the curve":   ecKeyWith(c.oid, der(0x30, version, octets, der(0xa1, bits(off)))),
				"other sign":            ecKeyWith(c.oid, der(0x30, version, octets, der(0xa1, bits(append([]byte{compressed[0] ^ 1}, compressed[1:]...))))),
				"hybrid point":          ecKeyWith(c.oid, der(0x30, version, octets, der(0xa1, bits(append([]byte{6 + point[2*c.size]&1}, point[1:]...))))),
				"infinity":              ecKeyWith(c.oid, der(0x30, version, octets, der(0xa1, bits([]byte{0})))),
				"no bytes of point":     ecKeyWith(c.oid, der(0x30, version, octets, der(0xa1, bits(nil)))),
				"odd bits of point":     ecKeyWith(c.oid, der(0x30, version, octets, der(0xa1, der(3, []byte{1}, point[:2*c.size], []byte{point[2*c.size] &^ 1})))),
				"other curve outside":   ecKey(curveP224(), scalar),
				"other curve inside":    ecKeyWith(c.oid, der(0x30, version, octets, der(0xa0, oid(curveP224())))),
				"curve inside only":     der(0x30, v1, der(0x30, oid(ecPublicKey())), der(4, der(0x30, version, octets, der(0xa0, oid(c.oid))))),
				"explicit curve":        der(0x30, v1, der(0x30, oid(ecPublicKey()), der(0x30, version)), der(4, inner)),
				"implicit curve":        der(0x30, v1, der(0x30, oid(ecPublicKey()), asn1.NullBytes), der(4, inner)),
				"two parameters":        der(0x30, v1, der(0x30, oid(ecPublicKey()), oid(c.oid), oid(c.oid)), der(4, inner)),
				"algorithm ECDH":        der(0x30, v1, der(0x30, oid(asn1.ObjectIdentifier{1, 3, 132, 1, 12}), oid(c.oid)), der(4, inner)),
				"inner version 0":       ecKeyWith(c.oid, der(0x30, v1, octets)),
				"inner trailing":        ecKeyWith(c.oid, append(bytes.Clone(inner), 0)),
				"inner extra":           ecKeyWith(c.oid, der(0x30, version, octets, asn1.NullBytes)),
				"point before curve":    ecKeyWith(c.oid, der(0x30, version, octets, der(0xa1, bits(point)), der(0xa0, oid(c.oid)))),
				"two points":            ecKeyWith(c.oid, der(0x30, version, octets, der(0xa1, bits(point)), der(0xa1, bits(point)))),
				"not wrapped":           inner,
				"version 3":             der(0x30, der(2, []byte{2}), algorithm, der(4, inner)),
				"version -1":            der(0x30, der(2, []byte{0xff}), algorithm, der(4, inner)),
				"version 1 with point":  der(0x30, v1, algorithm, der(4, inner), der(0x81, []byte{0}, point)),
				"version 2 other point": der(0x30, v2, algorithm, der(4, inner), der(0x81, []byte{0}, pointOf(key(t, spec), c))),
				"version 2 empty point": der(0x30, v2, algorithm, der(4, inner), der(0x81)),
				"version 2 two points":  der(0x30, v2, algorithm, der(4, inner), der(0x81, []byte{0}, point), der(0x81, []byte{0}, point)),
				"extra value":           der(0x30, v1, algorithm, der(4, inner), asn1.NullBytes),
				"no key":                der(0x30, v1, algorithm),
				"bits for octets":       der(0x30, v1, algorithm, der(3, []byte{0}, inner)),
				"public key":            k.Public().SPKI(),
			}
			if spec == SM2 { // GB/T 32918.1 §6.1: at most n - 2
				bad["order - 1"] = ecKey(c.oid, n1.Bytes())
			} else if _, err := ParsePKCS8(spec, ecKey(c.oid, n1.Bytes())); err != nil {
				t.Errorf("order - 1: %v", err)
			}
			maps.Copy(bad, misencoded(must(k.PKCS8())))
			refuseKeys(t, spec, bad, 40)
		})
	}
}

func curveP224() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 3, 132, 0, 33} }

// misencoded are ways to write a value that DER does not have, or not just the value.
func misencoded(good []byte) map[string][]byte {
	header := len(good) - len(must(sequenceContent(good)))
	content := good[header:]
	return map[string][]byte{
		"nothing":         nil,
		"a byte":          {0x30},
		"empty sequence":  {0x30, 0},
		"trailing byte":   append(bytes.Clone(good), 0),
		"twice":           append(bytes.Clone(good), good...),
		"a byte short":    good[:len(good)-1],
		"leading byte":    append([]byte{0}, good...),
		"indefinite":      slices.Concat([]byte{0x30, 0x80}, content, []byte{0, 0}),
		"long length":     slices.Concat([]byte{0x30, 0x84, 0, 0, byte(len(content) >> 8), byte(len(content))}, content),
		"a set":           append([]byte{0x31}, good[1:]...),
		"extra inside":    der(0x30, content, asn1.NullBytes),
		"PEM":             []byte("-----BEGIN PRIVATE KEY-----\n"),
		"deep":            bytes.Repeat([]byte{0x30, 0x80}, 3000),
		"enormous length": {0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 2, 1, 0},
	}
}

func sequenceContent(d []byte) ([]byte, error) {
	var v asn1.RawValue
	_, err := asn1.Unmarshal(d, &v)
	return v.Bytes, err
}

func refuseKeys(t *testing.T, spec Spec, bad map[string][]byte, floor int) {
	t.Helper()
	for name, d := range bad {
		if _, err := ParsePKCS8(spec, d); err != ErrKey {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if len(bad) < floor {
		t.Errorf("only %d cases", len(bad))
	}
}

func TestImportedEd25519Keys(t *testing.T) {
	k := key(t, Ed25519)
	own := must(k.PKCS8())
	seed, public := own[len(own)-32:], k.Public().SPKI()[12:]
	v1, v2 := der(2, []byte{0}), der(2, []byte{1})
	algorithm := der(0x30, oid(idEd25519()))
	for name, good := range map[string][]byte{
		"own form":                   own,
		"version 2 with public key":  der(0x30, v2, algorithm, der(4, der(4, seed)), der(0x81, []byte{0}, public)),
		"version 2 and attributes":   der(0x30, v2, algorithm, der(4, der(4, seed)), der(0xa0), der(0x81, []byte{0}, public)),
		"version 1 with attributes":  der(0x30, v1, algorithm, der(4, der(4, seed)), der(0xa0)),
		"version 2 without the rest": der(0x30, v2, algorithm, der(4, der(4, seed))),
	} {
		if back, err := ParsePKCS8(Ed25519, good); err != nil || !bytes.Equal(back.Secret(), own) {
			t.Errorf("%s: %v", name, err)
		}
	}
	other := otherKey(t, Ed25519).Public().SPKI()[12:]
	bad := misencoded(own)
	maps.Copy(bad, map[string][]byte{
		"seed not wrapped":        der(0x30, v1, algorithm, der(4, seed)),
		"31 bytes":                der(0x30, v1, algorithm, der(4, der(4, seed[1:]))),
		"64 bytes":                der(0x30, v1, algorithm, der(4, der(4, seed, public))),
		"no bytes":                der(0x30, v1, algorithm, der(4, der(4))),
		"seed and a byte":         der(0x30, v1, algorithm, der(4, der(4, seed), []byte{0})),
		"NULL parameters":         der(0x30, v1, der(0x30, oid(idEd25519()), asn1.NullBytes), der(4, der(4, seed))),
		"X25519":                  der(0x30, v1, der(0x30, oid(asn1.ObjectIdentifier{1, 3, 101, 110})), der(4, der(4, seed))),
		"Ed448":                   der(0x30, v1, der(0x30, oid(asn1.ObjectIdentifier{1, 3, 101, 113})), der(4, der(4, seed))),
		"another public key":      der(0x30, v2, algorithm, der(4, der(4, seed)), der(0x81, []byte{0}, other)),
		"short public key":        der(0x30, v2, algorithm, der(4, der(4, seed)), der(0x81, []byte{0}, public[:31])),
		"version 1 and a public":  der(0x30, v1, algorithm, der(4, der(4, seed)), der(0x81, []byte{0}, public)),
		"constructed public key":  der(0x30, v2, algorithm, der(4, der(4, seed)), der(0xa1, der(3, []byte{0}, public))),
		"seed of another spec":    must(key(t, P256).PKCS8()),
		"the public key":          k.Public().SPKI(),
		"attributes behind":       der(0x30, v2, algorithm, der(4, der(4, seed)), der(0x81, []byte{0}, public), der(0xa0)),
		"unused bits in public":   der(0x30, v2, algorithm, der(4, der(4, seed)), der(0x81, []byte{3}, public)),
		"constructed octets":      der(0x30, v1, algorithm, der(0x24, der(4, der(4, seed)))),
		"algorithm not a list":    der(0x30, v1, oid(idEd25519()), der(4, der(4, seed))),
		"empty algorithm":         der(0x30, v1, der(0x30), der(4, der(4, seed))),
		"algorithm with two nils": der(0x30, v1, der(0x30, oid(idEd25519()), asn1.NullBytes, asn1.NullBytes), der(4, der(4, seed))),
	})
	refuseKeys(t, Ed25519, bad, 30)
}

// TestMLKeysAreNotImported: AWS has no import for them.
func TestMLKeysAreNotImported(t *testing.T) {
	for _, s := range usable() {
		if abilities()[s].importable {
			continue
		}
		refuseKeys(t, s, map[string][]byte{"seed": key(t, s).Secret(), "nothing": nil, "another": must(key(t, P256).PKCS8())}, 3)
	}
}

// rsaNumbers are the parts of an RSAPrivateKey (RFC 8017 §A.1.2).
type rsaNumbers struct{ version, n, e, d, p, q, dp, dq, qinv *big.Int }

// rsaFrom computes the rest of a key, as a program would that believes p and q to be primes.
func rsaFrom(p, q *big.Int, e int64) (rsaNumbers, bool) {
	one := big.NewInt(1)
	p1, q1 := new(big.Int).Sub(p, one), new(big.Int).Sub(q, one)
	k := rsaNumbers{version: new(big.Int), e: big.NewInt(e), p: p, q: q, n: new(big.Int).Mul(p, q)}
	k.d = new(big.Int).ModInverse(k.e, new(big.Int).Mul(p1, q1))
	k.qinv = new(big.Int).ModInverse(q, p)
	if k.d == nil || k.qinv == nil {
		return k, false
	}
	k.dp, k.dq = new(big.Int).Mod(k.d, p1), new(big.Int).Mod(k.d, q1)
	return k, true
}

func (k rsaNumbers) pkcs1(more ...[]byte) []byte {
	var parts [][]byte
	for _, n := range []*big.Int{k.version, k.n, k.e, k.d, k.p, k.q, k.dp, k.dq, k.qinv} {
		parts = append(parts, integer(n))
	}
	return der(0x30, append(parts, more...)...)
}

func rsaKeyWith(parameters, inner []byte) []byte {
	return der(0x30, der(2, []byte{0}), der(0x30, oid(rsaEncryption()), parameters), der(4, inner))
}

func (k rsaNumbers) pkcs8() []byte { return rsaKeyWith(asn1.NullBytes, k.pkcs1()) }

// prime has its two highest bits set, so that the product of two has twice as many bits.
func prime(bits int) *big.Int { return must(rand.Prime(rand.Reader, bits)) }

// rsaKey makes numbers until they give a modulus of n bits.
func rsaKey(n int, e int64, p, q func() *big.Int) rsaNumbers {
	for {
		if k, ok := rsaFrom(p(), q(), e); ok && k.n.BitLen() == n {
			return k
		}
	}
}

func TestImportedRSAKeys(t *testing.T) {
	if fips140.Enforced() { // crypto/rand makes no primes then
		return
	}
	half := func() *big.Int { return prime(1024) }
	k := rsaKey(2048, 65537, half, half)
	edit := func(f func(*rsaNumbers)) []byte { c := k; f(&c); return c.pkcs8() }
	plus := func(n *big.Int, m int64) *big.Int { return new(big.Int).Add(n, big.NewInt(m)) }
	for name, good := range map[string][]byte{
		"as it is":           k.pkcs8(),
		"no parameters":      rsaKeyWith(nil, k.pkcs1()),
		"exponent 2^31 - 1":  rsaKey(2048, 1<<31-1, half, half).pkcs8(),
		"the primes swapped": must(swapped(k)).pkcs8(),
		"d below lcm(p-1,q-1)": edit(func(c *rsaNumbers) {
			p1, q1 := plus(k.p, -1), plus(k.q, -1)
			gcd := new(big.Int).GCD(nil, nil, p1, q1)
			c.d = new(big.Int).Mod(k.d, new(big.Int).Div(new(big.Int).Mul(p1, q1), gcd))
		}),
	} {
		back, err := ParsePKCS8(RSA2048, good)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := back.Public().Verify(PSSSHA256, Raw, nil, must(back.Sign(PSSSHA256, Raw, nil))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	composite := func() *big.Int { return new(big.Int).Mul(prime(512), prime(512)) }
	bad := misencoded(k.pkcs8())
	maps.Copy(bad, map[string][]byte{
		"1024 bits":              rsaKey(1024, 65537, func() *big.Int { return prime(512) }, func() *big.Int { return prime(512) }).pkcs8(),
		"2047 bits":              rsaKey(2047, 65537, half, func() *big.Int { return prime(1023) }).pkcs8(),
		"2049 bits":              rsaKey(2049, 65537, half, func() *big.Int { return prime(1025) }).pkcs8(),
		"3072 bits":              must(key(t, RSA3072).PKCS8()),
		"unequal primes":         rsaKey(2048, 65537, func() *big.Int { return prime(1000) }, func() *big.Int { return prime(1048) }).pkcs8(),
		"exponent 3":             rsaKey(2048, 3, half, half).pkcs8(),
		"exponent 65535":         rsaKey(2048, 65535, half, half).pkcs8(),
		"exponent 2^31 + 11":     rsaKey(2048, 1<<31+11, half, half).pkcs8(),
		"exponent 2^32 + 65537":  rsaKey(2048, 1<<32+65537, half, half).pkcs8(),
		"a composite prime":      rsaKey(2048, 65537, composite, half).pkcs8(),
		"two composite primes":   rsaKey(2048, 65537, composite, composite).pkcs8(),
		"close primes":           closePrimes().pkcs8(),
		"p is q":                 edit(func(c *rsaNumbers) { c.q, c.n = k.p, new(big.Int).Mul(k.p, k.p) }),
		"other modulus":          edit(func(c *rsaNumbers) { c.n = plus(k.n, 2) }),
		"even modulus":           edit(func(c *rsaNumbers) { c.n = plus(k.n, 1) }),
		"other exponent":         edit(func(c *rsaNumbers) { c.e = big.NewInt(65539) }),
		"even exponent":          edit(func(c *rsaNumbers) { c.e = big.NewInt(65538) }),
		"other d":                edit(func(c *rsaNumbers) { c.d = plus(k.d, 2) }),
		"d zero":                 edit(func(c *rsaNumbers) { c.d = new(big.Int) }),
		"d negative":             edit(func(c *rsaNumbers) { c.d = new(big.Int).Neg(k.d) }),
		"d larger than n":        edit(func(c *rsaNumbers) { c.d = new(big.Int).Mul(k.d, k.n) }),
		"other p":                edit(func(c *rsaNumbers) { c.p = plus(k.p, 2) }),
		"p one":                  edit(func(c *rsaNumbers) { c.p, c.q = big.NewInt(1), k.n }),
		"p zero":                 edit(func(c *rsaNumbers) { c.p = new(big.Int) }),
		"p even":                 edit(func(c *rsaNumbers) { c.p = plus(k.p, 1) }),
		"p negative":             edit(func(c *rsaNumbers) { c.p, c.q = new(big.Int).Neg(k.p), new(big.Int).Neg(k.q) }),
		"primes exchanged":       edit(func(c *rsaNumbers) { c.p, c.q = k.q, k.p }),
		"other dp":               edit(func(c *rsaNumbers) { c.dp = plus(k.dp, 2) }),
		"other dq":               edit(func(c *rsaNumbers) { c.dq = plus(k.dq, 2) }),
		"other qinv":             edit(func(c *rsaNumbers) { c.qinv = plus(k.qinv, 1) }),
		"no crt":                 edit(func(c *rsaNumbers) { c.dp, c.dq, c.qinv = new(big.Int), new(big.Int), new(big.Int) }),
		"version 1":              edit(func(c *rsaNumbers) { c.version = big.NewInt(1) }),
		"version 2":              edit(func(c *rsaNumbers) { c.version = big.NewInt(2) }),
		"three primes":           rsaKeyWith(asn1.NullBytes, k.pkcs1(der(0x30, der(0x30, integer(k.p), integer(k.dp), integer(k.qinv))))),
		"PKCS #1, not wrapped":   k.pkcs1(),
		"PSS identifier":         der(0x30, der(2, []byte{0}), der(0x30, oid(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10})), der(4, k.pkcs1())),
		"other parameters":       rsaKeyWith(oid(curveP256()), k.pkcs1()),
		"trailing in key":        rsaKeyWith(asn1.NullBytes, append(k.pkcs1(), 0)),
		"a curve key":            must(key(t, P256).PKCS8()),
		"numbers are octets":     rsaKeyWith(asn1.NullBytes, der(0x30, slices.Repeat([][]byte{der(4, []byte{1})}, 9)...)),
		"numbers are missing":    rsaKeyWith(asn1.NullBytes, der(0x30, slices.Repeat([][]byte{der(2)}, 9)...)),
		"version 2 with public":  der(0x30, der(2, []byte{1}), der(0x30, oid(rsaEncryption()), asn1.NullBytes), der(4, k.pkcs1()), der(0x81, []byte{0, 1})),
		"number with zero ahead": rsaKeyWith(asn1.NullBytes, append(bytes.Clone(k.pkcs1()), 0)),
	})
	refuseKeys(t, RSA2048, bad, 50)
}

func swapped(k rsaNumbers) (rsaNumbers, error) {
	s, ok := rsaFrom(k.q, k.p, k.e.Int64())
	if !ok {
		return s, errors.New("no inverse")
	}
	return s, nil
}

// closePrimes gives a modulus that Fermat's method factors at once.
func closePrimes() rsaNumbers {
	for {
		p := prime(1024)
		q := new(big.Int).Add(p, big.NewInt(2))
		for !q.ProbablyPrime(20) {
			q.Add(q, big.NewInt(2))
		}
		if k, ok := rsaFrom(p, q, 65537); ok && k.n.BitLen() == 2048 {
			return k
		}
	}
}

func TestHostilePublicKeys(t *testing.T) {
	for _, s := range usable() {
		t.Run(string(s), func(t *testing.T) {
			spki := key(t, s).Public().SPKI()
			bad := misencoded(spki)
			for _, other := range usable() {
				if other != s {
					bad[string(other)] = key(t, other).Public().SPKI()
				}
			}
			parts := must(sequence(spki))
			algorithm, bits := parts[0].FullBytes, parts[1].Bytes
			bad["NULL parameters"] = der(0x30, der(0x30, parts[0].Bytes, asn1.NullBytes), parts[1].FullBytes)
			bad["octets for bits"] = der(0x30, algorithm, der(4, bits[1:]))
			bad["unused bit"] = der(0x30, algorithm, der(3, []byte{1}, bits[1:len(bits)-1], []byte{bits[len(bits)-1] &^ 1}))
			bad["a byte less"] = der(0x30, algorithm, der(3, bits[:len(bits)-1]))
			bad["a byte more"] = der(0x30, algorithm, der(3, bits, []byte{0}))
			bad["no bits"] = der(0x30, algorithm, der(3, []byte{0}))
			bad["empty bits"] = der(0x30, algorithm, der(3))
			if c, ok := curves()[s]; ok {
				maps.Copy(bad, hostilePoints(c, algorithm, bits[1:]))
			}
			if bytes.HasPrefix([]byte(s), []byte("ML_KEM")) {
				// FIPS 203 §7.2: coefficients of 3329 and above are refused.
				bad["not reduced"] = der(0x30, algorithm, der(3, []byte{0, 0xff, 0xff, 0xff}, bits[4:]))
			}
			if bytes.HasPrefix([]byte(s), []byte("RSA")) {
				maps.Copy(bad, hostileRSA(algorithm, bits[1:]))
			}
			for name, b := range bad {
				if _, err := ParsePublic(s, b); err != ErrPublicKey {
					t.Errorf("%s: got %v", name, err)
				}
				if _, err := key(t, s).Agree(b); abilities()[s].agree && err != ErrPublicKey {
					t.Errorf("%s: Agree gave %v", name, err)
				}
			}
			if len(bad) < 20 {
				t.Errorf("only %d cases", len(bad))
			}
		})
	}
}

func hostilePoints(c curveCase, algorithm, point []byte) map[string][]byte {
	x, y := point[1:c.size+1], point[c.size+1:]
	write := func(parts ...[]byte) []byte {
		return der(0x30, algorithm, der(3, []byte{0}, bytes.Join(parts, nil)))
	}
	ones := bytes.Repeat([]byte{0xff}, c.size)
	return map[string][]byte{
		"infinity":       write([]byte{0}),
		"long infinity":  write(make([]byte, 2*c.size+1)),
		"origin":         write([]byte{4}, make([]byte, 2*c.size)),
		"swapped":        write([]byte{4}, y, x),
		"not reduced":    write([]byte{4}, ones, y),
		"all ones":       write([]byte{4}, ones, ones),
		"compressed":     write([]byte{2 + y[c.size-1]&1}, x),
		"hybrid":         write([]byte{6 + y[c.size-1]&1}, x, y),
		"raw":            write(x, y),
		"explicit curve": der(0x30, der(0x30, oid(ecPublicKey()), der(0x30, der(2, []byte{1}))), der(3, []byte{0}, point)),
		"no curve":       der(0x30, der(0x30, oid(ecPublicKey())), der(3, []byte{0}, point)),
		"other curve":    der(0x30, der(0x30, oid(ecPublicKey()), oid(curveP224())), der(3, []byte{0}, point)),
	}
}

func hostileRSA(algorithm, key []byte) map[string][]byte {
	parts := must(sequence(key))
	modulus := new(big.Int).SetBytes(parts[0].Bytes)
	write := func(n *big.Int, e int64) []byte {
		return der(0x30, algorithm, der(3, []byte{0}, der(0x30, integer(n), integer(big.NewInt(e)))))
	}
	return map[string][]byte{
		"exponent 1": write(modulus, 1), "exponent 3": write(modulus, 3), "exponent -1": write(modulus, -1), "exponent 0": write(modulus, 0),
		"even exponent": write(modulus, 65538), "large exponent": write(modulus, 1<<40+1),
		"even modulus": write(new(big.Int).Sub(modulus, big.NewInt(1)), 65537), "negative modulus": write(new(big.Int).Neg(modulus), 65537),
		"half the modulus": write(new(big.Int).Rsh(modulus, 1), 65537), "twice the modulus": write(new(big.Int).Lsh(modulus, 1), 65537),
		"no parameters": der(0x30, der(0x30, oid(rsaEncryption())), der(3, []byte{0}, key)),
	}
}
