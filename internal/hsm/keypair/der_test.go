package keypair

import (
	"bytes"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"strings"
	"testing"
)

// der writes one value with as short a length as DER wants.
func der(tag byte, contents ...[]byte) []byte {
	content := bytes.Join(contents, nil)
	header := []byte{tag}
	switch n := len(content); {
	case n < 0x80:
		header = append(header, byte(n))
	case n < 0x100:
		header = append(header, 0x81, byte(n))
	default:
		header = append(header, 0x82, byte(n>>8), byte(n))
	}
	return append(header, content...)
}

func oid(o asn1.ObjectIdentifier) []byte { return must(asn1.Marshal(o)) }

func integer(n *big.Int) []byte { return must(asn1.Marshal(n)) }

func unhex(s string) []byte { return must(hex.DecodeString(strings.ReplaceAll(s, " ", ""))) }

// splitSignature returns the contents of the two INTEGERs.
func splitSignature(t testing.TB, signature []byte) (r, s []byte) {
	t.Helper()
	parts, err := sequence(signature)
	if err != nil || len(parts) != 2 {
		t.Fatalf("not a signature: %x", signature)
	}
	return parts[0].Bytes, parts[1].Bytes
}

func joinSignature(r, s []byte) []byte { return der(0x30, der(2, r), der(2, s)) }

// signatureOf writes two numbers in hex as a signature.
func signatureOf(r, s string) []byte {
	number := func(h string) *big.Int { return new(big.Int).SetBytes(unhex(h)) }
	return der(0x30, integer(number(r)), integer(number(s)))
}

func trim(number []byte) []byte { return bytes.TrimLeft(number, "\x00") }

// ecKey writes an elliptic curve key without its point, as imports may have it.
func ecKey(curve asn1.ObjectIdentifier, scalar []byte) []byte {
	return ecKeyWith(curve, der(0x30, der(2, []byte{1}), der(4, scalar)))
}

func ecKeyWith(curve asn1.ObjectIdentifier, inner []byte) []byte {
	return der(0x30, der(2, []byte{0}), der(0x30, oid(ecPublicKey()), oid(curve)), der(4, inner))
}
