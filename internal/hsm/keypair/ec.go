package keypair

import (
	"crypto/subtle"
	"encoding/asn1"
)

// Object identifiers of elliptic curve keys and curves: RFC 5480 §2.1.1, SEC 2 §A.2, GB/T 33560.

func ecPublicKey() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1} }
func curveP256() asn1.ObjectIdentifier   { return asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7} }
func curveP384() asn1.ObjectIdentifier   { return asn1.ObjectIdentifier{1, 3, 132, 0, 34} }
func curveP521() asn1.ObjectIdentifier   { return asn1.ObjectIdentifier{1, 3, 132, 0, 35} }
func curveP256K1() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 3, 132, 0, 10} }
func curveSM2() asn1.ObjectIdentifier    { return asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 301} }

// marshalEC writes an elliptic curve key as PKCS #8 with RFC 5915 inside. The curve stands in the outer structure only,
// where OpenSSL and Go put it. The scalar has the length of the curve's order, the point is uncompressed.
func marshalEC(curve asn1.ObjectIdentifier, scalar, point []byte) ([]byte, error) {
	inner, err := asn1.Marshal(struct {
		Version int
		Scalar  []byte
		Point   asn1.BitString `asn1:"explicit,tag:1"`
	}{1, scalar, asn1.BitString{Bytes: point, BitLength: 8 * len(point)}})
	if err != nil {
		return nil, err
	}
	defer clear(inner)
	return marshalPKCS8(ecPublicKey(), curve, inner)
}

// parseEC returns the scalar of an elliptic curve key in PKCS #8, size bytes, in a slice of its own, and the point or
// points that the key carries. The caller checks that the scalar is in range and hands its point to matchesAll.
func parseEC(curve asn1.ObjectIdentifier, size int, der []byte) (scalar []byte, points [][]byte, err error) {
	info, err := parsePKCS8(der)
	if err != nil || !info.is(ecPublicKey(), curve) {
		return nil, nil, errDER
	}
	if info.public != nil {
		points = append(points, info.public)
	}
	parts, err := sequence(info.key)
	if err != nil || len(parts) < 2 {
		return nil, nil, errDER
	}
	var version int
	if err := unmarshal(parts[0].FullBytes, &version); err != nil || version != 1 {
		return nil, nil, errDER
	}
	var octets []byte
	if err := unmarshal(parts[1].FullBytes, &octets); err != nil {
		return nil, nil, err
	}
	defer clear(octets)
	if scalar, err = fixedLength(octets, size); err != nil {
		return nil, nil, err
	}
	point, err := parseECOptions(curve, parts[2:])
	if point != nil {
		points = append(points, point)
	}
	return scalar, points, err
}

// parseECOptions reads what may follow the scalar (RFC 5915 §3): [0] the curve, which must be the same, and [1] the point.
func parseECOptions(curve asn1.ObjectIdentifier, parts []asn1.RawValue) (point []byte, err error) {
	tagged := func(n int) bool {
		return len(parts) > 0 && parts[0].Class == asn1.ClassContextSpecific && parts[0].Tag == n && parts[0].IsCompound
	}
	if tagged(0) {
		var named asn1.ObjectIdentifier
		if err := unmarshal(parts[0].Bytes, &named); err != nil || !named.Equal(curve) {
			return nil, errDER
		}
		parts = parts[1:]
	}
	if tagged(1) {
		var bits asn1.BitString
		if err := unmarshal(parts[0].Bytes, &bits); err != nil || bits.BitLength != 8*len(bits.Bytes) || len(bits.Bytes) == 0 {
			return nil, errDER
		}
		point, parts = bits.Bytes, parts[1:]
	}
	if len(parts) > 0 {
		return nil, errDER
	}
	return point, nil
}

// fixedLength returns a big-endian number in exactly size bytes. Some programs write leading zeros too many or too few,
// against RFC 5915; the number is clear all the same, and Go and OpenSSL accept it.
func fixedLength(number []byte, size int) ([]byte, error) {
	for len(number) > size {
		if number[0] != 0 {
			return nil, errDER
		}
		number = number[1:]
	}
	fixed := make([]byte, size)
	copy(fixed[size-len(number):], number)
	return fixed, nil
}

// matchesAll reports whether each of the points is this one, given uncompressed (SEC 1 §2.3.3); they may be compressed.
func matchesAll(point []byte, points [][]byte) bool {
	size := len(point) / 2
	compressed := append([]byte{2 | point[len(point)-1]&1}, point[1:1+size]...)
	for _, p := range points {
		if subtle.ConstantTimeCompare(p, point) != 1 && subtle.ConstantTimeCompare(p, compressed) != 1 {
			return false
		}
	}
	return true
}
