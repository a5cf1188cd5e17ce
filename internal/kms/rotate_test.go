package kms_test

import (
	"fmt"
	"testing"
	"time"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

func (u user) enableRotation(key string, days int32) {
	u.t.Helper()
	u.must(&kmsapi.EnableKeyRotationRequest{KeyId: &key, RotationPeriodInDays: &days})
}

func (u user) rotationStatus(key string) *kmsapi.GetKeyRotationStatusResponse {
	u.t.Helper()
	return do[kmsapi.GetKeyRotationStatusResponse](u, &kmsapi.GetKeyRotationStatusRequest{KeyId: &key})
}

func (u user) rotations(key string, include kmsapi.IncludeKeyMaterial) []kmsapi.RotationsListEntry {
	u.t.Helper()
	return do[kmsapi.ListKeyRotationsResponse](u, &kmsapi.ListKeyRotationsRequest{KeyId: &key, IncludeKeyMaterial: &include}).Rotations
}

func (u user) rotateOnDemand(key string) {
	u.t.Helper()
	u.must(&kmsapi.RotateKeyOnDemandRequest{KeyId: &key})
}

// material is the id of a key's current key material.
func (u user) material(key string) string {
	u.t.Helper()
	return *u.describe(key).CurrentKeyMaterialId
}

const day = 24 * time.Hour

func TestRotationIsOffAtFirst(t *testing.T) {
	u := newWorld(t).as(alice)
	s := u.rotationStatus(u.createKey())
	if *s.KeyRotationEnabled || s.NextRotationDate != nil || s.RotationPeriodInDays != nil || s.OnDemandRotationStartDate != nil {
		t.Errorf("got %+v", s)
	}
}

func TestRotationPeriods(t *testing.T) {
	u := newWorld(t).as(alice)
	for _, row := range []struct {
		days *int32
		want int32 // 0: refused
	}{{nil, 365}, {new(int32(90)), 90}, {new(int32(2560)), 2560}, {new(int32(89)), 0}, {new(int32(2561)), 0}, {new(int32(0)), 0}, {new(int32(-365)), 0}} {
		id := u.createKey()
		in := &kmsapi.EnableKeyRotationRequest{KeyId: &id, RotationPeriodInDays: row.days}
		if row.want == 0 {
			u.refusedAs(in, "ValidationException")
			continue
		}
		u.must(in)
		s := u.rotationStatus(id)
		if next := u.now().Add(time.Duration(row.want) * day); !*s.KeyRotationEnabled || *s.RotationPeriodInDays != row.want || next.Sub(*s.NextRotationDate).Abs() > time.Minute {
			t.Errorf("%d days: got %v %d %v", row.want, *s.KeyRotationEnabled, *s.RotationPeriodInDays, s.NextRotationDate)
		}
	}
}

// A rotation that is due has happened, whatever asks first.
func TestDueRotationHappensByItself(t *testing.T) {
	for _, first := range []string{"DescribeKey", "Encrypt", "Decrypt", "ListKeyRotations", "GetKeyRotationStatus", "GenerateDataKey"} {
		t.Run(first, func(t *testing.T) {
			u := newWorld(t).as(alice)
			id := u.createKey()
			u.enableRotation(id, 90)
			due := *u.rotationStatus(id).NextRotationDate
			before, ciphertext := u.material(id), u.encrypt(id, secret, nil)
			u.advance("89d")
			if got := u.material(id); got != before {
				t.Fatal("rotated a day early")
			}
			u.advance("1d")
			u.must(firstRequest(first, id, ciphertext))
			after := u.material(id)
			if after == before {
				t.Error("not rotated")
			}
			if got := u.decrypt(ciphertext, nil); got != secret {
				t.Error("old material does not decrypt")
			}
			got := u.rotations(id, kmsapi.IncludeKeyMaterialAllKeyMaterial)
			if len(got) != 2 || *got[0].KeyMaterialId != before || *got[1].KeyMaterialId != after || *got[0].KeyMaterialState != "NON_CURRENT" || *got[1].KeyMaterialState != "CURRENT" || got[0].RotationDate != nil || !got[1].RotationDate.Equal(due) || *got[1].RotationType != "AUTOMATIC" {
				t.Errorf("rotations: %+v", got)
			}
			if next := *u.rotationStatus(id).NextRotationDate; !next.Equal(due.Add(90 * day)) {
				t.Errorf("the next rotation is on %s, want 90 days after %s", next, due)
			}
		})
	}
}

func firstRequest(operation, id string, ciphertext []byte) request {
	switch operation {
	case "DescribeKey":
		return &kmsapi.DescribeKeyRequest{KeyId: &id}
	case "Encrypt":
		return &kmsapi.EncryptRequest{KeyId: &id, Plaintext: []byte("x")}
	case "Decrypt":
		return &kmsapi.DecryptRequest{CiphertextBlob: ciphertext}
	case "ListKeyRotations":
		return &kmsapi.ListKeyRotationsRequest{KeyId: &id}
	case "GetKeyRotationStatus":
		return &kmsapi.GetKeyRotationStatusRequest{KeyId: &id}
	}
	return &kmsapi.GenerateDataKeyRequest{KeyId: &id, KeySpec: new(kmsapi.DataKeySpecAes256)}
}

// A key that nobody touched for years has rotated on each of its dates.
func TestRotationsOfYearsWithoutUse(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	u.enableRotation(id, 365)
	first := *u.rotationStatus(id).NextRotationDate
	u.advance("1826d") // five times 365, and a day
	got := u.rotations(id, kmsapi.IncludeKeyMaterialRotationsOnly)
	if len(got) != 5 {
		t.Fatalf("%d rotations, want 5", len(got))
	}
	for i, r := range got {
		if want := first.Add(time.Duration(i) * 365 * day); !r.RotationDate.Equal(want) {
			t.Errorf("rotation %d on %s, want %s", i, r.RotationDate, want)
		}
	}
}

// Of more rotations than one request makes up for, the latest are made.
func TestRotationsOfManyYears(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	u.enableRotation(id, 90)
	u.advance("6301d") // seventy times 90, and a day
	u.describe(id)
	got := u.rotations(id, kmsapi.IncludeKeyMaterialRotationsOnly)
	if last := u.now().Sub(*got[len(got)-1].RotationDate); len(got) != 64 || last > 2*day {
		t.Errorf("%d rotations, want 64, the last %s ago", len(got), last)
	}
}

func TestADryRunMakesUpForNoRotation(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	u.enableRotation(id, 90)
	u.advance("90d")
	u.refused(&kmsapi.EncryptRequest{KeyId: &id, Plaintext: []byte("x"), DryRun: new(true)}, "DryRunOperationException", dryRun)
	if k := u.readRecords().keys[u.keyPath(id)]; len(k.Materials) != 1 {
		t.Errorf("%d sets of key material", len(k.Materials))
	}
}

// A disabled key does not rotate; when it is enabled again, one rotation happens at once and the next a period later.
func TestRotationOfDisabledKeys(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	u.enableRotation(id, 90)
	before := u.material(id)
	u.disable(id)
	u.advance("200d") // two dates
	if s := u.rotationStatus(id); !*s.KeyRotationEnabled || u.material(id) != before {
		t.Error("a disabled key rotated, or its rotation is off")
	}
	u.must(&kmsapi.EnableKeyRequest{KeyId: &id})
	if got := len(u.rotations(id, kmsapi.IncludeKeyMaterialRotationsOnly)); got != 1 || u.material(id) == before {
		t.Errorf("%d rotations, want 1", got)
	}
	if next := *u.rotationStatus(id).NextRotationDate; u.now().Add(90*day).Sub(next).Abs() > time.Minute {
		t.Errorf("the next rotation is on %s", next)
	}
}

// A key pending deletion shows rotation as off, and does not rotate; cancelled, it has its setting back.
func TestRotationOfKeysPendingDeletion(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	u.enableRotation(id, 90)
	u.advance("85d")
	u.schedule(id)
	u.advance("6d")
	if s := u.rotationStatus(id); *s.KeyRotationEnabled || s.NextRotationDate != nil {
		t.Error("rotation is shown as on")
	}
	u.must(&kmsapi.CancelKeyDeletionRequest{KeyId: &id})
	if s := u.rotationStatus(id); !*s.KeyRotationEnabled || *s.RotationPeriodInDays != 90 {
		t.Error("the setting is lost")
	}
	if got := len(u.rotations(id, kmsapi.IncludeKeyMaterialRotationsOnly)); got != 0 {
		t.Errorf("%d rotations of a key that could not be used", got)
	}
	u.must(&kmsapi.EnableKeyRequest{KeyId: &id})
	if got := len(u.rotations(id, kmsapi.IncludeKeyMaterialRotationsOnly)); got != 1 {
		t.Errorf("%d rotations, want the overdue one", got)
	}
}

func TestDisableRotation(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	u.enableRotation(id, 90)
	u.advance("90d")
	current := u.material(id)
	u.must(&kmsapi.DisableKeyRotationRequest{KeyId: &id})
	u.must(&kmsapi.DisableKeyRotationRequest{KeyId: &id}) // twice is fine
	u.advance("1000d")
	if s := u.rotationStatus(id); *s.KeyRotationEnabled || u.material(id) != current {
		t.Error("rotated although rotation is off")
	}
	u.must(&kmsapi.EnableKeyRotationRequest{KeyId: &id})
	if s := u.rotationStatus(id); *s.RotationPeriodInDays != 365 || u.now().Add(365*day).Sub(*s.NextRotationDate).Abs() > time.Minute {
		t.Error("the schedule does not begin anew")
	}
}

func TestChangingThePeriodRestartsTheSchedule(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	u.enableRotation(id, 365)
	u.advance("100d")
	u.must(&kmsapi.EnableKeyRotationRequest{KeyId: &id}) // says nothing: keeps everything
	if s := u.rotationStatus(id); *s.RotationPeriodInDays != 365 || u.now().Add(265*day).Sub(*s.NextRotationDate).Abs() > time.Minute {
		t.Errorf("changed to %d days, next on %s", *s.RotationPeriodInDays, s.NextRotationDate)
	}
	u.enableRotation(id, 90)
	if s := u.rotationStatus(id); *s.RotationPeriodInDays != 90 || u.now().Add(90*day).Sub(*s.NextRotationDate).Abs() > time.Minute {
		t.Errorf("%d days, next on %s", *s.RotationPeriodInDays, s.NextRotationDate)
	}
}

func TestRotateOnDemand(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	seen, ciphertexts := map[string]bool{u.material(id): true}, [][]byte{u.encrypt(id, secret, nil)}
	for range 25 {
		u.rotateOnDemand(id)
		seen[u.material(id)] = true
		ciphertexts = append(ciphertexts, u.encrypt(id, secret, nil))
	}
	u.refused(&kmsapi.RotateKeyOnDemandRequest{KeyId: &id}, "LimitExceededException",
		"The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed for this key: "+u.keyARN(id))
	if len(seen) != 26 {
		t.Errorf("%d different sets of key material, want 26", len(seen))
	}
	for i, c := range ciphertexts {
		if u.decrypt(c, nil) != secret {
			t.Errorf("the ciphertext of rotation %d does not open", i)
		}
	}
	for _, r := range u.rotations(id, kmsapi.IncludeKeyMaterialRotationsOnly) {
		if *r.RotationType != "ON_DEMAND" || r.ImportState != nil || r.ExpirationModel != nil {
			t.Errorf("got %+v", r)
		}
	}
	if got := len(u.eventsNamed("RotateKey")); got != 25 {
		t.Errorf("%d RotateKey records, want 25", got)
	}
}

// An automatic rotation goes its way beside those on demand, and none on demand begins just before it.
func TestOnDemandBesideAutomatic(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	u.enableRotation(id, 90)
	next := *u.rotationStatus(id).NextRotationDate
	u.advance("45d")
	u.rotateOnDemand(id)
	if got := *u.rotationStatus(id).NextRotationDate; !got.Equal(next) {
		t.Errorf("the automatic rotation moved from %s to %s", next, got)
	}
	u.advance("1079h") // 59 minutes before
	u.rotateOnDemand(id)
	u.advance("40m")
	u.refusedAs(&kmsapi.RotateKeyOnDemandRequest{KeyId: &id}, "ConflictException")
	u.advance("20m")
	u.rotateOnDemand(id)
	if got := len(u.rotations(id, kmsapi.IncludeKeyMaterialRotationsOnly)); got != 4 {
		t.Errorf("%d rotations, want 4", got)
	}
}

// What each kind of key answers to the operations of rotation.
func TestWhichKeysRotate(t *testing.T) {
	u := newWorld(t).as(alice)
	make := func(spec kmsapi.KeySpec, usage kmsapi.KeyUsageType, origin kmsapi.OriginType) string {
		return *do[kmsapi.CreateKeyResponse](u, &kmsapi.CreateKeyRequest{KeySpec: &spec, KeyUsage: &usage, Origin: &origin}).KeyMetadata.KeyId
	}
	curve := make(kmsapi.KeySpecEccNistP256, kmsapi.KeyUsageTypeSignVerify, kmsapi.OriginTypeAwsKms)
	hmac := make(kmsapi.KeySpecHmac256, kmsapi.KeyUsageTypeGenerateVerifyMac, kmsapi.OriginTypeAwsKms)
	external := make(kmsapi.KeySpecSymmetricDefault, kmsapi.KeyUsageTypeEncryptDecrypt, kmsapi.OriginTypeExternal)
	origin := u.keyARN(external) + " origin is EXTERNAL which is not valid for this operation."
	for _, row := range []struct{ key, code, enable, onDemand string }{
		{curve, "UnsupportedOperationException", "", ""},
		{hmac, "UnsupportedOperationException", "", ""},
		{external, "UnsupportedOperationException", origin, "KMSInvalidStateException " + u.keyARN(external) + " is pending import."},
	} {
		u.refused(&kmsapi.EnableKeyRotationRequest{KeyId: &row.key}, row.code, row.enable)
		u.refused(&kmsapi.DisableKeyRotationRequest{KeyId: &row.key}, row.code, row.enable)
		a := u.send(&kmsapi.RotateKeyOnDemandRequest{KeyId: &row.key})
		if want := row.onDemand; want == "" && a.code != row.code || want != "" && a.code+" "+a.message != want {
			t.Errorf("RotateKeyOnDemand: got %s %s", a.code, a.message)
		}
	}
	for _, id := range []string{curve, hmac} {
		if s := u.rotationStatus(id); *s.KeyRotationEnabled {
			t.Error("rotation is on")
		}
		if got := u.rotations(id, kmsapi.IncludeKeyMaterialAllKeyMaterial); len(got) != 0 {
			t.Errorf("rotations %v", got)
		}
	}
}

// The keys of AWS services rotate every year, and nobody can change that.
func TestManagedKeysRotate(t *testing.T) {
	u := newWorld(t).as(alice)
	id := *u.describe("alias/aws/s3").KeyId
	before := u.material(id)
	if s := u.rotationStatus(id); !*s.KeyRotationEnabled || *s.RotationPeriodInDays != 365 {
		t.Error("rotation is off")
	}
	u.refusedAs(&kmsapi.DisableKeyRotationRequest{KeyId: &id}, "AccessDeniedException")
	u.refusedAs(&kmsapi.RotateKeyOnDemandRequest{KeyId: &id}, "AccessDeniedException")
	u.advance("365d")
	if u.material(id) == before {
		t.Error("not rotated after a year")
	}
}

func TestRotationsInPages(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	for range 7 {
		u.rotateOnDemand(id)
	}
	var got []string
	in := &kmsapi.ListKeyRotationsRequest{KeyId: &id, Limit: new(int32(3)), IncludeKeyMaterial: new(kmsapi.IncludeKeyMaterialAllKeyMaterial)}
	for pages := 1; ; pages++ {
		out := do[kmsapi.ListKeyRotationsResponse](u, in)
		for _, r := range out.Rotations {
			got = append(got, *r.KeyMaterialId)
		}
		if !*out.Truncated {
			if pages != 3 || out.NextMarker != nil {
				t.Errorf("%d pages, marker %v", pages, out.NextMarker)
			}
			break
		}
		in.Marker = out.NextMarker
	}
	all := u.rotations(id, kmsapi.IncludeKeyMaterialAllKeyMaterial)
	for i, r := range all {
		if len(got) != len(all) || got[i] != *r.KeyMaterialId {
			t.Fatalf("pages give %v", got)
		}
	}
	other := *in
	other.IncludeKeyMaterial = new(kmsapi.IncludeKeyMaterialRotationsOnly)
	u.refusedAs(&other, "InvalidMarkerException")
}

// Many requests find the same rotation due: it happens once.
func TestConcurrentRequestsRotateOnce(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	u.enableRotation(id, 90)
	u.advance("90d")
	done := make(chan string)
	for i := range 16 {
		go func() {
			a := u.send(&kmsapi.EncryptRequest{KeyId: &id, Plaintext: fmt.Appendf(nil, "%d", i)})
			done <- a.code
		}()
	}
	for range 16 {
		if code := <-done; code != "" {
			t.Error(code)
		}
	}
	if got := len(u.rotations(id, kmsapi.IncludeKeyMaterialAllKeyMaterial)); got != 2 {
		t.Errorf("%d sets of key material, want 2", got)
	}
	if got := len(u.eventsNamed("RotateKey")); got != 1 {
		t.Errorf("%d records of one rotation", got)
	}
}

// Who is not allowed to use a key, or to look at it, does not bring about a rotation that is due either.
func TestDeniedCallerDoesNotRotate(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	id, other := u.createKey(), u.createKey()
	ciphertext := u.encrypt(id, secret, nil)
	u.enableRotation(id, 90)
	carol := u.newUser("carol", identity("Allow", u.keyARN(other), "", "kms:*"), allowing("kms:ReEncryptFrom"))
	u.advance("90d")
	arn := u.keyARN(id)
	for _, v := range []user{carol, w.as(bob)} {
		for _, in := range []request{
			&kmsapi.DescribeKeyRequest{KeyId: &arn}, &kmsapi.EncryptRequest{KeyId: &arn, Plaintext: []byte(secret)}, &kmsapi.DecryptRequest{CiphertextBlob: ciphertext},
			&kmsapi.ListKeyRotationsRequest{KeyId: &arn}, &kmsapi.RotateKeyOnDemandRequest{KeyId: &arn}, &kmsapi.ListAliasesRequest{KeyId: &arn},
			&kmsapi.ReEncryptRequest{CiphertextBlob: ciphertext, SourceKeyId: &arn, DestinationKeyId: &arn}, // one half of it is allowed
			&kmsapi.CreateAliasRequest{AliasName: new("alias/app"), TargetKeyId: &arn},
		} {
			v.refusedAs(in, "AccessDeniedException")
		}
	}
	if n := len(w.readRecords().keys[u.keyPath(id)].Materials); n != 1 {
		t.Errorf("%d sets of key material: who was refused has rotated the key", n)
	}
	u.describe(id)
	if n := len(w.readRecords().keys[u.keyPath(id)].Materials); n != 2 {
		t.Errorf("%d sets of key material, want 2", n)
	}
}
