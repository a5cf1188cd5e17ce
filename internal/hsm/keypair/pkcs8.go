package keypair

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
)

// privateKeyInfo is a PKCS #8 key taken apart (RFC 5958 §2, OneAsymmetricKey). All slices point into the input.
type privateKeyInfo struct {
	algorithm asn1.ObjectIdentifier
	// parameters are those of the algorithm in DER; nil if there are none.
	parameters []byte
	// key is what the OCTET STRING holds.
	key []byte
	// public is the public key that version 2 may carry; nil if there is none.
	public []byte
}

// parsePKCS8 reads DER of versions 1 and 2. Attributes are allowed and not looked at, as in OpenSSL.
func parsePKCS8(der []byte) (privateKeyInfo, error) {
	var info privateKeyInfo
	parts, err := sequence(der)
	if err != nil || len(parts) < 3 {
		return info, errDER
	}
	var version int
	if err := unmarshal(parts[0].FullBytes, &version); err != nil || version < 0 || version > 1 {
		return info, errDER
	}
	if info.algorithm, info.parameters, err = parseIdentifier(parts[1].FullBytes); err != nil {
		return info, err
	}
	if err := unmarshal(parts[2].FullBytes, &info.key); err != nil {
		return info, err
	}
	parts = parts[3:]
	if len(parts) > 0 && parts[0].Class == asn1.ClassContextSpecific && parts[0].Tag == 0 && parts[0].IsCompound {
		parts = parts[1:]
	}
	if len(parts) == 0 {
		return info, nil
	}
	if p := parts[0]; len(parts) > 1 || version != 1 || p.Class != asn1.ClassContextSpecific || p.Tag != 1 || p.IsCompound {
		return info, errDER
	}
	info.public, err = bitString(parts[0].Bytes)
	return info, err
}

func parseIdentifier(der []byte) (algorithm asn1.ObjectIdentifier, parameters []byte, err error) {
	parts, err := sequence(der)
	if err != nil || len(parts) == 0 || len(parts) > 2 {
		return nil, nil, errDER
	}
	if err := unmarshal(parts[0].FullBytes, &algorithm); err != nil {
		return nil, nil, err
	}
	if len(parts) == 2 {
		parameters = parts[1].FullBytes
	}
	return algorithm, parameters, nil
}

// is reports whether the key's algorithm identifier is just this one; a nil parameter stands for none.
func (i *privateKeyInfo) is(algorithm, parameter asn1.ObjectIdentifier) bool {
	if !i.algorithm.Equal(algorithm) {
		return false
	}
	if parameter == nil {
		return i.parameters == nil
	}
	want, err := asn1.Marshal(parameter)
	return err == nil && bytes.Equal(i.parameters, want)
}

// marshalPKCS8 writes version 1, without attributes.
func marshalPKCS8(algorithm, parameter asn1.ObjectIdentifier, key []byte) ([]byte, error) {
	id, err := identifier(algorithm, parameter)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(struct {
		Version   int
		Algorithm pkix.AlgorithmIdentifier
		Key       []byte
	}{0, id, key})
}
