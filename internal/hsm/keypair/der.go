package keypair

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
)

// errDER is why an encoding is refused; the exported functions hide it.
var errDER = errors.New("keypair: unexpected DER")

// unmarshal decodes exactly one value.
func unmarshal(der []byte, value any) error {
	rest, err := asn1.Unmarshal(der, value)
	if err == nil && len(rest) > 0 {
		err = errDER
	}
	return err
}

// sequence takes a SEQUENCE apart. Unmarshalling into a struct would accept elements beyond the last field.
func sequence(der []byte) ([]asn1.RawValue, error) {
	var parts []asn1.RawValue
	err := unmarshal(der, &parts)
	return parts, err
}

// identifier is an AlgorithmIdentifier (RFC 5280 §4.1.1.2); parameter is the zero OID when there are no parameters.
func identifier(algorithm, parameter asn1.ObjectIdentifier) (pkix.AlgorithmIdentifier, error) {
	id := pkix.AlgorithmIdentifier{Algorithm: algorithm}
	if parameter == nil {
		return id, nil
	}
	der, err := asn1.Marshal(parameter)
	id.Parameters = asn1.RawValue{FullBytes: der}
	return id, err
}

// bitString returns the bytes of a BIT STRING's content, which must be whole bytes.
func bitString(content []byte) ([]byte, error) {
	if len(content) == 0 || content[0] != 0 {
		return nil, errDER
	}
	return content[1:], nil
}
