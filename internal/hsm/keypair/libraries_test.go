package keypair

import (
	"bytes"
	"crypto/rand"
	"crypto/sha3"
	stdx509 "crypto/x509"
	"math/big"
	"slices"
	"testing"

	"filippo.io/mldsa"
	mldsax509 "filippo.io/mldsa/x509"
	"github.com/cloudflare/circl/kem"
	"github.com/cloudflare/circl/kem/mlkem/mlkem1024"
	"github.com/cloudflare/circl/kem/mlkem/mlkem768"
	"github.com/cloudflare/circl/sign"
	"github.com/cloudflare/circl/sign/mldsa/mldsa44"
	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
	"github.com/cloudflare/circl/sign/mldsa/mldsa87"
	gmmlkem "github.com/emmansun/gmsm/mlkem"
	"github.com/emmansun/gmsm/smx509"
)

// TestEncodingsOfTheLibraries: what we write ourselves is what the libraries write.
func TestEncodingsOfTheLibraries(t *testing.T) {
	for _, s := range usable() {
		t.Run(string(s), func(t *testing.T) {
			k := key(t, s)
			switch private := k.key().(type) {
			case nistPrivate:
				same(t, must(stdx509.MarshalPKCS8PrivateKey(private.key)), must(k.PKCS8()))
				same(t, must(stdx509.MarshalPKIXPublicKey(&private.key.PublicKey)), k.Public().SPKI())
			case ed25519Private:
				same(t, must(stdx509.MarshalPKCS8PrivateKey(private.key)), must(k.PKCS8()))
				same(t, must(stdx509.MarshalPKIXPublicKey(private.key.Public())), k.Public().SPKI())
			case mldsaPrivate:
				same(t, must(mldsax509.MarshalPKIXPublicKey(private.key.PublicKey())), k.Public().SPKI())
			case sm2Private:
				same(t, must(smx509.MarshalPKIXPublicKey(private.key.Public())), k.Public().SPKI())
				if back := must(smx509.ParsePKCS8PrivateKey(must(k.PKCS8()))); !private.key.Equal(back) {
					t.Error("smx509 reads another key")
				}
				if back := must(ParsePKCS8(SM2, must(smx509.MarshalPKCS8PrivateKey(private.key)))); !bytes.Equal(back.Secret(), k.Secret()) {
					t.Error("the key of smx509 is another")
				}
			}
		})
	}
}

func same(t *testing.T, want, got []byte) {
	t.Helper()
	if !bytes.Equal(want, got) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
}

// TestMLKEMAgreesWithAnotherLibrary: the same seed gives the same public key, and the two understand each other.
func TestMLKEMAgreesWithAnotherLibrary(t *testing.T) {
	for spec, scheme := range map[Spec]kem.Scheme{MLKEM768: mlkem768.Scheme(), MLKEM1024: mlkem1024.Scheme()} {
		k := key(t, spec)
		public, private := scheme.DeriveKeyPair(k.Secret())
		spki := k.Public().SPKI()
		same(t, must(public.MarshalBinary()), spki[len(spki)-scheme.PublicKeySize():])
		ciphertext, secret, err := scheme.Encapsulate(public)
		if err != nil {
			t.Fatal(err)
		}
		same(t, secret, must(k.Decapsulate(ciphertext)))
		secret, ciphertext, _ = k.Public().Encapsulate()
		same(t, secret, must(scheme.Decapsulate(private, ciphertext)))
		ciphertext[3] ^= 1
		same(t, must(scheme.Decapsulate(private, ciphertext)), must(k.Decapsulate(ciphertext)))
	}
}

func TestMLKEM512AgreesWithAnotherLibrary(t *testing.T) {
	if !slices.Contains(usable(), MLKEM512) {
		return
	}
	k := key(t, MLKEM512)
	theirs := must(gmmlkem.NewDecapsulationKeyFromSeed512(k.Secret()))
	spki := k.Public().SPKI()
	same(t, theirs.EncapsulationKey().Bytes(), spki[len(spki)-800:])
	secret, ciphertext, err := theirs.EncapsulationKey().Encapsulate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	same(t, secret, must(k.Decapsulate(ciphertext)))
	ciphertext[3] ^= 1
	same(t, must(theirs.Decapsulate(ciphertext)), must(k.Decapsulate(ciphertext)))
}

func TestMLDSAAgreesWithAnotherLibrary(t *testing.T) {
	for spec, scheme := range map[Spec]sign.Scheme{MLDSA44: mldsa44.Scheme(), MLDSA65: mldsa65.Scheme(), MLDSA87: mldsa87.Scheme()} {
		if !slices.Contains(usable(), spec) {
			continue
		}
		k := key(t, spec)
		public, private := scheme.DeriveKey(k.Secret())
		spki := k.Public().SPKI()
		same(t, must(public.MarshalBinary()), spki[len(spki)-scheme.PublicKeySize():])
		if !scheme.Verify(public, message(50), must(k.Sign(MLDSASHAKE256, Raw, message(50))), nil) {
			t.Errorf("%s: our signature is refused", spec)
		}
		if err := k.Public().Verify(MLDSASHAKE256, Raw, message(50), scheme.Sign(private, message(50), nil)); err != nil {
			t.Errorf("%s: their signature: %v", spec, err)
		}
		withContext := scheme.Sign(private, message(50), &sign.SignatureOpts{Context: "c"})
		if err := k.Public().Verify(MLDSASHAKE256, Raw, message(50), withContext); err != ErrSignature {
			t.Errorf("%s: a signature with a context: %v", spec, err)
		}
	}
}

// muOf is μ of a message with an empty context (FIPS 204 algorithms 2 and 7).
func muOf(k *Public, m []byte) []byte {
	spki := k.SPKI()
	public := must(parseSPKI(mldsaFamily{k.spec}.oid(), nil, spki))
	mu := make([]byte, muSize)
	h := sha3.NewSHAKE256()
	h.Write(sha3.SumSHAKE256(public, 64))
	h.Write([]byte{0, 0})
	h.Write(m)
	h.Read(mu)
	return mu
}

func TestMuStandsForTheMessage(t *testing.T) {
	for _, s := range []Spec{MLDSA44, MLDSA65, MLDSA87} {
		if !slices.Contains(usable(), s) {
			continue
		}
		k := key(t, s)
		mu := muOf(k.Public(), message(99))
		if err := k.Public().Verify(MLDSASHAKE256, ExternalMu, mu, must(k.Sign(MLDSASHAKE256, Raw, message(99)))); err != nil {
			t.Errorf("%s: RAW signed, EXTERNAL_MU verified: %v", s, err)
		}
		if err := k.Public().Verify(MLDSASHAKE256, Raw, message(99), must(k.Sign(MLDSASHAKE256, ExternalMu, mu))); err != nil {
			t.Errorf("%s: EXTERNAL_MU signed, RAW verified: %v", s, err)
		}
		if a, b := must(k.Sign(MLDSASHAKE256, Raw, nil)), must(k.Sign(MLDSASHAKE256, Raw, nil)); bytes.Equal(a, b) {
			t.Errorf("%s: signing is not hedged", s)
		}
	}
}

// TestMuVerifierAgrees compares the verification of μ, which comes from gmsm, with that of messages, which does not:
// on signatures changed in every part, hints out of order and of every count, and coefficients at the bound.
func TestMuVerifierAgrees(t *testing.T) {
	n := 0
	for _, s := range []Spec{MLDSA44, MLDSA65, MLDSA87} {
		if !slices.Contains(usable(), s) {
			continue
		}
		k := key(t, s)
		mu := muOf(k.Public(), message(99))
		public := k.Public().key.(mldsaPublic).key
		compare := func(signature []byte) {
			n++
			want := mldsa.Verify(public, message(99), signature, nil) == nil
			if got := k.Public().Verify(MLDSASHAKE256, ExternalMu, mu, signature) == nil; got != want {
				t.Errorf("%s: %v for μ, %v for the message", s, got, want)
			}
		}
		good := must(k.Sign(MLDSASHAKE256, Raw, message(99)))
		compare(good)
		for i := 0; i < len(good); i += 37 {
			compare(changed(good, i, good[i]^1))
		}
		hints := map[Spec]int{MLDSA44: 80 + 4, MLDSA65: 55 + 6, MLDSA87: 75 + 8}[s]
		for i := len(good) - hints; i < len(good); i++ {
			for _, b := range []byte{0, 1, good[i] + 1, good[i] - 1, 0x7f, 0xff} {
				compare(changed(good, i, b))
			}
		}
		for range 40 {
			compare(must(k.Sign(MLDSASHAKE256, Raw, message(99))))
		}
		for _, size := range []int{0, 1, len(good) - 1, len(good) + 1} {
			compare(make([]byte, size))
		}
		// z at its bounds: all zeros is +γ1, all ones is -γ1 + 1.
		for _, b := range []byte{0, 0xff} {
			bad := bytes.Clone(good)
			copy(bad[64:1000], bytes.Repeat([]byte{b}, 936))
			compare(bad)
		}
	}
	if n < 1500 && slices.Contains(usable(), MLDSA44) {
		t.Fatalf("only %d signatures", n)
	}
}

func changed(b []byte, i int, to byte) []byte {
	c := bytes.Clone(b)
	c[i] = to
	return c
}

// TestSM2AgreementIsECDH compares with a point multiplication of another library, in math/big.
func TestSM2AgreementIsECDH(t *testing.T) {
	if !slices.Contains(usable(), SM2) {
		return
	}
	mine, theirs := key(t, SM2).key().(sm2Private).key, otherKey(t, SM2)
	point := theirs.Public().key.(sm2Public).point
	curve := mine.Curve.Params()
	x := scalarMult(curve.P, mine.D, new(big.Int).SetBytes(point[1:33]), new(big.Int).SetBytes(point[33:]))
	same(t, x.FillBytes(make([]byte, 32)), must(key(t, SM2).Agree(theirs.Public().SPKI())))
}

// scalarMult returns the x coordinate of k·(x, y) on a curve with a = -3, bit by bit. For tests only.
func scalarMult(p, k, x, y *big.Int) *big.Int {
	mod := func(n *big.Int) *big.Int { return n.Mod(n, p) }
	mul := func(a, b *big.Int) *big.Int { return mod(new(big.Int).Mul(a, b)) }
	sub := func(a, b *big.Int) *big.Int { return mod(new(big.Int).Sub(a, b)) }
	var rx, ry *big.Int
	add := func(x1, y1, x2, y2 *big.Int) (*big.Int, *big.Int) {
		var slope *big.Int
		if x1.Cmp(x2) == 0 {
			slope = mul(sub(mul(big.NewInt(3), mul(x1, x1)), big.NewInt(3)), new(big.Int).ModInverse(new(big.Int).Lsh(y1, 1), p))
		} else {
			slope = mul(sub(y2, y1), new(big.Int).ModInverse(sub(x2, x1), p))
		}
		x3 := sub(sub(mul(slope, slope), x1), x2)
		return x3, sub(mul(slope, sub(x1, x3)), y1)
	}
	for i := k.BitLen() - 1; i >= 0; i-- {
		if rx != nil {
			rx, ry = add(rx, ry, rx, ry)
		}
		if k.Bit(i) == 1 {
			if rx == nil {
				rx, ry = x, y
			} else {
				rx, ry = add(rx, ry, x, y)
			}
		}
	}
	return rx
}
