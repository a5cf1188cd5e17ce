package kms_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

func TestRotationToImportedMaterial(t *testing.T) {
	u := newWorld(t).as(alice)
	i := u.external(kmsapi.CreateKeyRequest{}, of(1))
	one := u.material(i.key)
	old := u.encrypt(i.key, "old", nil)
	rotate := &kmsapi.RotateKeyOnDemandRequest{KeyId: &i.key}
	nothing := "No available key material pending rotation for the key: " + u.keyARN(i.key) + "."
	u.refused(rotate, "KMSInvalidStateException", nothing)

	two := i.sends(i.typed(of(2), asNew))
	i.lists([]string{one, two}, "0 CURRENT IMPORTED", "1 PENDING_ROTATION IMPORTED")
	if got := u.material(i.key); got != one {
		t.Errorf("current is %s before the rotation", got)
	}
	text := u.refusedAs(i.typed(of(3), asNew), "KMSInvalidStateException").message
	text = strings.TrimPrefix(text, "New key material (id: ")
	three, text, _ := strings.Cut(text, ") cannot be imported into KMS key "+u.keyARN(i.key))
	if text != ", because another key material (id: "+two+") is pending rotation." {
		t.Errorf("got %q", text)
	}
	u.refused(i.typed(of(2), asNew), "IncorrectKeyMaterialException", "The key material (id: "+two+") is already associated with the key "+u.keyARN(i.key)+".")

	u.rotateOnDemand(i.key)
	u.refused(rotate, "KMSInvalidStateException", nothing)
	i.lists([]string{one, two}, "0 NON_CURRENT IMPORTED", "1 CURRENT IMPORTED")
	if r := u.rotations(i.key, kmsapi.IncludeKeyMaterialRotationsOnly); len(r) != 1 || *r[0].KeyMaterialId != two || *r[0].RotationType != kmsapi.RotationTypeOnDemand {
		t.Errorf("rotations %+v", r)
	}
	fresh := u.encrypt(i.key, "fresh", nil)
	if got := u.decrypt(old, nil) + " " + u.decrypt(fresh, nil); got != "old fresh" || bytes.Equal(old[:60], fresh[:60]) {
		t.Errorf("got %q", got)
	}

	// The key is of use only as long as all of its material is there.
	i.deletes(one)
	i.is(kmsapi.KeyStatePendingImport)
	i.lists([]string{one, two}, "0 NON_CURRENT PENDING_IMPORT", "1 CURRENT IMPORTED")
	u.refused(&kmsapi.DecryptRequest{CiphertextBlob: fresh}, "KMSInvalidStateException", pendingImportText(u, i.key))
	u.refused(rotate, "KMSInvalidStateException", pendingImportText(u, i.key))
	i.deletes("")
	i.imports(of(1))
	i.is(kmsapi.KeyStatePendingImport)
	i.imports(of(2))
	i.is(kmsapi.KeyStateEnabled)
	if got := i.sends(i.typed(of(3), asNew)); got != three {
		t.Errorf("the id is %s, and was to be %s", got, three)
	}
	u.rotateOnDemand(i.key)
	i.lists([]string{one, two, three}, "0 NON_CURRENT IMPORTED", "1 NON_CURRENT IMPORTED", "2 CURRENT IMPORTED")
	if got := u.decrypt(old, nil) + " " + u.decrypt(fresh, nil); got != "old fresh" {
		t.Errorf("got %q", got)
	}
}

// TestPendingMaterial: what waits for a rotation is not the key's for good. It may expire, come back and be deleted, and
// the key stays usable.
func TestPendingMaterial(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	i := u.external(kmsapi.CreateKeyRequest{}, of(1))
	one := u.material(i.key)
	in := i.expiring(of(2), u.now().Add(time.Hour))
	in.ImportType, in.KeyMaterialDescription = new(asNew), new("next")
	two := i.sends(in)
	ids := []string{one, two}
	if m := u.describe(i.key); m.ValidTo != nil {
		t.Errorf("pending material has the key expire at %s", m.ValidTo)
	}
	u.advance("2h")
	i.is(kmsapi.KeyStateEnabled)
	i.lists(ids, "0 CURRENT IMPORTED", "1 PENDING_ROTATION PENDING_IMPORT next")
	u.refusedAs(&kmsapi.RotateKeyOnDemandRequest{KeyId: &i.key}, "KMSInvalidStateException")
	u.refusedAs(i.typed(of(3), asNew), "KMSInvalidStateException")
	i.sends(i.typed(of(2), asExisting))
	i.lists(ids, "0 CURRENT IMPORTED", "1 PENDING_ROTATION IMPORTED next")

	if got := i.deletes(two); got != two {
		t.Errorf("deleted %s, want %s", got, two)
	}
	i.is(kmsapi.KeyStateEnabled)
	i.lists(ids, "0 CURRENT IMPORTED")
	u.refused(&kmsapi.DeleteImportedKeyMaterialRequest{KeyId: &i.key, KeyMaterialId: &two}, "NotFoundException",
		"The key "+u.keyARN(i.key)+" has no key material with id "+two+".")
	u.refusedAs(i.typed(of(2), asExisting), "IncorrectKeyMaterialException")

	// A key may wait for old and new material at once.
	i.deletes("")
	if got := i.sends(i.typed(of(2), asNew)); got != two {
		t.Errorf("the id is %s, want %s", got, two)
	}
	i.is(kmsapi.KeyStatePendingImport)
	i.imports(of(1))
	u.rotateOnDemand(i.key)
	i.lists(ids, "0 NON_CURRENT IMPORTED", "1 CURRENT IMPORTED")
}
