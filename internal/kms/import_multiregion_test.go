package kms_test

import (
	"testing"
	"time"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// relatives are a primary key with imported material, and its replica, which has none yet.
func importedRelatives(t *testing.T, in kmsapi.CreateKeyRequest, material []byte) (primary, replica *importer) {
	t.Helper()
	u := newWorld(t).as(alice)
	in.MultiRegion = new(true)
	primary = u.external(in, material)
	u.replicate(primary.key, abroad)
	return primary, u.in(abroad).importer(primary.key)
}

// TestReplicaNeedsTheMaterialToo: relatives know of each other's material, and each has to be given it.
func TestReplicaNeedsTheMaterialToo(t *testing.T) {
	primary, replica := importedRelatives(t, kmsapi.CreateKeyRequest{}, of(1))
	id := primary.material(primary.key)
	ciphertext := primary.encrypt(primary.key, "x", nil)
	replica.is(kmsapi.KeyStatePendingImport)
	replica.lists([]string{id}, "0 CURRENT PENDING_IMPORT")
	replica.refused(replica.request(of(2)), "IncorrectKeyMaterialException", "The key material is not the one that was imported into the key "+replica.keyARN(replica.key)+" before.")
	replica.refused(replica.typed(of(1), asNew), "UnsupportedOperationException", replica.keyARN(replica.key)+" is not a multi-region primary key.")

	// Their tokens are not each other's.
	in := replica.request(of(1))
	in.ImportToken = primary.token
	replica.refusedAs(in, "InvalidImportTokenException")
	in = primary.request(of(1))
	in.ImportToken = replica.token
	primary.refusedAs(in, "InvalidImportTokenException")

	if got := replica.imports(of(1)); got != id {
		t.Errorf("imported as %s, want %s", got, id)
	}
	replica.is(kmsapi.KeyStateEnabled)
	if got := replica.decrypt(ciphertext, nil); got != "x" {
		t.Errorf("got %q", got)
	}
	primary.is(kmsapi.KeyStateEnabled)
}

func TestPresenceAndExpiryAreOfEachRegion(t *testing.T) {
	primary, replica := importedRelatives(t, kmsapi.CreateKeyRequest{}, of(1))
	replica.sends(replica.expiring(of(1), replica.now().Add(time.Hour)))
	if m := primary.describe(primary.key); m.ValidTo != nil {
		t.Errorf("the primary key expires at %s", m.ValidTo)
	}
	replica.advance("2h")
	replica.is(kmsapi.KeyStatePendingImport)
	primary.is(kmsapi.KeyStateEnabled)
	replica.imports(of(1))
	primary.deletes("")
	primary.is(kmsapi.KeyStatePendingImport)
	replica.is(kmsapi.KeyStateEnabled)
	primary.imports(of(1))
	replica.deletes("")
	primary.is(kmsapi.KeyStateEnabled)
	replica.is(kmsapi.KeyStatePendingImport)
}

func TestDescriptionIsThatOfThePrimaryKey(t *testing.T) {
	primary, replica := importedRelatives(t, kmsapi.CreateKeyRequest{}, of(1))
	ids := []string{primary.material(primary.key)}
	in := primary.request(of(1))
	in.KeyMaterialDescription = new("ours")
	primary.sends(in)
	replica.lists(ids, "0 CURRENT PENDING_IMPORT ours")
	in = replica.request(of(1))
	in.KeyMaterialDescription = new("mine")
	replica.refused(in, "UnsupportedOperationException", replica.keyARN(replica.key)+" is not a multi-region primary key.")
	replica.imports(of(1))
	replica.lists(ids, "0 CURRENT IMPORTED ours")
	primary.lists(ids, "0 CURRENT IMPORTED ours")
}

// TestPendingMaterialOfRelatives: it waits until every Region has it, and then becomes current in all at once.
func TestPendingMaterialOfRelatives(t *testing.T) {
	primary, replica := importedRelatives(t, kmsapi.CreateKeyRequest{}, of(1))
	replica.imports(of(1))
	one := primary.material(primary.key)
	in := primary.typed(of(2), asNew)
	in.KeyMaterialDescription = new("next")
	two := primary.sends(in)
	ids := []string{one, two}
	const waiting = "1 PENDING_MULTI_REGION_IMPORT_AND_ROTATION "
	primary.lists(ids, "0 CURRENT IMPORTED", waiting+"IMPORTED next")
	replica.lists(ids, "0 CURRENT IMPORTED", waiting+"PENDING_IMPORT next")
	replica.is(kmsapi.KeyStateEnabled)
	rotate := &kmsapi.RotateKeyOnDemandRequest{KeyId: &primary.key}
	primary.refusedAs(rotate, "KMSInvalidStateException")
	replica.imports(of(2))
	primary.lists(ids, "0 CURRENT IMPORTED", "1 PENDING_ROTATION IMPORTED next")

	// A replica loses its own copy, the primary key the plan.
	replica.deletes(two)
	replica.lists(ids, "0 CURRENT IMPORTED", waiting+"PENDING_IMPORT next")
	primary.lists(ids, "0 CURRENT IMPORTED", waiting+"IMPORTED next")
	primary.deletes(two)
	replica.lists(ids, "0 CURRENT IMPORTED")
	primary.lists(ids, "0 CURRENT IMPORTED")
	replica.refusedAs(replica.request(of(2)), "IncorrectKeyMaterialException")

	primary.sends(primary.typed(of(2), asNew))
	replica.imports(of(2))
	old := replica.encrypt(replica.key, "old", nil)
	primary.rotateOnDemand(primary.key)
	for _, i := range []*importer{primary, replica} {
		i.lists(ids, "0 NON_CURRENT IMPORTED", "1 CURRENT IMPORTED")
		if got := i.decrypt(old, nil); got != "old" {
			t.Errorf("%s: got %q", i.region, got)
		}
		if got := i.decrypt(replica.encrypt(replica.key, "fresh", nil), nil); got != "fresh" {
			t.Errorf("%s: got %q", i.region, got)
		}
	}
}

// TestNewReplicaWaitsForAllMaterial that its primary key has, pending too.
func TestNewReplicaWaitsForAllMaterial(t *testing.T) {
	primary, replica := importedRelatives(t, kmsapi.CreateKeyRequest{}, of(1))
	replica.imports(of(1))
	one, two := primary.material(primary.key), primary.sends(primary.typed(of(2), asNew))
	replica.imports(of(2))
	primary.rotateOnDemand(primary.key)
	three := primary.sends(primary.typed(of(3), asNew))
	primary.replicate(primary.key, farther)
	late := primary.in(farther).importer(primary.key)
	ids := []string{one, two, three}
	const waiting = "2 PENDING_MULTI_REGION_IMPORT_AND_ROTATION "
	late.lists(ids, "0 NON_CURRENT PENDING_IMPORT", "1 CURRENT PENDING_IMPORT", waiting+"PENDING_IMPORT")
	late.imports(of(2))
	late.is(kmsapi.KeyStatePendingImport)
	late.imports(of(3))
	late.is(kmsapi.KeyStatePendingImport)
	late.imports(of(1))
	late.is(kmsapi.KeyStateEnabled)
	late.lists(ids, "0 NON_CURRENT IMPORTED", "1 CURRENT IMPORTED", waiting+"IMPORTED")
}

// TestRelativesOfImportedPairs: a replica of an asymmetric or HMAC key takes the primary key's material and no other.
func TestRelativesOfImportedPairs(t *testing.T) {
	for _, row := range []struct {
		in       kmsapi.CreateKeyRequest
		one, two []byte
	}{
		{kmsapi.CreateKeyRequest{KeySpec: new(kmsapi.KeySpecHmac256), KeyUsage: new(kmsapi.KeyUsageTypeGenerateVerifyMac)}, of(1), of(2)},
		{kmsapi.CreateKeyRequest{KeySpec: new(kmsapi.KeySpecEccNistP384), KeyUsage: new(kmsapi.KeyUsageTypeSignVerify)}, opensslKey(t, "P-384"), opensslKey(t, "P-384 again")},
	} {
		primary, replica := importedRelatives(t, row.in, row.one)
		replica.refusedAs(replica.request(row.two), "IncorrectKeyMaterialException")
		replica.is(kmsapi.KeyStatePendingImport)
		replica.imports(row.one)
		replica.is(kmsapi.KeyStateEnabled)
		primary.deletes("")
		primary.is(kmsapi.KeyStatePendingImport)
		replica.is(kmsapi.KeyStateEnabled)
	}
}

// TestNewPrimaryImportsNewMaterial after UpdatePrimaryRegion, and the old one does not any more.
func TestNewPrimaryImportsNewMaterial(t *testing.T) {
	primary, replica := importedRelatives(t, kmsapi.CreateKeyRequest{}, of(1))
	replica.imports(of(1))
	primary.must(&kmsapi.UpdatePrimaryRegionRequest{KeyId: &primary.key, PrimaryRegion: new(abroad)})
	primary.advance("1m")
	primary.refused(primary.typed(of(2), asNew), "UnsupportedOperationException", primary.keyARN(primary.key)+" is not a multi-region primary key.")
	two := replica.sends(replica.typed(of(2), asNew))
	primary.imports(of(2))
	replica.rotateOnDemand(replica.key)
	if got := primary.material(primary.key); got != two {
		t.Errorf("current is %s, want %s", got, two)
	}
}
