package kms_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

const (
	aes       = kmsapi.EncryptionAlgorithmSpecSymmetricDefault
	incorrect = "The key ID in the request does not identify a CMK that can perform this operation."
	hiddenKey = "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access."
)

func TestEncryptAndDecrypt(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	u.createAlias("alias/app", id)
	material := *u.describe(id).CurrentKeyMaterialId
	for _, size := range []int{1, 15, 16, 17, 4095, 4096} {
		plaintext := bytes.Repeat([]byte{0xff}, size)
		in := &kmsapi.EncryptRequest{KeyId: new("alias/app"), Plaintext: plaintext, EncryptionAlgorithm: new(aes)}
		out, again := do[kmsapi.EncryptResponse](u, in), do[kmsapi.EncryptResponse](u, in)
		if *out.KeyId != u.keyARN(id) || *out.EncryptionAlgorithm != aes || len(out.CiphertextBlob) > 6144 {
			t.Errorf("%d bytes: key %s, algorithm %s, %d bytes of ciphertext", size, *out.KeyId, *out.EncryptionAlgorithm, len(out.CiphertextBlob))
		}
		if bytes.Equal(out.CiphertextBlob, again.CiphertextBlob) {
			t.Errorf("%d bytes: encrypted twice to the same ciphertext", size)
		}
		for _, by := range []*string{nil, &id, new(u.keyARN(id)), new("alias/app"), new(u.arn("alias/app"))} {
			got := do[kmsapi.DecryptResponse](u, &kmsapi.DecryptRequest{CiphertextBlob: out.CiphertextBlob, KeyId: by, EncryptionAlgorithm: new(aes)})
			if !bytes.Equal(got.Plaintext, plaintext) || *got.KeyId != u.keyARN(id) || *got.EncryptionAlgorithm != aes || *got.KeyMaterialId != material {
				t.Errorf("%d bytes: %d bytes back, key %s, algorithm %s, material %s", size, len(got.Plaintext), *got.KeyId, *got.EncryptionAlgorithm, *got.KeyMaterialId)
			}
		}
	}
}

func TestEncryptParameters(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	for _, row := range []struct {
		name          string
		in            request
		code, message string
	}{
		{"plaintext too long", &kmsapi.EncryptRequest{KeyId: &id, Plaintext: make([]byte, 4097)}, "ValidationException", "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096"},
		{"plaintext empty", &kmsapi.EncryptRequest{KeyId: &id, Plaintext: []byte{}}, "ValidationException", "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"plaintext missing", &kmsapi.EncryptRequest{KeyId: &id}, "ValidationException", "1 validation error detected: Value null at 'plaintext' failed to satisfy constraint: Member must not be null"},
		{"key and plaintext missing", &kmsapi.EncryptRequest{}, "ValidationException", "2 validation errors detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null; Value null at 'plaintext' failed to satisfy constraint: Member must not be null"},
		{"algorithm of other keys", &kmsapi.EncryptRequest{KeyId: &id, Plaintext: []byte(secret), EncryptionAlgorithm: new(kmsapi.EncryptionAlgorithmSpecRsaesOaepSha256)}, "InvalidKeyUsageException", "Algorithm RSAES_OAEP_SHA_256 is incompatible with key spec SYMMETRIC_DEFAULT."},
		{"ciphertext too long", &kmsapi.DecryptRequest{CiphertextBlob: make([]byte, 6145)}, "ValidationException", "1 validation error detected: Value at 'ciphertextBlob' failed to satisfy constraint: Member must have length less than or equal to 6144"},
		{"ciphertext empty", &kmsapi.DecryptRequest{CiphertextBlob: []byte{}}, "ValidationException", "1 validation error detected: Value at 'ciphertextBlob' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"ciphertext missing", &kmsapi.DecryptRequest{KeyId: &id}, "ValidationException", "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be null"},
		{"ReEncrypt: ciphertext missing", &kmsapi.ReEncryptRequest{DestinationKeyId: &id}, "ValidationException", "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be null"},
		{"ReEncrypt: destination missing", &kmsapi.ReEncryptRequest{CiphertextBlob: []byte("x")}, "ValidationException", "1 validation error detected: Value null at 'destinationKeyId' failed to satisfy constraint: Member must not be null"},
	} {
		a := u.send(row.in)
		if a.code != row.code || a.message != row.message {
			t.Errorf("%s: got %q %q, want %q %q", row.name, a.code, a.message, row.code, row.message)
		}
	}
}

// A ciphertext opens with the pairs it was made with, and no others: equal keys and values, byte for byte, in any order.
func TestEncryptionContextBinds(t *testing.T) {
	type context = map[string]string
	contexts := []context{
		nil, {"a": "b"}, {"b": "a"}, {"A": "b"}, {"a": "B"}, {"a": "b "}, {"a": "b", "c": "d"}, {"a": "b", "c": "e"}, {"a": "bc"}, {"ab": "c"}, {"abc": ""}, {"": "abc"},
		{"": ""}, {"a": ""}, {"": "a"}, {"a": "b", "": ""}, {"a": "\x00b"}, {"a\x00": "b"}, {"a": "b\x00c\x00d"}, {"é": "1"}, {"e\u0301": "1"}, {"É": "1"}, {"\U0001F511": "\u202e"},
		{"a": "{\"c\":\"d\"}"}, {"a\",\"c": "d"}, {"aws:x": "y"}, {"a": strings.Repeat("v", 8191)},
	}
	u := newWorld(t).as(alice)
	id := u.createKey()
	for i, made := range contexts {
		ciphertext := u.encrypt(id, secret, made)
		for j, with := range contexts {
			in := &kmsapi.DecryptRequest{CiphertextBlob: ciphertext, EncryptionContext: with}
			if i == j {
				u.must(in)
			} else {
				u.refused(in, "InvalidCiphertextException", "")
			}
		}
	}
	// Order does not matter, nor how JSON spells a character; empty is absent.
	ciphertext := u.encrypt(id, secret, context{"a": "1", "b": "2", "é": "3"})
	for _, body := range []string{`{"a":"1","b":"2","é":"3"}`, `{"é":"3","b":"2","a":"1"}`, `{"\u00e9":"3","\u0062":"2","a":"\u0031"}`} {
		if a := u.post("Decrypt", fmt.Appendf(nil, `{"CiphertextBlob":%q,"EncryptionContext":%s}`, base64Of(ciphertext), body)); !a.ok() {
			t.Errorf("%s: %s %s", body, a.code, a.message)
		}
	}
	bare := u.encrypt(id, secret, nil)
	for _, body := range []string{`{}`, `null`} {
		if a := u.post("Decrypt", fmt.Appendf(nil, `{"CiphertextBlob":%q,"EncryptionContext":%s}`, base64Of(bare), body)); !a.ok() {
			t.Errorf("%s: %s %s", body, a.code, a.message)
		}
	}
	for _, body := range []string{`{"a":"1","a":"1"}`, `{"a":null}`, `{"a":1}`, `[]`, `"a"`} {
		if a := u.post("Encrypt", fmt.Appendf(nil, `{"KeyId":%q,"Plaintext":"AA==","EncryptionContext":%s}`, id, body)); a.code != "SerializationException" {
			t.Errorf("%s: got %q", body, a.code)
		}
	}
}

// TestEveryChangedBitIsNoticed changes each bit of ciphertexts, and asks both ways to decrypt them.
func TestEveryChangedBitIsNoticed(t *testing.T) {
	u := newWorld(t).as(alice)
	id, other := u.createKey(), u.createKey()
	tried := 0
	for _, context := range []map[string]string{nil, {"a": "b"}} {
		ciphertext := u.encrypt(id, "p", context)
		for bit := range 8 * len(ciphertext) {
			changed := slices.Clone(ciphertext)
			changed[bit/8] ^= 1 << (bit % 8)
			for _, key := range []*string{nil, &id} {
				for _, in := range []request{
					&kmsapi.DecryptRequest{CiphertextBlob: changed, KeyId: key, EncryptionContext: context},
					&kmsapi.ReEncryptRequest{CiphertextBlob: changed, SourceKeyId: key, SourceEncryptionContext: context, DestinationKeyId: &other},
				} {
					tried++
					a := u.send(in)
					if a.code != "InvalidCiphertextException" || a.message != "" {
						t.Fatalf("bit %d of byte %d: %s answered %q %q", bit%8, bit/8, a.operation, a.code, a.message)
					}
				}
			}
		}
	}
	if tried < 5000 {
		t.Fatalf("only %d changes tried", tried)
	}
}

func TestWhatIsNoCiphertext(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	ciphertext := u.encrypt(id, secret, nil)
	long := u.encrypt(id, strings.Repeat("p", 4096), nil)
	blobs := [][]byte{
		{0}, {1}, []byte("hello"), make([]byte, 200), make([]byte, 6144), bytes.Repeat([]byte{0xff}, 200), append(slices.Clone(ciphertext), 0),
		append([]byte{0}, ciphertext...), append(slices.Clone(ciphertext), ciphertext...), append(slices.Clone(long), 0),
	}
	for n := 1; n < len(ciphertext); n++ {
		blobs = append(blobs, ciphertext[:n])
	}
	for _, blob := range blobs {
		for _, in := range []request{
			&kmsapi.DecryptRequest{CiphertextBlob: blob}, &kmsapi.DecryptRequest{CiphertextBlob: blob, KeyId: &id},
			&kmsapi.ReEncryptRequest{CiphertextBlob: blob, DestinationKeyId: &id},
		} {
			u.refused(in, "InvalidCiphertextException", "")
		}
	}
}

// A ciphertext belongs to its key: under any other it is refused, and where its key cannot be used from, in one way.
func TestCiphertextOfAnotherKey(t *testing.T) {
	w := newWorld(t)
	u, stranger, far := w.as(alice), w.as(bob), w.as(alice).in(abroad)
	id, other := u.createKey(), u.createKey()
	theirs, away := stranger.createKey(), far.createKey()
	ciphertext := u.encrypt(id, secret, nil)
	for _, row := range []struct {
		name string
		by   user
		key  *string
		to   string
		code string
		text string
	}{
		{"another key of the account", u, &other, other, "IncorrectKeyException", incorrect},
		{"another account's key", stranger, &theirs, theirs, "IncorrectKeyException", incorrect},
		{"another Region's key", far, &away, away, "IncorrectKeyException", incorrect},
		{"from another account", stranger, nil, theirs, "AccessDeniedException", hiddenKey},
		{"from another Region", far, nil, away, "AccessDeniedException", hiddenKey},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.by.refused(&kmsapi.DecryptRequest{CiphertextBlob: ciphertext, KeyId: row.key}, row.code, row.text)
			row.by.refused(&kmsapi.ReEncryptRequest{CiphertextBlob: ciphertext, SourceKeyId: row.key, DestinationKeyId: &row.to}, row.code, row.text)
		})
	}
	u.refused(&kmsapi.DecryptRequest{CiphertextBlob: ciphertext, KeyId: &id, EncryptionAlgorithm: new(kmsapi.EncryptionAlgorithmSpecRsaesOaepSha1)}, "InvalidCiphertextException", "")
	u.refused(&kmsapi.DecryptRequest{CiphertextBlob: ciphertext, EncryptionAlgorithm: new(kmsapi.EncryptionAlgorithmSpecRsaesOaepSha256)}, "InvalidCiphertextException", "")
}

// A header that names a missing key is answered like one that names a key of somebody else: with its own ciphertext
// nobody can search for keys.
func TestForgedHeadersFindNoKeys(t *testing.T) {
	w := newWorld(t)
	u, stranger := w.as(alice), w.as(bob)
	mine := stranger.encrypt(stranger.createKey(), secret, nil)
	theirs := u.encrypt(u.createKey(), secret, nil)
	pending := u.createKey()
	waiting := u.encrypt(pending, secret, nil)
	u.schedule(pending)
	const header, checksum = 56, 60 // where they end (docs/formats.md)
	absent := slices.Clone(theirs)
	absent[8] ^= 0x80 // the key id
	binary.BigEndian.PutUint32(absent[header:], crc32.ChecksumIEEE(absent[:header]))
	for name, named := range map[string][]byte{"a key": theirs, "no key": absent, "a key that is pending deletion": waiting} {
		forged := append(slices.Clone(named[:checksum]), mine[checksum:]...)
		a := stranger.refused(&kmsapi.DecryptRequest{CiphertextBlob: forged}, "AccessDeniedException", hiddenKey)
		if e := w.eventOf(a); len(e.Resources) != 0 {
			t.Errorf("%s: the record names %v", name, e.Resources)
		}
	}
}

func TestReEncrypt(t *testing.T) {
	u := newWorld(t).as(alice)
	from, to := u.createKey(), u.createKey()
	u.createAlias("alias/from", from)
	u.createAlias("alias/to", to)
	old, fresh := map[string]string{"v": "1"}, map[string]string{"v": "2"}
	for _, row := range []struct {
		name                   string
		source                 *string
		destination            string
		wantKey                string
		oldContext, newContext map[string]string
	}{
		{"to another key", nil, to, to, nil, nil},
		{"to the same key", nil, from, from, nil, nil},
		{"source named by id", &from, to, to, old, old},
		{"source named by ARN", new(u.keyARN(from)), u.keyARN(to), to, old, nil},
		{"source named by alias", new("alias/from"), "alias/to", to, nil, fresh},
		{"source named by alias ARN, same key, another context", new(u.arn("alias/from")), u.arn("alias/from"), from, old, fresh},
	} {
		t.Run(row.name, func(t *testing.T) {
			in := &kmsapi.ReEncryptRequest{
				CiphertextBlob: u.encrypt(from, secret, row.oldContext), SourceKeyId: row.source, DestinationKeyId: &row.destination,
				SourceEncryptionContext: row.oldContext, DestinationEncryptionContext: row.newContext,
			}
			out := do[kmsapi.ReEncryptResponse](u, in)
			if *out.SourceKeyId != u.keyARN(from) || *out.KeyId != u.keyARN(row.wantKey) || *out.SourceEncryptionAlgorithm != aes || *out.DestinationEncryptionAlgorithm != aes ||
				*out.SourceKeyMaterialId != *u.describe(from).CurrentKeyMaterialId || *out.DestinationKeyMaterialId != *u.describe(row.wantKey).CurrentKeyMaterialId {
				t.Errorf("from %s (%s) to %s (%s)", *out.SourceKeyId, *out.SourceKeyMaterialId, *out.KeyId, *out.DestinationKeyMaterialId)
			}
			if bytes.Equal(out.CiphertextBlob, in.CiphertextBlob) {
				t.Error("the ciphertext is the old one")
			}
			if got := u.decrypt(out.CiphertextBlob, row.newContext); got != secret {
				t.Errorf("got %q", got)
			}
		})
	}
	ciphertext := u.encrypt(from, secret, old)
	for _, row := range []struct {
		name          string
		in            kmsapi.ReEncryptRequest
		code, message string
	}{
		{"wrong source context", kmsapi.ReEncryptRequest{SourceEncryptionContext: fresh}, "InvalidCiphertextException", ""},
		{"no source context", kmsapi.ReEncryptRequest{}, "InvalidCiphertextException", ""},
		{"wrong source algorithm", kmsapi.ReEncryptRequest{SourceEncryptionContext: old, SourceEncryptionAlgorithm: new(kmsapi.EncryptionAlgorithmSpecRsaesOaepSha1)}, "InvalidCiphertextException", ""},
		{"wrong destination algorithm", kmsapi.ReEncryptRequest{SourceEncryptionContext: old, DestinationEncryptionAlgorithm: new(kmsapi.EncryptionAlgorithmSpecSm2pke)}, "InvalidKeyUsageException", "Algorithm SM2PKE is incompatible with key spec SYMMETRIC_DEFAULT."},
		{"wrong source key", kmsapi.ReEncryptRequest{SourceEncryptionContext: old, SourceKeyId: &to}, "IncorrectKeyException", incorrect},
	} {
		row.in.CiphertextBlob, row.in.DestinationKeyId = ciphertext, &to
		a := u.send(&row.in)
		if a.code != row.code || a.message != row.message {
			t.Errorf("%s: got %q %q, want %q %q", row.name, a.code, a.message, row.code, row.message)
		}
	}
}
