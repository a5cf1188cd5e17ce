package kms_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/hsm"
)

// What others get wrong. Elsewhere: encryption contexts that run together (TestEncryptionContextBinds), ciphertexts with
// changed bits (TestEveryChangedBitIsNoticed), digests that are hashed again (TestDigestIsNotHashedAgain), use of keys
// that are not enabled (TestStateTable), dry runs that do it (TestDryRunOfEveryOperation).

// Garbage in any one member of any request is never our failure: no panic, no status 500, no error that the operation's
// model does not have (hold tests that of every answer). All other members are right, so that it gets as far as it can;
// and what reads bytes is asked of every spec that it works with.
func TestGarbageInAnyMember(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	u.createAlias(spareAlias, u.createKey())
	u.in(abroad).createAlias(spareAlias, u.in(abroad).createKey())
	specimens := map[keyKind]*specimen{}
	sent := 0
	for _, s := range append(anyKey(), keylessSamples()...) {
		for _, k := range readers(s.operation) {
			if specimens[k] == nil {
				specimens[k] = u.specimen(k)
			}
			key := specimens[k]
			if !slices.Contains(keyless, s.operation) && s.operation != "DeleteAlias" {
				s = key.sample(s.operation)
			}
			sent += key.sendGarbage(s)
		}
	}
	t.Logf("%d requests", sent)
	if sent < 5800 {
		t.Errorf("%d requests, want at least 5800", sent)
	}
}

// sendGarbage sends an operation with garbage in each member, to the key while it is enabled.
func (s *specimen) sendGarbage(of sample) (sent int) {
	s.t.Helper()
	base := of.make(s.user, s.arn())
	for put := range garbage(reflect.TypeOf(base).Elem()) {
		in := of.make(s.user, s.arn())
		put(reflect.ValueOf(in).Elem())
		s.bring(kmsapi.KeyStateEnabled)
		s.send(in)
		sent++
	}
	return sent + wrongTypes(s.user, base)
}

// readers are the kinds to ask an operation of: one, or if it takes bytes one of each spec.
func readers(name string) []keyKind {
	info, _ := findOperation(operation(name))
	shape := reflect.TypeOf(info.NewInput()).Elem()
	blobs := 0
	for i := range shape.NumField() {
		if shape.Field(i).Type == reflect.TypeFor[[]byte]() {
			blobs++
		}
	}
	first := kindFor(name)
	all, specs := []keyKind{first}, []kmsapi.KeySpec{first.spec}
	for _, k := range keyKinds() {
		if blobs > 0 && wrongKind(name, k, "") == "" && k.usage == first.usage && !slices.Contains(specs, k.spec) {
			all, specs = append(all, k), append(specs, k.spec)
		}
	}
	return all
}

// keylessSamples are samples of what names no key.
func keylessSamples() []sample {
	return []sample{
		{"CreateKey", false, func(user, string) request { return &kmsapi.CreateKeyRequest{} }},
		{"DeleteAlias", false, func(user, string) request { return &kmsapi.DeleteAliasRequest{AliasName: new("alias/x")} }},
		{"GenerateRandom", false, func(user, string) request { return &kmsapi.GenerateRandomRequest{NumberOfBytes: new(int32(16))} }},
		{"ListKeys", false, func(user, string) request { return &kmsapi.ListKeysRequest{} }},
		{"ListRetirableGrants", false, func(u user, _ string) request {
			return &kmsapi.ListRetirableGrantsRequest{RetiringPrincipal: new(u.principal())}
		}},
	}
}

// garbage are ways to put garbage into one member of a structure, down to the members of those in it.
func garbage(shape reflect.Type) iter.Seq[func(reflect.Value)] {
	return func(yield func(func(reflect.Value)) bool) {
		for i := range shape.NumField() {
			member := shape.Field(i).Type
			if inner, of := innerShape(member); inner != nil {
				for put := range garbage(inner) {
					if !yield(func(v reflect.Value) { put(of(v.Field(i))) }) {
						return
					}
				}
				continue
			}
			for _, value := range garbageOf(member, shape.Field(i).Name == "GrantToken") {
				if !yield(func(v reflect.Value) { v.Field(i).Set(value) }) {
					return
				}
			}
		}
	}
}

// innerShape returns the structure that a member holds, if it does, and how to make it in there.
func innerShape(member reflect.Type) (reflect.Type, func(reflect.Value) reflect.Value) {
	if member == reflect.TypeFor[*time.Time]() {
		return nil, nil
	}
	switch {
	case member.Kind() == reflect.Pointer && member.Elem().Kind() == reflect.Struct:
		return member.Elem(), func(v reflect.Value) reflect.Value { v.Set(reflect.New(member.Elem())); return v.Elem() }
	case member.Kind() == reflect.Slice && member.Elem().Kind() == reflect.Struct:
		return member.Elem(), func(v reflect.Value) reflect.Value { v.Set(reflect.MakeSlice(member, 1, 1)); return v.Index(0) }
	}
	return nil, nil
}

// garbageOf are values that no member of a type expects; token, that it is a grant token.
func garbageOf(member reflect.Type, token bool) (all []reflect.Value) {
	add := func(v any) { all = append(all, reflect.ValueOf(v)) }
	texts := []string{"", "x", "\x00", strings.Repeat("k", 3000), strings.Repeat("\U0001F511", 1500), "arn:", "arn:aws:kms:::", "%s%n", `"}`, "../../x"}
	switch reflect.New(member).Interface().(type) {
	case *[]byte:
		for _, size := range []int{0, 1, 64, 6144, 6145, 100_000} {
			random := make([]byte, size)
			rand.Read(random)
			add(random)
			add(make([]byte, size))
		}
	case *map[string]string:
		many := map[string]string{}
		for i := range 1000 {
			many[fmt.Sprint(i)] = "x"
		}
		for _, m := range []map[string]string{{"": ""}, {"\x00": "\x00"}, {"k": strings.Repeat("v", 100_000)}, {strings.Repeat("k", 100_000): ""}, many} {
			add(m)
		}
	case **int32:
		for _, n := range []int32{0, -1, 1, 1 << 30, -1 << 31} {
			add(&n)
		}
	case **time.Time:
		for _, at := range []time.Time{{}, time.Unix(0, 0), time.Unix(1<<40, 0)} {
			add(&at)
		}
	case **bool:
		add(new(true))
	default:
		return append(all, garbageTexts(member, texts, token)...)
	}
	return all
}

// garbageTexts is garbageOf for strings, enumerations, and lists of them.
func garbageTexts(member reflect.Type, texts []string, token bool) (all []reflect.Value) {
	list := member.Kind() == reflect.Slice
	for _, text := range texts {
		if (list || token) && text != "" {
			text += rand.Text() // that no grant token is logged is tested: it must not be what another member is as well
		}
		v := reflect.New(member.Elem())
		v.Elem().SetString(text)
		if list {
			one := reflect.MakeSlice(member, 1, 1)
			one.Index(0).Set(v.Elem())
			v = one
		}
		all = append(all, v)
	}
	if list {
		all = append(all, reflect.MakeSlice(member, 0, 0), reflect.MakeSlice(member, 2000, 2000))
	}
	return all
}

// wrongTypes sends each member as every type of JSON that it is not.
func wrongTypes(u user, in request) (sent int) {
	u.t.Helper()
	shape := reflect.TypeOf(in).Elem()
	for i := range shape.NumField() {
		for _, value := range []string{"null", "true", "7", "-1e999", `"é"`, "[]", "[[]]", "[null]", "{}", `{"":{}}`, strings.Repeat("[", 9000) + strings.Repeat("]", 9000)} {
			u.post(operationOf(in), fmt.Appendf(nil, `{%q:%s}`, shape.Field(i).Name, value))
			sent++
		}
	}
	return sent
}

// public is a key's public key.
func (u user) public(key string) any {
	u.t.Helper()
	public, err := x509.ParsePKIXPublicKey(do[kmsapi.GetPublicKeyResponse](u, &kmsapi.GetPublicKeyRequest{KeyId: &key}).PublicKey)
	if err != nil {
		u.t.Fatal(err)
	}
	return public
}

// The salt of a PSS signature is as long as the digest: one that a strict verifier takes. And Verify takes no other.
func TestPSSSaltIsAsLongAsTheDigest(t *testing.T) {
	u := newWorld(t).as(alice)
	id := *do[kmsapi.CreateKeyResponse](u, &kmsapi.CreateKeyRequest{KeySpec: new(kmsapi.KeySpecRsa2048), KeyUsage: new(signing)}).KeyMetadata.KeyId
	public := u.public(id).(*rsa.PublicKey)
	message := []byte(secret)
	d256, d384, d512 := sha256.Sum256(message), sha512.Sum384(message), sha512.Sum512(message)
	for _, row := range []struct {
		alg    kmsapi.SigningAlgorithmSpec
		hash   crypto.Hash
		digest []byte
	}{
		{kmsapi.SigningAlgorithmSpecRsassaPssSha256, crypto.SHA256, d256[:]},
		{kmsapi.SigningAlgorithmSpecRsassaPssSha384, crypto.SHA384, d384[:]},
		{kmsapi.SigningAlgorithmSpecRsassaPssSha512, crypto.SHA512, d512[:]},
	} {
		for kind, m := range map[kmsapi.MessageType][]byte{"RAW": message, "DIGEST": row.digest} {
			in := &kmsapi.SignRequest{KeyId: &id, Message: m, MessageType: &kind, SigningAlgorithm: &row.alg}
			signature := do[kmsapi.SignResponse](u, in).Signature
			for _, length := range []int{rsa.PSSSaltLengthEqualsHash, rsa.PSSSaltLengthAuto, row.hash.Size()} {
				if err := rsa.VerifyPSS(public, row.hash, row.digest, signature, &rsa.PSSOptions{SaltLength: length}); err != nil {
					t.Errorf("%s, %s: salt length %d: %v", row.alg, kind, length, err)
				}
			}
			if err := rsa.VerifyPSS(public, row.hash, row.digest, signature, &rsa.PSSOptions{SaltLength: row.hash.Size() - 1}); err == nil {
				t.Errorf("%s, %s: the test sees no difference", row.alg, kind)
			}
			if again := do[kmsapi.SignResponse](u, in).Signature; bytes.Equal(again, signature) {
				t.Errorf("%s, %s: the salt is not random", row.alg, kind)
			}
		}
	}
}

// A ciphertext of a key of one Region is not found in another, named or not, and neither is the key.
func TestCiphertextIsNotFoundInAnotherRegion(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	there := u.in(abroad)
	id, own := u.createKey(), there.createKey()
	ciphertext := u.encrypt(id, secret, nil)
	there.refused(&kmsapi.DecryptRequest{CiphertextBlob: ciphertext}, "AccessDeniedException", hiddenKey)
	there.refused(&kmsapi.ReEncryptRequest{CiphertextBlob: ciphertext, DestinationKeyId: &own}, "AccessDeniedException", hiddenKey)
	there.refused(&kmsapi.DecryptRequest{CiphertextBlob: ciphertext, KeyId: &own}, "IncorrectKeyException", incorrect)
	there.refused(&kmsapi.DecryptRequest{CiphertextBlob: ciphertext, KeyId: &id}, "NotFoundException", "Key '"+there.keyARN(id)+"' does not exist")
	there.refused(&kmsapi.DecryptRequest{CiphertextBlob: ciphertext, KeyId: new(u.keyARN(id))}, "NotFoundException", "Invalid arn "+region)
	if got := u.decrypt(ciphertext, nil); got != secret {
		t.Errorf("got %q", got)
	}
}

// Who sends an attestation document is never answered with plaintext, whatever the operation: it is refused.
func TestRecipientIsRefusedEverywhere(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	u.createAlias(spareAlias, u.createKey())
	operations := 0
	for _, s := range append(anyKey(), keylessSamples()...) {
		if info, _ := findOperation(operation(s.operation)); !reflect.ValueOf(info.NewInput()).Elem().FieldByName("Recipient").IsValid() {
			continue
		}
		operations++
		key := u.specimen(kindFor(s.operation))
		if !slices.Contains(keyless, s.operation) {
			s = key.sample(s.operation)
		}
		for _, recipient := range []*kmsapi.RecipientInfo{
			{}, {AttestationDocument: []byte("document")},
			{AttestationDocument: []byte("document"), KeyEncryptionAlgorithm: new(kmsapi.KeyEncryptionMechanismRsaesOaepSha256)},
		} {
			in := s.make(key.user, key.arn())
			reflect.ValueOf(in).Elem().FieldByName("Recipient").Set(reflect.ValueOf(recipient))
			key.refused(in, "UnsupportedOperationException", "Recipient is not built in this version of Trent.")
			if reflect.ValueOf(in).Elem().FieldByName("DryRun").IsValid() {
				key.refused(setDryRun(in, new(true)), "UnsupportedOperationException", "Recipient is not built in this version of Trent.")
			}
		}
	}
	if operations != 5 {
		t.Errorf("%d operations, want 5", operations)
	}
}

// Rotation brings other key material: new ciphertexts name it, in their header and in answers, and old ones open.
func TestRotationChangesTheMaterial(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	header := func(ciphertext []byte) hsm.Header {
		t.Helper()
		h, err := hsm.ParseHeader(ciphertext)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	var ciphertexts [][]byte
	seen := map[string]bool{}
	for range 4 {
		material := *u.describe(id).CurrentKeyMaterialId
		if seen[material] {
			t.Errorf("material %s again", material)
		}
		seen[material] = true
		ciphertext := u.encrypt(id, secret, nil)
		key := do[kmsapi.GenerateDataKeyResponse](u, &kmsapi.GenerateDataKeyRequest{KeyId: &id, NumberOfBytes: new(int32(32))})
		for _, c := range [][]byte{ciphertext, key.CiphertextBlob} {
			if got := header(c); got.MaterialID != material || got.KeyID != id || *key.KeyMaterialId != material {
				t.Errorf("the header is %+v, want material %s", got, material)
			}
		}
		ciphertexts = append(ciphertexts, ciphertext)
		for _, c := range ciphertexts {
			out := do[kmsapi.DecryptResponse](u, &kmsapi.DecryptRequest{CiphertextBlob: c})
			if string(out.Plaintext) != secret || *out.KeyMaterialId != header(c).MaterialID {
				t.Errorf("%d bytes with material %s", len(out.Plaintext), *out.KeyMaterialId)
			}
		}
		u.must(&kmsapi.RotateKeyOnDemandRequest{KeyId: &id})
	}
}

// A ciphertext whose header is that of the material before, or after, opens with neither: the material is not the same
// under another name.
func TestMaterialsDoNotOpenEachOthersCiphertexts(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	old := u.encrypt(id, secret, nil)
	u.must(&kmsapi.RotateKeyOnDemandRequest{KeyId: &id})
	young := u.encrypt(id, secret, nil)
	const prefix = 60 // format, identity and checksum: all that says which key it is
	for _, pair := range [][2][]byte{{old, young}, {young, old}} {
		forged := slices.Concat(pair[0][:prefix], pair[1][prefix:])
		if _, err := hsm.ParseHeader(forged); err != nil || bytes.Equal(pair[0][:prefix], pair[1][:prefix]) {
			t.Fatalf("the header is none: %v", err)
		}
		u.refused(&kmsapi.DecryptRequest{CiphertextBlob: forged}, "InvalidCiphertextException", "")
	}
}
