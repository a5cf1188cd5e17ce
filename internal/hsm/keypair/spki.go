package keypair

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
)

// marshalSPKI writes a SubjectPublicKeyInfo (RFC 5280 §4.1).
func marshalSPKI(algorithm, parameter asn1.ObjectIdentifier, key []byte) ([]byte, error) {
	id, err := identifier(algorithm, parameter)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}{id, asn1.BitString{Bytes: key, BitLength: 8 * len(key)}})
}

// parseSPKI returns the key of a SubjectPublicKeyInfo with just this algorithm identifier.
func parseSPKI(algorithm, parameter asn1.ObjectIdentifier, spki []byte) ([]byte, error) {
	parts, err := sequence(spki)
	if err != nil {
		return nil, err
	}
	id, err := identifier(algorithm, parameter)
	if err != nil {
		return nil, err
	}
	want, err := asn1.Marshal(id)
	if err != nil {
		return nil, err
	}
	if len(parts) != 2 || !bytes.Equal(parts[0].FullBytes, want) {
		return nil, errDER
	}
	if k := parts[1]; k.Class != asn1.ClassUniversal || k.Tag != asn1.TagBitString || k.IsCompound {
		return nil, errDER
	}
	return bitString(parts[1].Bytes)
}
