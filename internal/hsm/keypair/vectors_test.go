package keypair

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"testing"
)

func TestKnownSignatures(t *testing.T) {
	for _, c := range []struct {
		name string
		spec Spec
		key  []byte
		alg  Algorithm
		mt   MessageType
		msg  string
		sig  []byte
		// same: signing gives this very signature.
		same bool
	}{
		{"RFC 8032 7.1 TEST 1", Ed25519, edKey("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"), Ed25519SHA512, Raw, "",
			unhex("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"), true},
		{"RFC 8032 7.1 TEST 3", Ed25519, edKey("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7"), Ed25519SHA512, Raw, "af82",
			unhex("6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"), true},
		{"RFC 8032 7.3 TEST abc (SHA-512 of abc)", Ed25519, edKey("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42"), Ed25519PHSHA512, Digest,
			"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
			unhex("98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae4131f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"), true},
		{"RFC 6979 A.2.5", P256, ecKey(curveP256(), unhex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721")), ECDSASHA256, Raw, hex.EncodeToString([]byte("sample")),
			signatureOf("EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716", "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"), false},
		{"RFC 6979 A.2.6", P384, ecKey(curveP384(), unhex("6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA9AA47740787137D896D5724E4C70A825F872C9EA60D2EDF5")), ECDSASHA384, Raw, hex.EncodeToString([]byte("sample")),
			signatureOf("94EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA73D64C4EA95AD133C81A648152E44ACF96E36DD1E80FABE46", "99EF4AEB15F178CEA1FE40DB2603138F130E740A19624526203B6351D0A3A94FA329C145786E679E7B82C71A38628AC8"), false},
		{"RFC 6979 A.2.7", P521, ecKey(curveP521(), unhex("00FAD06DAA62BA3B25D2FB40133DA757205DE67F5BB0018FEE8C86E1B68C7E75CAA896EB32F1F47C70855836A6D16FCC1466F6D8FBEC67DB89EC0C08B0E996B83538")), ECDSASHA512, Raw, hex.EncodeToString([]byte("sample")),
			signatureOf("00C328FAFCBD79DD77850370C46325D987CB525569FB63C5D3BC53950E6D4C5F174E25A1EE9017B5D450606ADD152B534931D7D4E8455CC91F9B15BF05EC36E377FA", "00617CCE7CF5064806C467F678D3B4080D6F1CC50AF26CA209417308281B68AF282623EAA63E5B5C0723D8B8C37FF0777B1A20F8CCB1DCCC43997F1EE0E44DA4A67A"), false},
		{"bitcoin forum, topic 285142: RFC 6979 on secp256k1", P256K1, ecKey(curveP256K1(), []byte{1}), ECDSASHA256, Raw, hex.EncodeToString([]byte("Satoshi Nakamoto")),
			signatureOf("934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8", "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5"), true},
		{"the same with n - s", P256K1, ecKey(curveP256K1(), []byte{1}), ECDSASHA256, Raw, hex.EncodeToString([]byte("Satoshi Nakamoto")),
			signatureOf("934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8", "dbbd3162d46e9f9bef7feb87c16dc13b4f6568a87f4e83f728e2443ba586675c"), false},
		{"GB/T 32918.5 A.2", SM2, ecKey(curveSM2(), unhex(gbKey)), SM2DSA, Raw, hex.EncodeToString([]byte("message digest")), gbSignature(), false},
		{"GB/T 32918.5 A.2, e", SM2, ecKey(curveSM2(), unhex(gbKey)), SM2DSA, Digest, "F0B43E94BA45ACCAACE692ED534382EB17E6AB5A19CE7B31F4486FDFC0D28640", gbSignature(), false},
	} {
		if !slices.Contains(usable(), c.spec) {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			k, err := ParsePKCS8(c.spec, c.key)
			if err != nil {
				t.Fatal(err)
			}
			msg := unhex(c.msg)
			if err := k.Public().Verify(c.alg, c.mt, msg, c.sig); err != nil {
				t.Error(err)
			}
			if got := must(k.Sign(c.alg, c.mt, msg)); c.same && !bytes.Equal(got, c.sig) {
				t.Errorf("signed %x", got)
			}
			if err := k.Public().Verify(c.alg, c.mt, append([]byte{^byte(0)}, msg[min(1, len(msg)):]...), c.sig); !errors.Is(err, ErrSignature) {
				t.Errorf("another message: %v", err)
			}
		})
	}
}

const gbKey = "3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8"

func gbSignature() []byte {
	return signatureOf("F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3", "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA")
}

// edKey writes a seed as RFC 8410 §7 has it.
func edKey(seed string) []byte {
	return der(0x30, der(2, []byte{0}), der(0x30, oid(idEd25519())), der(4, der(4, unhex(seed))))
}

// TestKnownSM2Ciphertext is the example of GB/T 32918.5 C.2.
func TestKnownSM2Ciphertext(t *testing.T) {
	if !slices.Contains(usable(), SM2) {
		return
	}
	k := must(ParsePKCS8(SM2, ecKey(curveSM2(), unhex(gbKey))))
	x, y := "04EBFC718E8D1798620432268E77FEB6415E2EDE0E073C0F4F640ECD2E149A73", "E858F9D81E5430A57B36DAAB8F950A3C64E6EE6A63094D99283AFF767E124DF0"
	hash, body := unhex("59983C18F809E262923C53AEC295D30383B54E39D609D160AFCB1908D0BD8766"), unhex("21886CA989CA9C7D58087307CA93092D651EFA")
	numbers := signatureOf(x, y)[2:]
	plaintext, err := k.Decrypt(SM2PKE, der(0x30, numbers, der(4, hash), der(4, body)))
	if err != nil || string(plaintext) != "encryption standard" {
		t.Errorf("%q, %v", plaintext, err)
	}
	point := append(unhex(x), unhex(y)...)
	for name, bad := range map[string][]byte{
		"C1C2C3 in DER": der(0x30, numbers, der(4, body), der(4, hash)),
		"C1C3C2 raw":    slices.Concat([]byte{4}, point, hash, body),
		"C1C2C3 raw":    slices.Concat([]byte{4}, point, body, hash),
		"compressed":    slices.Concat([]byte{2}, point[:32], hash, body),
		"extra value":   der(0x30, numbers, der(4, hash), der(4, body), der(5)),
		"off the curve": der(0x30, signatureOf(y, x)[2:], der(4, hash), der(4, body)),
		"infinity":      der(0x30, der(2, []byte{0}), der(2, []byte{0}), der(4, hash), der(4, bytes.Repeat(body, 10))),
	} {
		if _, err := k.Decrypt(SM2PKE, bad); err != ErrCiphertext {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestKnownMLKEMEncoding is the seed form of an ML-KEM-512 key in RFC 9935 appendix C.1.1.1.
func TestKnownMLKEMEncoding(t *testing.T) {
	heads := map[Spec]string{
		MLKEM512:  "3054020100300b060960864801650304040104428040",
		MLKEM768:  "3054020100300b060960864801650304040204428040",
		MLKEM1024: "3054020100300b060960864801650304040304428040",
	}
	seed := make([]byte, 64)
	for i := range seed {
		seed[i] = byte(i)
	}
	n := 0
	for spec, head := range heads {
		if !slices.Contains(usable(), spec) {
			continue
		}
		n++
		k := must(ParseSecret(spec, seed))
		if got := must(k.PKCS8()); !bytes.Equal(got, append(unhex(head), seed...)) {
			t.Errorf("%s: %x", spec, got)
		}
	}
	if n < 2 {
		t.Fatalf("only %d cases", n)
	}
}
