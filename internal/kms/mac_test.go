package kms_test

import (
	"bytes"
	"slices"
	"testing"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// macs are the HMAC specs: the algorithm of each, and how long its codes are.
func macs() map[kmsapi.KeySpec]struct {
	alg  kmsapi.MacAlgorithmSpec
	size int
} {
	return map[kmsapi.KeySpec]struct {
		alg  kmsapi.MacAlgorithmSpec
		size int
	}{
		kmsapi.KeySpecHmac224: {kmsapi.MacAlgorithmSpecHmacSha224, 28},
		kmsapi.KeySpecHmac256: {kmsapi.MacAlgorithmSpecHmacSha256, 32},
		kmsapi.KeySpecHmac384: {kmsapi.MacAlgorithmSpecHmacSha384, 48},
		kmsapi.KeySpecHmac512: {kmsapi.MacAlgorithmSpecHmacSha512, 64},
	}
}

func (u user) mac(id string, alg kmsapi.MacAlgorithmSpec, message []byte) []byte {
	u.t.Helper()
	return do[kmsapi.GenerateMacResponse](u, &kmsapi.GenerateMacRequest{KeyId: &id, MacAlgorithm: &alg, Message: message}).Mac
}

func verifyMacRequest(id string, alg kmsapi.MacAlgorithmSpec, message, mac []byte) *kmsapi.VerifyMacRequest {
	return &kmsapi.VerifyMacRequest{KeyId: &id, MacAlgorithm: &alg, Message: message, Mac: mac}
}

func TestGenerateAndVerifyMac(t *testing.T) {
	u := newWorld(t).as(alice)
	for spec, want := range macs() {
		id := u.keyOf(spec, kmsapi.KeyUsageTypeGenerateVerifyMac)
		for _, size := range []int{1, 64, 128, 129, 4096} {
			message := bytes.Repeat([]byte{'m'}, size)
			out := do[kmsapi.GenerateMacResponse](u, &kmsapi.GenerateMacRequest{KeyId: &id, MacAlgorithm: &want.alg, Message: message})
			if len(out.Mac) != want.size || *out.MacAlgorithm != want.alg || *out.KeyId != u.keyARN(id) {
				t.Errorf("%s: %d bytes, algorithm %s, key %s", spec, len(out.Mac), *out.MacAlgorithm, *out.KeyId)
			}
			valid := do[kmsapi.VerifyMacResponse](u, verifyMacRequest(u.keyARN(id), want.alg, message, out.Mac))
			if !*valid.MacValid || *valid.MacAlgorithm != want.alg || *valid.KeyId != u.keyARN(id) {
				t.Errorf("%s: valid %v, algorithm %s, key %s", spec, *valid.MacValid, *valid.MacAlgorithm, *valid.KeyId)
			}
			if again := u.mac(id, want.alg, message); !bytes.Equal(again, out.Mac) {
				t.Errorf("%s: %d bytes have two codes", spec, size)
			}
		}
	}
}

// TestChangedMacs changes every bit of codes, their lengths, the message and the key: one answer, without a word more.
func TestChangedMacs(t *testing.T) {
	u := newWorld(t).as(alice)
	tried := 0
	for spec, of := range macs() {
		id, other := u.keyOf(spec, kmsapi.KeyUsageTypeGenerateVerifyMac), u.keyOf(spec, kmsapi.KeyUsageTypeGenerateVerifyMac)
		mac := u.mac(id, of.alg, []byte(secret))
		wrong := [][]byte{append(slices.Clone(mac), 0), make([]byte, of.size), make([]byte, 6144), u.mac(other, of.alg, []byte(secret)), u.mac(id, of.alg, []byte(secret+"\x00"))}
		for bit := range 8 * len(mac) {
			changed := slices.Clone(mac)
			changed[bit/8] ^= 1 << (bit % 8)
			wrong = append(wrong, changed)
		}
		for n := 1; n < len(mac); n++ {
			wrong = append(wrong, mac[:n], mac[n:])
		}
		for _, mac := range wrong {
			u.refused(verifyMacRequest(id, of.alg, []byte(secret), mac), "KMSInvalidMacException", "")
			tried++
		}
	}
	if tried < 1600 {
		t.Errorf("only %d changes", tried)
	}
}

func TestMacParameters(t *testing.T) {
	u := newWorld(t).as(alice)
	keys := u.ring(kmsapi.KeyUsageTypeGenerateVerifyMac)
	both := func(id string, alg kmsapi.MacAlgorithmSpec, message []byte, code, text string) {
		t.Helper()
		u.refused(&kmsapi.GenerateMacRequest{KeyId: &id, MacAlgorithm: &alg, Message: message}, code, text)
		u.refused(verifyMacRequest(id, alg, message, []byte(secret)), code, text)
	}
	const invalid = "1 validation error detected: Value "
	for spec, of := range macs() {
		id := keys.of(spec)
		for other, theirs := range macs() {
			if other != spec {
				both(id, theirs.alg, []byte(secret), "InvalidKeyUsageException", "Algorithm "+string(theirs.alg)+" is incompatible with key spec "+string(spec)+".")
			}
		}
		both(id, of.alg, []byte{}, "ValidationException", invalid+"at 'message' failed to satisfy constraint: Member must have length greater than or equal to 1")
		both(id, of.alg, make([]byte, 4097), "ValidationException", invalid+"at 'message' failed to satisfy constraint: Member must have length less than or equal to 4096")
		both(id, of.alg, nil, "ValidationException", invalid+"null at 'message' failed to satisfy constraint: Member must not be null")
		u.refused(verifyMacRequest(id, of.alg, []byte(secret), []byte{}), "ValidationException", invalid+"at 'mac' failed to satisfy constraint: Member must have length greater than or equal to 1")
		u.refused(verifyMacRequest(id, of.alg, []byte(secret), make([]byte, 6145)), "ValidationException", invalid+"at 'mac' failed to satisfy constraint: Member must have length less than or equal to 6144")
		u.refused(&kmsapi.GenerateMacRequest{KeyId: &id, MacAlgorithm: &of.alg, Message: []byte(secret), DryRun: new(true)}, "DryRunOperationException", dryRun)
		right := verifyMacRequest(id, of.alg, []byte(secret), u.mac(id, of.alg, []byte(secret)))
		right.DryRun = new(true)
		u.refused(right, "DryRunOperationException", dryRun)
		right.Mac = []byte(secret)
		u.refused(right, "KMSInvalidMacException", "")
	}
	for _, id := range []string{u.createKey(), u.keyOf(kmsapi.KeySpecEccNistP256, kmsapi.KeyUsageTypeSignVerify)} {
		usage := u.keyARN(id) + " key usage is " + string(*u.describe(id).KeyUsage) + " which is not valid for "
		u.refused(&kmsapi.GenerateMacRequest{KeyId: &id, MacAlgorithm: new(kmsapi.MacAlgorithmSpecHmacSha256), Message: []byte(secret)}, "InvalidKeyUsageException", usage+"GenerateMac.")
		u.refused(verifyMacRequest(id, kmsapi.MacAlgorithmSpecHmacSha256, []byte(secret), []byte(secret)), "InvalidKeyUsageException", usage+"VerifyMac.")
	}
	id := keys.of(kmsapi.KeySpecHmac256)
	u.disable(id)
	both(id, kmsapi.MacAlgorithmSpecHmacSha256, []byte(secret), "DisabledException", u.keyARN(id)+" is disabled.")
}
