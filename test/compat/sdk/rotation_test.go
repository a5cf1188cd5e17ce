package sdk

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/trent-kms/trent/test/internal/harness"
)

// rotation turns the schedule on and off, rotates by hand, and lets time pass.
func (s *story) rotation(t *testing.T) {
	id := s.make(t, kms.CreateKeyInput{})
	status := func() *kms.GetKeyRotationStatusOutput {
		return must(s.kms.GetKeyRotationStatus(t.Context(), &kms.GetKeyRotationStatusInput{KeyId: &id}))(t)
	}
	seal := func(text string) []byte {
		return must(s.kms.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &id, Plaintext: []byte(text)}))(t).CiphertextBlob
	}
	if r := status(); r.KeyRotationEnabled || r.RotationPeriodInDays != nil || r.NextRotationDate != nil {
		t.Errorf("%+v", r)
	}
	first := *s.describe(t, id).CurrentKeyMaterialId
	materials, ciphertexts := []string{first}, [][]byte{seal("0")}
	rotate := func(how func()) {
		t.Helper()
		how()
		now := *s.describe(t, id).CurrentKeyMaterialId
		if slices.Contains(materials, now) {
			t.Errorf("not rotated: %s", now)
		}
		materials, ciphertexts = append(materials, now), append(ciphertexts, seal(now))
	}
	onDemand := func() {
		if out := must(s.kms.RotateKeyOnDemand(t.Context(), &kms.RotateKeyOnDemandInput{KeyId: &id}))(t); *out.KeyId != arn(id) {
			t.Errorf("rotated %s", *out.KeyId)
		}
	}
	rotate(onDemand)
	must(s.kms.EnableKeyRotation(t.Context(), &kms.EnableKeyRotationInput{KeyId: &id, RotationPeriodInDays: aws.Int32(90)}))(t)
	s.crash(t)
	r := status()
	if in := time.Until(*r.NextRotationDate); !r.KeyRotationEnabled || *r.RotationPeriodInDays != 90 || in > 90*24*time.Hour || in < 90*24*time.Hour-time.Minute {
		t.Errorf("%+v, next in %s", r, in)
	}
	rotate(func() { advance(t, s.server, "91d") })
	must(s.kms.DisableKeyRotation(t.Context(), &kms.DisableKeyRotationInput{KeyId: &id}))(t)
	if r := status(); r.KeyRotationEnabled || r.NextRotationDate != nil {
		t.Errorf("%+v", r)
	}
	rotate(onDemand)
	s.crash(t)
	for i, c := range ciphertexts {
		s.opens(t, id, c, materials[i])
	}
	s.rotations(t, id, "NON_CURRENT", "NON_CURRENT ON_DEMAND", "NON_CURRENT AUTOMATIC", "CURRENT ON_DEMAND")
	only := must(s.kms.ListKeyRotations(t.Context(), &kms.ListKeyRotationsInput{KeyId: &id}))(t)
	if len(only.Rotations) != 3 || only.Truncated || only.Rotations[1].RotationType != types.RotationTypeAutomatic || !only.Rotations[1].RotationDate.Equal(*r.NextRotationDate) {
		t.Errorf("%+v, due at %s", only, r.NextRotationDate)
	}
}

// TestWhatRotationRefuses are the errors of the five operations of rotation.
func TestWhatRotationRefuses(t *testing.T) {
	s := harness.Start(t, "--dev")
	c := newClient(s)
	key := func(spec types.KeySpec, usage types.KeyUsageType) string {
		return *must(c.CreateKey(t.Context(), &kms.CreateKeyInput{KeySpec: spec, KeyUsage: usage}))(t).KeyMetadata.KeyId
	}
	worn, soon, off, pair := key("", ""), key("", ""), key("", ""), key(types.KeySpecEccNistP256, types.KeyUsageTypeSignVerify)
	for range 25 {
		must(c.RotateKeyOnDemand(t.Context(), &kms.RotateKeyOnDemandInput{KeyId: &worn}))(t)
	}
	must(c.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &off}))(t)
	must(c.EnableKeyRotation(t.Context(), &kms.EnableKeyRotationInput{KeyId: &soon, RotationPeriodInDays: aws.Int32(90)}))(t)
	advance(t, s, "2159h50m") // of 2160
	enable := func(id string, days int32) func() error {
		return attempt(t, c.EnableKeyRotation, kms.EnableKeyRotationInput{KeyId: &id, RotationPeriodInDays: &days})
	}
	rotate := func(id string) func() error {
		return attempt(t, c.RotateKeyOnDemand, kms.RotateKeyOnDemandInput{KeyId: &id})
	}
	const outside = "1 validation error detected: Value '%d' at 'rotationPeriodInDays' failed to satisfy constraint: Member must have value "
	refuseAll(t, []refusal{
		{"RotateKeyOnDemand too often", "LimitExceededException",
			"The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed for this key: " + arn(worn), rotate(worn)},
		{"RotateKeyOnDemand just before it rotates by itself", "ConflictException", ours, rotate(soon)},
		{"RotateKeyOnDemand of a key that is off", "DisabledException", arn(off) + " is disabled.", rotate(off)},
		{"RotateKeyOnDemand of a key pair", "UnsupportedOperationException", "", rotate(pair)},
		{"EnableKeyRotation of a key pair", "UnsupportedOperationException", "", enable(pair, 90)},
		{"EnableKeyRotation of a key that is off", "DisabledException", arn(off) + " is disabled.", enable(off, 90)},
		{"EnableKeyRotation too often", "ValidationException", strings.Replace(outside, "%d", "89", 1) + "greater than or equal to 90", enable(worn, 89)},
		{"EnableKeyRotation too seldom", "ValidationException", strings.Replace(outside, "%d", "2561", 1) + "less than or equal to 2560", enable(worn, 2561)},
		{"DisableKeyRotation of a key that is off", "DisabledException", arn(off) + " is disabled.", attempt(t, c.DisableKeyRotation, kms.DisableKeyRotationInput{KeyId: &off})},
		{"DisableKeyRotation of a key pair", "UnsupportedOperationException", "", attempt(t, c.DisableKeyRotation, kms.DisableKeyRotationInput{KeyId: &pair})},
		{"ListKeyRotations with somebody else's marker", "InvalidMarkerException", ours, attempt(t, c.ListKeyRotations, kms.ListKeyRotationsInput{KeyId: &worn, Marker: aws.String("mine")})},
	})
	n := 0
	for p := kms.NewListKeyRotationsPaginator(c, &kms.ListKeyRotationsInput{KeyId: &worn, Limit: aws.Int32(10)}); p.HasMorePages(); {
		n += len(must(p.NextPage(t.Context()))(t).Rotations)
	}
	if n != 25 {
		t.Errorf("%d rotations", n)
	}
	// What does not rotate has no rotations, and says so without an error.
	if r := must(c.GetKeyRotationStatus(t.Context(), &kms.GetKeyRotationStatusInput{KeyId: &pair}))(t); r.KeyRotationEnabled {
		t.Errorf("%+v", r)
	}
	if r := must(c.ListKeyRotations(t.Context(), &kms.ListKeyRotationsInput{KeyId: &pair}))(t); len(r.Rotations) != 0 {
		t.Errorf("%+v", r)
	}
}
