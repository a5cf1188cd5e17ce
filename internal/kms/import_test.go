package kms_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/hsm/keywrap"
)

const (
	asNew      = kmsapi.ImportTypeNewKeyMaterial
	asExisting = kmsapi.ImportTypeExistingKeyMaterial
)

// createExternal makes a key that waits for its material.
func (u user) createExternal(in kmsapi.CreateKeyRequest) string {
	u.t.Helper()
	in.Origin = new(kmsapi.OriginTypeExternal)
	return *do[kmsapi.CreateKeyResponse](u, &in).KeyMetadata.KeyId
}

// importer imports into one key, with one set of parameters that fits any material.
type importer struct {
	user
	key    string
	public *rsa.PublicKey
	token  []byte
}

func (u user) importer(key string) *importer {
	u.t.Helper()
	out := do[kmsapi.GetParametersForImportResponse](u, &kmsapi.GetParametersForImportRequest{
		KeyId: &key, WrappingAlgorithm: new(kmsapi.AlgorithmSpecRsaAesKeyWrapSha256), WrappingKeySpec: new(kmsapi.WrappingKeySpecRsa2048),
	})
	public, err := x509.ParsePKIXPublicKey(out.PublicKey)
	if err != nil {
		u.t.Fatal(err)
	}
	return &importer{u, key, public.(*rsa.PublicKey), out.ImportToken}
}

// external makes a key for material and imports it.
func (u user) external(in kmsapi.CreateKeyRequest, material []byte) *importer {
	u.t.Helper()
	i := u.importer(u.createExternal(in))
	i.imports(material)
	return i
}

// request is an import of material that does not expire.
func (i *importer) request(material []byte) *kmsapi.ImportKeyMaterialRequest {
	i.t.Helper()
	kek := make([]byte, 32)
	rand.Read(kek)
	head, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, i.public, kek, nil)
	if err != nil {
		i.t.Fatal(err)
	}
	rest, err := keywrap.Wrap(kek, material)
	if err != nil {
		i.t.Fatal(err)
	}
	return &kmsapi.ImportKeyMaterialRequest{
		KeyId: &i.key, ImportToken: i.token, EncryptedKeyMaterial: append(head, rest...),
		ExpirationModel: new(kmsapi.ExpirationModelTypeKeyMaterialDoesNotExpire),
	}
}

// expiring is request for material that expires.
func (i *importer) expiring(material []byte, at time.Time) *kmsapi.ImportKeyMaterialRequest {
	in := i.request(material)
	in.ExpirationModel, in.ValidTo = nil, &at
	return in
}

// typed is request with an import type.
func (i *importer) typed(material []byte, as kmsapi.ImportType) *kmsapi.ImportKeyMaterialRequest {
	in := i.request(material)
	in.ImportType = &as
	return in
}

// imports imports material and returns its id, "" if the answer has none.
func (i *importer) imports(material []byte) string {
	i.t.Helper()
	return i.sends(i.request(material))
}

// sends is imports for any import that must succeed.
func (i *importer) sends(in *kmsapi.ImportKeyMaterialRequest) string {
	i.t.Helper()
	out := do[kmsapi.ImportKeyMaterialResponse](i.user, in)
	if *out.KeyId != i.keyARN(i.key) {
		i.t.Errorf("key id %s", *out.KeyId)
	}
	if out.KeyMaterialId == nil {
		return ""
	}
	return *out.KeyMaterialId
}

// deletes deletes material by its id, "" for the current one.
func (i *importer) deletes(id string) string {
	i.t.Helper()
	in := &kmsapi.DeleteImportedKeyMaterialRequest{KeyId: &i.key}
	if id != "" {
		in.KeyMaterialId = &id
	}
	out := do[kmsapi.DeleteImportedKeyMaterialResponse](i.user, in)
	if *out.KeyId != i.keyARN(i.key) {
		i.t.Errorf("key id %s", *out.KeyId)
	}
	if out.KeyMaterialId == nil {
		return ""
	}
	return *out.KeyMaterialId
}

// is wants the key to be in a state.
func (i *importer) is(want kmsapi.KeyState) {
	i.t.Helper()
	if got := i.keyState(i.key); got != string(want) {
		i.t.Errorf("the key is %s, want %s", got, want)
	}
}

// listed are the key's sets of material, each as "CURRENT IMPORTED description"; here its place in ids stands for its id.
func (i *importer) listed(ids ...string) []string {
	i.t.Helper()
	var all []string
	for _, r := range i.rotations(i.key, kmsapi.IncludeKeyMaterialAllKeyMaterial) {
		s := fmt.Sprint(slices.Index(ids, *r.KeyMaterialId), " ", *r.KeyMaterialState, " ", *r.ImportState)
		if r.KeyMaterialDescription != nil {
			s += " " + *r.KeyMaterialDescription
		}
		all = append(all, s)
	}
	return all
}

func (i *importer) lists(ids []string, want ...string) {
	i.t.Helper()
	if got := i.listed(ids...); !slices.Equal(got, want) {
		i.t.Errorf("got  %q\nwant %q", got, want)
	}
}

// of is 32 bytes of material.
func of(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func pendingImportText(u user, key string) string { return u.keyARN(key) + " is pending import." }

func TestFirstImportMakesTheKeyUsable(t *testing.T) {
	u := newWorld(t).as(alice)
	i := u.importer(u.createExternal(kmsapi.CreateKeyRequest{}))
	m := u.describe(i.key)
	if *m.KeyState != kmsapi.KeyStatePendingImport || *m.Enabled || m.CurrentKeyMaterialId != nil || m.ExpirationModel != nil || m.ValidTo != nil {
		t.Errorf("before: %s %v %v", *m.KeyState, m.CurrentKeyMaterialId, m.ExpirationModel)
	}
	u.refused(&kmsapi.EncryptRequest{KeyId: &i.key, Plaintext: []byte("x")}, "KMSInvalidStateException", pendingImportText(u, i.key))
	in := i.request(of(1))
	in.KeyMaterialDescription = new("from the vault")
	id := i.sends(in)
	m = u.describe(i.key)
	if *m.KeyState != kmsapi.KeyStateEnabled || !*m.Enabled || len(id) != 64 || *m.CurrentKeyMaterialId != id ||
		*m.ExpirationModel != kmsapi.ExpirationModelTypeKeyMaterialDoesNotExpire || m.ValidTo != nil {
		t.Errorf("after: %s, id %s, %s", *m.KeyState, id, *m.ExpirationModel)
	}
	i.lists([]string{id}, "0 CURRENT IMPORTED from the vault")
	if got := u.decrypt(u.encrypt(i.key, "x", nil), nil); got != "x" {
		t.Errorf("got %q", got)
	}
	// The id says nothing of the material: the same for another key has another.
	if other := u.importer(u.createExternal(kmsapi.CreateKeyRequest{})).imports(of(1)); other == id {
		t.Error("two keys with equal material have one material id")
	}
}

func TestCiphertextsOfAnotherKeyWithEqualMaterialDoNotOpen(t *testing.T) {
	u := newWorld(t).as(alice)
	one, two := u.external(kmsapi.CreateKeyRequest{}, of(1)), u.external(kmsapi.CreateKeyRequest{}, of(1))
	ciphertext := u.encrypt(one.key, "x", nil)
	u.refusedAs(&kmsapi.DecryptRequest{KeyId: &two.key, CiphertextBlob: ciphertext}, "IncorrectKeyException")
}

func TestExpirationModelAndValidToFitTogether(t *testing.T) {
	u := newWorld(t).as(alice)
	i := u.importer(u.createExternal(kmsapi.CreateKeyRequest{}))
	now := u.now()
	const expires, never = kmsapi.ExpirationModelTypeKeyMaterialExpires, kmsapi.ExpirationModelTypeKeyMaterialDoesNotExpire
	for _, row := range []struct {
		name  string
		model *kmsapi.ExpirationModelType
		valid *time.Time
		want  string // "" if it is good
	}{
		{"nothing", nil, nil, "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES"},
		{"no date", new(expires), nil, "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES"},
		{"a date too many", new(never), new(now.Add(day)), "A validTo date must not be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE"},
		{"in the past", new(expires), new(now.Add(-time.Second)), "The validTo date must be in the future."},
		{"long ago", nil, new(time.Unix(0, 0)), "The validTo date must be in the future."},
		{"in 366 days", nil, new(now.Add(366 * day)), "The validTo date must be within 365 days."},
		{"in 8000 years", nil, new(now.AddDate(7000, 0, 0)), "The validTo date must be within 365 days."},
		{"in a minute", new(expires), new(now.Add(time.Minute)), ""},
		{"in 365 days", nil, new(now.Add(365 * day)), ""},
		{"never", new(never), nil, ""},
	} {
		in := i.request(of(1))
		in.ExpirationModel, in.ValidTo = row.model, row.valid
		if row.want != "" {
			u.refused(in, "ValidationException", row.want)
			continue
		}
		i.sends(in)
		m := u.describe(i.key)
		if (*m.ExpirationModel == expires) != (row.valid != nil) || (m.ValidTo != nil) != (row.valid != nil) ||
			m.ValidTo != nil && m.ValidTo.Sub(*row.valid).Abs() > time.Millisecond {
			t.Errorf("%s: the key says %s, %v", row.name, *m.ExpirationModel, m.ValidTo)
		}
	}
}

func TestExpiredMaterialIsDestroyed(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	i := u.importer(u.createExternal(kmsapi.CreateKeyRequest{}))
	at := u.now().Add(10 * time.Hour)
	id := i.sends(i.expiring(of(1), at))
	ciphertext := u.encrypt(i.key, "x", nil)
	u.advance("9h")
	if got := u.decrypt(ciphertext, nil); got != "x" {
		t.Errorf("got %q", got)
	}
	u.advance("2h")
	i.is(kmsapi.KeyStatePendingImport)
	u.refused(&kmsapi.DecryptRequest{CiphertextBlob: ciphertext}, "KMSInvalidStateException", pendingImportText(u, i.key))
	for path := range w.readRecords().indexes {
		w.untilGone(path)
	}
	if m := w.readRecords().keys[u.keyPath(i.key)].Materials[0]; m.Wrapped != nil || !m.ValidTo.IsZero() || m.ID != id {
		t.Errorf("after the sweep there is %d bytes of material, valid to %s", len(m.Wrapped), m.ValidTo)
	}
	i.lists([]string{id}, "0 CURRENT PENDING_IMPORT")
	u.refused(i.request(of(2)), "IncorrectKeyMaterialException", "The key material is not the one that was imported into the key "+u.keyARN(i.key)+" before.")
	if again := i.imports(of(1)); again != id {
		t.Errorf("reimported as %s, want %s", again, id)
	}
	i.is(kmsapi.KeyStateEnabled)
	if got := u.decrypt(ciphertext, nil); got != "x" {
		t.Errorf("got %q", got)
	}
}

// TestReimportChangesExpiryAndDescription: all else of the material stays.
func TestReimportChangesExpiryAndDescription(t *testing.T) {
	u := newWorld(t).as(alice)
	i := u.importer(u.createExternal(kmsapi.CreateKeyRequest{}))
	in := i.expiring(of(1), u.now().Add(time.Hour))
	in.KeyMaterialDescription = new("first")
	id := i.sends(in)
	i.sends(i.expiring(of(1), u.now().Add(48*time.Hour)))
	i.lists([]string{id}, "0 CURRENT IMPORTED first")
	u.advance("2h")
	i.is(kmsapi.KeyStateEnabled)
	in = i.typed(of(1), asExisting)
	in.KeyMaterialId, in.KeyMaterialDescription = &id, new("second")
	i.sends(in)
	i.lists([]string{id}, "0 CURRENT IMPORTED second")
	if m := u.describe(i.key); m.ValidTo != nil {
		t.Errorf("valid to %s", m.ValidTo)
	}
	// It is the key's own choice that it is disabled; material that is not missing does not undo it.
	u.disable(i.key)
	i.imports(of(1))
	i.is(kmsapi.KeyStateDisabled)
	i.deletes("")
	i.is(kmsapi.KeyStatePendingImport)
	i.imports(of(1))
	i.is(kmsapi.KeyStateEnabled)
}

func TestMembersThatDoNotFitTheImport(t *testing.T) {
	u := newWorld(t).as(alice)
	i := u.importer(u.createExternal(kmsapi.CreateKeyRequest{}))
	refused := func(in *kmsapi.ImportKeyMaterialRequest, change func(), code, message string) {
		t.Helper()
		if change != nil {
			change()
		}
		u.refused(in, code, message)
	}
	const incorrect = "IncorrectKeyMaterialException"
	foreign := strings.Repeat("0", 64)
	unknown := "The key material is not the one that was imported into the key " + u.keyARN(i.key) + " before."
	refused(i.typed(of(1), asExisting), nil, incorrect, unknown) // nothing was imported yet
	id := i.imports(of(1))
	refused(i.request(of(2)), nil, incorrect, unknown)
	refused(i.typed(of(2), asExisting), nil, incorrect, unknown)
	refused(i.typed(of(1), asNew), nil, incorrect, "The key material (id: "+id+") is already associated with the key "+u.keyARN(i.key)+".")
	in := i.request(of(1))
	refused(in, func() { in.KeyMaterialId = &foreign }, incorrect, unknown)
	in = i.request(of(2))
	refused(in, func() { in.KeyMaterialId = &id }, incorrect, unknown)
	in = i.typed(of(2), asNew)
	refused(in, func() { in.KeyMaterialId = &id }, "ValidationException", "KeyMaterialId cannot be specified with ImportType NEW_KEY_MATERIAL.")
	i.lists([]string{id}, "0 CURRENT IMPORTED")
	for _, material := range [][]byte{of(1)[:31], append(of(1), 1), {1}, make([]byte, 4096)} {
		refused(i.request(material), nil, incorrect, "The key material is not valid for key spec SYMMETRIC_DEFAULT.")
	}
}

func TestDeleteImportedKeyMaterial(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	i := u.importer(u.createExternal(kmsapi.CreateKeyRequest{}))
	if got := i.deletes(""); got != "" { // of a key that never had any
		t.Errorf("deleted %s", got)
	}
	id := i.imports(of(1))
	u.refusedAs(&kmsapi.DeleteImportedKeyMaterialRequest{KeyId: &i.key, KeyMaterialId: new(strings.Repeat("a", 64))}, "NotFoundException")
	i.is(kmsapi.KeyStateEnabled)
	for _, by := range []string{"", id, ""} { // what is gone is gone
		if got := i.deletes(by); got != id {
			t.Errorf("deleted %s, want %s", got, id)
		}
		i.is(kmsapi.KeyStatePendingImport)
	}
	if k := w.readRecords().keys[u.keyPath(i.key)]; k.Materials[0].Wrapped != nil {
		t.Error("the material is still there")
	}
	i.imports(of(1))
	u.schedule(i.key)
	i.deletes("")
	i.is(kmsapi.KeyStatePendingDeletion)
	u.refused(i.request(of(1)), "KMSInvalidStateException", u.keyARN(i.key)+" is pending deletion.")
	u.must(&kmsapi.CancelKeyDeletionRequest{KeyId: &i.key})
	i.is(kmsapi.KeyStatePendingImport)
	i.imports(of(1))
	i.is(kmsapi.KeyStateEnabled)
}

// TestOtherKeysHaveOneMaterialForEver is about asymmetric and HMAC keys.
func TestOtherKeysHaveOneMaterialForEver(t *testing.T) {
	u := newWorld(t).as(alice)
	for _, row := range []struct {
		spec     kmsapi.KeySpec
		usage    kmsapi.KeyUsageType
		one, two []byte
		wrong    [][]byte
	}{
		{kmsapi.KeySpecHmac384, kmsapi.KeyUsageTypeGenerateVerifyMac, make([]byte, 48), make([]byte, 49), [][]byte{make([]byte, 47), make([]byte, 129)}},
		{kmsapi.KeySpecEccNistP256, kmsapi.KeyUsageTypeSignVerify, opensslKey(t, "P-256"), opensslKey(t, "P-256 again"), [][]byte{
			opensslKey(t, "P-384"), opensslKey(t, "secp256k1"), of(1), make([]byte, 3000),
			append(bytes.Clone(opensslKey(t, "P-256")), 0), opensslKey(t, "ED25519"), opensslKey(t, "RSA 2048"),
		}},
		{kmsapi.KeySpecRsa3072, kmsapi.KeyUsageTypeSignVerify, opensslKey(t, "RSA 3072"), nil, [][]byte{
			opensslKey(t, "RSA 2048"), opensslKey(t, "RSA 4096"), opensslKey(t, "RSA 3072")[26:], // the PKCS #1 inside
		}},
	} {
		i := u.importer(u.createExternal(kmsapi.CreateKeyRequest{KeySpec: &row.spec, KeyUsage: &row.usage}))
		for _, wrong := range row.wrong {
			u.refused(i.request(wrong), "IncorrectKeyMaterialException", "The key material is not valid for key spec "+string(row.spec)+".")
		}
		for _, change := range []func(*kmsapi.ImportKeyMaterialRequest){
			func(in *kmsapi.ImportKeyMaterialRequest) { in.ImportType = new(asNew) },
			func(in *kmsapi.ImportKeyMaterialRequest) { in.ImportType = new(asExisting) },
			func(in *kmsapi.ImportKeyMaterialRequest) { in.KeyMaterialDescription = new("d") },
			func(in *kmsapi.ImportKeyMaterialRequest) { in.KeyMaterialId = new(strings.Repeat("0", 64)) },
		} {
			in := i.request(row.one)
			change(in)
			u.refused(in, "UnsupportedOperationException", "ImportType, KeyMaterialDescription and KeyMaterialId are not supported for key spec "+string(row.spec)+".")
		}
		i.is(kmsapi.KeyStatePendingImport)
		if id := i.imports(row.one); id != "" {
			t.Errorf("%s: the answer has a material id", row.spec)
		}
		i.imports(row.one)
		for range 2 { // it stays so when the material is deleted
			if row.two != nil {
				u.refused(i.request(row.two), "IncorrectKeyMaterialException", "The key material is not the one that was imported into the key "+u.keyARN(i.key)+" before.")
			}
			if id := i.deletes(""); id != "" {
				t.Errorf("%s: the answer has a material id", row.spec)
			}
			i.is(kmsapi.KeyStatePendingImport)
		}
		u.refusedAs(&kmsapi.DeleteImportedKeyMaterialRequest{KeyId: &i.key, KeyMaterialId: new(strings.Repeat("0", 64))}, "UnsupportedOperationException")
		i.sends(i.expiring(row.one, u.now().Add(time.Hour)))
		i.is(kmsapi.KeyStateEnabled)
		if *u.describe(i.key).ExpirationModel != kmsapi.ExpirationModelTypeKeyMaterialExpires {
			t.Errorf("%s: the new expiry does not show", row.spec)
		}
	}
}

// TestConcurrentImports: of two first imports one is first; the other is then an import of existing material.
func TestConcurrentImports(t *testing.T) {
	u := newWorld(t).as(alice)
	for _, row := range []struct {
		name  string
		of    func(n int) byte
		works int
	}{
		{"the same material", func(int) byte { return 1 }, 4},
		{"different material", func(n int) byte { return byte(n) }, 1},
	} {
		i := u.importer(u.createExternal(kmsapi.CreateKeyRequest{}))
		var all sync.WaitGroup
		worked := 0
		codes := make([]string, 4)
		for n := range codes {
			in := i.request(of(row.of(n)))
			all.Go(func() { codes[n] = u.send(in).code })
		}
		all.Wait()
		for _, code := range codes {
			if code == "" {
				worked++
			} else if code != "IncorrectKeyMaterialException" {
				t.Errorf("%s: %s", row.name, code)
			}
		}
		if worked != row.works {
			t.Errorf("%s: %d imports worked, want %d", row.name, worked, row.works)
		}
		i.is(kmsapi.KeyStateEnabled)
		if k := u.readRecords().keys[u.keyPath(i.key)]; len(k.Materials) != 1 || k.Pending != nil {
			t.Errorf("%s: the key has %d sets of material, pending %v", row.name, len(k.Materials), k.Pending != nil)
		}
	}
}

// TestImportsAreRecorded: what was imported when and until when, and neither the material nor what opens it.
func TestImportsAreRecorded(t *testing.T) {
	u := newWorld(t).as(alice)
	key := u.createExternal(kmsapi.CreateKeyRequest{})
	recorded := func(a answer, parameters, elements string) {
		t.Helper()
		e := u.eventOf(a)
		if diff := cmp.Diff(fromJSON(t, parameters), fromJSON(t, string(e.RequestParameters))); diff != "" {
			t.Errorf("%s: parameters %s", a.operation, diff)
		}
		if diff := cmp.Diff(fromJSON(t, elements), fromJSON(t, string(e.ResponseElements))); diff != "" {
			t.Errorf("%s: response elements %s", a.operation, diff)
		}
		if len(e.Resources) != 1 || e.Resources[0].ARN != u.keyARN(key) {
			t.Errorf("%s: resources %v", a.operation, e.Resources)
		}
	}
	recorded(u.must(&kmsapi.GetParametersForImportRequest{
		KeyId: &key, WrappingAlgorithm: new(kmsapi.AlgorithmSpecRsaesOaepSha256), WrappingKeySpec: new(kmsapi.WrappingKeySpecRsa2048),
	}), `{"keyId":"`+key+`","wrappingAlgorithm":"RSAES_OAEP_SHA_256","wrappingKeySpec":"RSA_2048"}`, `null`)
	i := u.importer(key)
	at := u.now().Add(time.Hour)
	in := i.expiring(of(1), at)
	in.KeyMaterialDescription = new("d")
	a := u.must(in)
	id := u.material(key)
	elements := `{"keyId":"` + u.keyARN(key) + `","keyMaterialId":"` + id + `"}`
	recorded(a, `{"keyId":"`+key+`","validTo":"`+at.UTC().Format("Jan 2, 2006, 3:04:05 PM")+`","expirationModel":"KEY_MATERIAL_EXPIRES","keyMaterialDescription":"d"}`, elements)
	in = i.typed(of(2), asExisting)
	in.KeyMaterialId = &id
	recorded(u.refusedAs(in, "IncorrectKeyMaterialException"),
		`{"keyId":"`+key+`","expirationModel":"KEY_MATERIAL_DOES_NOT_EXPIRE","importType":"EXISTING_KEY_MATERIAL","keyMaterialId":"`+id+`"}`, `null`)
	recorded(u.must(&kmsapi.DeleteImportedKeyMaterialRequest{KeyId: &key}), `{"keyId":"`+key+`"}`, elements)
}
