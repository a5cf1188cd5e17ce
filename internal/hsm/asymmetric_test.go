package hsm

import (
	"bytes"
	"crypto/fips140"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/trent-kms/trent/internal/hsm/keypair"
)

// purpose is what a key is for: a spec, a usage, and for each thing that it can do an algorithm.
type purpose struct {
	spec, usage string
	algorithm   string
}

const (
	encryptDecrypt = "ENCRYPT_DECRYPT"
	signVerify     = "SIGN_VERIFY"
	generateMAC    = "GENERATE_VERIFY_MAC"
	keyAgreement   = "KEY_AGREEMENT"
	encapsulation  = "ENCAPSULATE_DECAPSULATE"
)

// purposes has all pairs of spec and usage but the symmetric one, whose binding names neither.
func purposes() []purpose {
	return []purpose{
		{"RSA_2048", encryptDecrypt, "RSAES_OAEP_SHA_256"}, {"RSA_3072", encryptDecrypt, "RSAES_OAEP_SHA_256"}, {"RSA_4096", encryptDecrypt, "RSAES_OAEP_SHA_256"},
		{"RSA_2048", signVerify, "RSASSA_PSS_SHA_256"}, {"RSA_3072", signVerify, "RSASSA_PKCS1_V1_5_SHA_384"}, {"RSA_4096", signVerify, "RSASSA_PSS_SHA_512"},
		{"ECC_NIST_P256", signVerify, "ECDSA_SHA_256"}, {"ECC_NIST_P384", signVerify, "ECDSA_SHA_384"}, {"ECC_NIST_P521", signVerify, "ECDSA_SHA_512"},
		{"ECC_SECG_P256K1", signVerify, "ECDSA_SHA_256"}, {"ECC_NIST_EDWARDS25519", signVerify, "ED25519_SHA_512"},
		{"ML_DSA_44", signVerify, "ML_DSA_SHAKE_256"}, {"ML_DSA_65", signVerify, "ML_DSA_SHAKE_256"}, {"ML_DSA_87", signVerify, "ML_DSA_SHAKE_256"},
		{"SM2", signVerify, "SM2DSA"}, {"SM2", encryptDecrypt, "SM2PKE"}, {"SM2", keyAgreement, ""},
		{"ECC_NIST_P256", keyAgreement, ""}, {"ECC_NIST_P384", keyAgreement, ""}, {"ECC_NIST_P521", keyAgreement, ""},
		{"ML_KEM_512", encapsulation, ""}, {"ML_KEM_768", encapsulation, ""}, {"ML_KEM_1024", encapsulation, ""},
		{"HMAC_224", generateMAC, ""}, {"HMAC_256", generateMAC, ""}, {"HMAC_384", generateMAC, ""}, {"HMAC_512", generateMAC, ""},
	}
}

// served says whether the mode that the test runs in has the spec.
func (p purpose) served() bool {
	unapproved := []string{"ECC_SECG_P256K1", "ML_DSA_44", "ML_DSA_65", "ML_DSA_87", "ML_KEM_512", "SM2"}
	return !fips140.Enforced() || !slices.Contains(unapproved, p.spec)
}

// servedPurposes are those that the mode has.
func servedPurposes() []purpose {
	return slices.DeleteFunc(purposes(), func(p purpose) bool { return !p.served() })
}

func (p purpose) String() string { return p.spec + "/" + p.usage }

func (p purpose) binding() Binding {
	b := testBinding()
	b.Spec, b.Usage = p.spec, p.usage
	return b
}

// key returns a key for the purpose. RSA keys, which take long to make, are those of package keypair's tests.
func (p purpose) key(t testing.TB, h *HSM) Key {
	t.Helper()
	if !strings.HasPrefix(p.spec, "RSA_") {
		return generate(t, h, p.binding())
	}
	der, err := os.ReadFile("keypair/testdata/" + strings.ToLower(p.spec) + ".der")
	if err != nil {
		t.Fatal(err)
	}
	k, err := h.Adopt(t.Context(), p.binding(), der)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// work does with a key what it is for, both ways, and returns the first error.
func (p purpose) work(t testing.TB, h *HSM, k Key) error {
	t.Helper()
	ctx, message := t.Context(), []byte("attack at dawn")
	switch p.usage {
	case signVerify:
		signature, err := h.Sign(ctx, k, p.algorithm, "RAW", message)
		if err != nil {
			return err
		}
		return h.Verify(ctx, k, p.algorithm, "RAW", message, signature)
	case generateMAC:
		mac, err := h.GenerateMAC(ctx, k, message)
		if err != nil {
			return err
		}
		return h.VerifyMAC(ctx, k, message, mac)
	case encryptDecrypt:
		ciphertext, err := h.EncryptAsymmetric(ctx, k, p.algorithm, message)
		if err != nil {
			return err
		}
		got, err := h.DecryptAsymmetric(ctx, k, p.algorithm, ciphertext)
		return unless(err, bytes.Equal(got, message))
	case keyAgreement:
		public, err := h.PublicKey(ctx, k)
		if err != nil {
			return err
		}
		secret, err := h.DeriveSharedSecret(ctx, k, public)
		return unless(err, len(secret) > 0)
	}
	secret, ciphertext, err := h.Encapsulate(ctx, k)
	if err != nil {
		return err
	}
	got, err := h.Decapsulate(ctx, k, ciphertext)
	return unless(err, bytes.Equal(got, secret))
}

// unless returns err, or one of its own if what should hold does not.
func unless(err error, holds bool) error {
	if err == nil && !holds {
		return errors.New("the way back leads elsewhere")
	}
	return err
}

func TestKeysDoWhatTheyAreFor(t *testing.T) {
	h := newTestHSM(t)
	for _, p := range servedPurposes() {
		k := p.key(t, h)
		if err := p.work(t, h, k); err != nil {
			t.Errorf("%s: %v", p, err)
		}
		if pair := p.usage != generateMAC; (k.Public != nil) != pair {
			t.Errorf("%s: a public key: %v", p, !pair)
		}
		if got := k.Binding; got.Spec != p.spec || got.Usage != p.usage || len(got.MaterialID) != 64 {
			t.Errorf("%s: %+v", p, got)
		}
	}
}

// TestWhatIsNotApprovedIsRefused: in FIPS mode nothing is made of the specs that the module does not have, and SHA-1 is
// not used; outside it everything is served.
func TestWhatIsNotApprovedIsRefused(t *testing.T) {
	h, refused := newTestHSM(t), 0
	symmetric := generate(t, h, testBinding())
	for _, p := range purposes() {
		if p.served() {
			continue
		}
		_, generateErr := h.GenerateKey(t.Context(), p.binding())
		_, adoptErr := h.Adopt(t.Context(), p.binding(), []byte("a key"))
		_, _, _, pairErr := h.GenerateDataKeyPair(t.Context(), symmetric, nil, p.spec)
		_, _, withoutErr := h.GenerateDataKeyPairWithoutPlaintext(t.Context(), symmetric, nil, p.spec)
		for _, err := range []error{generateErr, adoptErr, pairErr, withoutErr} {
			if !errors.Is(err, ErrNotApproved) {
				t.Errorf("%s: got %v, want ErrNotApproved", p, err)
			}
		}
		refused++
	}
	if fips140.Enforced() != (refused == 8) {
		t.Errorf("%d refused", refused)
	}
	k := purpose{"RSA_2048", encryptDecrypt, ""}.key(t, h)
	_, err := h.EncryptAsymmetric(t.Context(), k, "RSAES_OAEP_SHA_1", []byte("x"))
	_, decryptErr := h.DecryptAsymmetric(t.Context(), k, "RSAES_OAEP_SHA_1", make([]byte, 256))
	_, reErr := h.ReEncrypt(t.Context(), Side{Key: k, Algorithm: "RSAES_OAEP_SHA_1"}, make([]byte, 256), Side{Key: symmetric})
	if want := fips140.Enforced(); errors.Is(err, ErrNotApproved) != want || errors.Is(decryptErr, ErrNotApproved) != want || errors.Is(reErr, ErrNotApproved) != want {
		t.Errorf("SHA-1: got %v, %v, %v", err, decryptErr, reErr)
	}
}

// A key that is asked for what it cannot do is somebody's bug, and answered with ErrInput: no panic, no result.
func TestKeysRefuseWhatTheyAreNotFor(t *testing.T) {
	h := newTestHSM(t)
	symmetric, ctx, x := generate(t, h, testBinding()), t.Context(), []byte("x")
	only := func(_ any, err error) error { return err }
	can := map[string]func(Key) error{
		"encrypt":     func(k Key) error { return only(h.Encrypt(ctx, k, nil, x)) },
		"decrypt":     func(k Key) error { return only(h.Decrypt(ctx, k, nil, x)) },
		"OAEP":        func(k Key) error { return only(h.EncryptAsymmetric(ctx, k, "RSAES_OAEP_SHA_256", x)) },
		"OAEP back":   func(k Key) error { return only(h.DecryptAsymmetric(ctx, k, "RSAES_OAEP_SHA_256", x)) },
		"sign":        func(k Key) error { return only(h.Sign(ctx, k, "RSASSA_PSS_SHA_256", "RAW", x)) },
		"verify":      func(k Key) error { return h.Verify(ctx, k, "RSASSA_PSS_SHA_256", "RAW", x, x) },
		"MAC":         func(k Key) error { return only(h.GenerateMAC(ctx, k, x)) },
		"MAC back":    func(k Key) error { return h.VerifyMAC(ctx, k, x, x) },
		"agree":       func(k Key) error { return only(h.DeriveSharedSecret(ctx, k, x)) },
		"encapsulate": func(k Key) error { _, _, err := h.Encapsulate(ctx, k); return err },
		"decapsulate": func(k Key) error { return only(h.Decapsulate(ctx, k, x)) },
		"data key":    func(k Key) error { _, _, err := h.GenerateDataKey(ctx, k, nil, 32); return err },
		"data pair": func(k Key) error {
			_, _, _, err := h.GenerateDataKeyPair(ctx, k, nil, "ECC_NIST_P256")
			return err
		},
		"no such algorithm":    func(k Key) error { return only(h.Sign(ctx, k, "", "RAW", x)) },
		"no such message type": func(k Key) error { return only(h.Sign(ctx, k, "ECDSA_SHA_256", "", x)) },
		"ReEncrypt from":       func(k Key) error { return only(h.ReEncrypt(ctx, Side{Key: k}, x, Side{Key: symmetric})) },
		"ReEncrypt to": func(k Key) error {
			return only(h.ReEncrypt(ctx, Side{Key: symmetric}, encrypt(t, h, symmetric, nil, "x"), Side{Key: k}))
		},
	}
	// What a kind of key can do; the rest it cannot. The x that it gets is mostly no signature and no ciphertext.
	fit := func(p purpose, what string) bool {
		switch what {
		case "OAEP", "OAEP back", "sign", "verify":
			return strings.HasPrefix(p.spec, "RSA_")
		case "MAC", "MAC back":
			return p.usage == generateMAC
		case "agree":
			return strings.HasPrefix(p.spec, "ECC_NIST_P") || p.spec == "SM2"
		case "encapsulate", "decapsulate":
			return p.usage == encapsulation
		}
		return false
	}
	tried := 0
	for _, p := range servedPurposes() {
		k := p.key(t, h)
		for what, try := range can {
			if err := try(k); errors.Is(err, ErrInput) == fit(p, what) {
				t.Errorf("%s, %s: got %v", p, what, err)
			}
			tried++
		}
	}
	for what, try := range can {
		if able := slices.Contains([]string{"encrypt", "decrypt", "data key", "data pair", "ReEncrypt from", "ReEncrypt to"}, what); errors.Is(try(symmetric), ErrInput) == able {
			t.Errorf("symmetric key, %s: %v", what, try(symmetric))
		}
	}
	if tried < 250 {
		t.Errorf("only %d tried", tried)
	}
}

// fails holds that a key opens neither as it is nor for its work.
func (p purpose) fails(t *testing.T, h *HSM, k Key, how string) {
	t.Helper()
	for range 2 { // the first refusal must not help the second try
		if err := p.work(t, h, k); !errors.Is(err, ErrWrapped) && !errors.Is(err, ErrInput) {
			t.Errorf("%s, %s: got %v, want ErrWrapped", p, how, err)
		}
	}
}

// Key material made for one thing cannot be used for another by who can write to the store.
func TestKeysMovedToAnotherRecordDoNotOpen(t *testing.T) {
	h := newTestHSM(t)
	moves := 0
	for _, p := range servedPurposes() {
		k, other := p.key(t, h), p.key(t, h)
		if err := p.work(t, h, k); err != nil { // now its rightful owner has it in the cache
			t.Fatal(p, err)
		}
		move := func(how string, change func(*Key)) {
			t.Helper()
			moved := k.clone()
			moved.Public = bytes.Clone(k.Public)
			change(&moved)
			p.fails(t, h, moved, how)
			if k.Public != nil && how != "blob" && how != "no blob" && how != "public key as blob" {
				if got, err := h.PublicKey(t.Context(), moved); !errors.Is(err, ErrWrapped) {
					t.Errorf("%s, %s: public key %x, %v; want ErrWrapped", p, how, got, err)
				}
			}
			moves++
		}
		move("account", func(k *Key) { k.Account = "444455556666" })
		move("Region", func(k *Key) { k.Scope = "us-east-1" })
		move("every Region", func(k *Key) { k.Scope = "*" })
		move("key", func(k *Key) { k.KeyID = "1234abcd-12ab-34cd-56ef-1234567890ac" })
		move("kind of key", func(k *Key) { k.KeyID = testMRK })
		move("material", func(k *Key) { k.MaterialID = strings.Repeat("0a", 32) })
		move("no spec", func(k *Key) { k.Spec, k.Usage = "", "" })
		move("blob", func(k *Key) { k.Wrapped = generate(t, h, testBinding()).Wrapped })
		move("no blob", func(k *Key) { k.Wrapped = nil })
		move("public key as blob", func(k *Key) { k.Wrapped = k.Public })
		for _, to := range purposes() {
			if to.spec != p.spec || to.usage != p.usage {
				move(to.String(), func(k *Key) { k.Spec, k.Usage = to.spec, to.usage })
			}
		}
		if other.MaterialID != k.MaterialID { // not so for RSA keys, which are always the same here
			move("another's material id", func(k *Key) { k.MaterialID = other.MaterialID })
		}
		if err := p.work(t, h, k); err != nil {
			t.Errorf("%s, in its place: %v", p, err)
		}
	}
	if moves < 500 {
		t.Errorf("only %d moves", moves)
	}
}

// Nobody can put his own public key into the place of a key's, so that others encrypt for him or trust his signatures.
func TestPublicKeysCannotBeExchanged(t *testing.T) {
	h := newTestHSM(t)
	p := purpose{"ECC_NIST_P256", signVerify, "ECDSA_SHA_256"}
	k, other := p.key(t, h), p.key(t, h)
	right, err := h.PublicKey(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := h.Seal(t.Context(), string(k.bound()), right)
	if err != nil {
		t.Fatal(err)
	}
	for how, public := range map[string][]byte{
		"none": nil, "another key's": other.Public, "the private key": k.Wrapped, "in the clear": right, "a sealed secret": secret,
		"cut": k.Public[:len(k.Public)-1], "longer": append(bytes.Clone(k.Public), 0),
	} {
		moved := k
		moved.Public = public
		if got, err := h.PublicKey(t.Context(), moved); !errors.Is(err, ErrWrapped) || got != nil {
			t.Errorf("%s: got %x, %v; want ErrWrapped", how, got, err)
		}
	}
	for bit := range 8 * len(k.Public) {
		changed := k
		changed.Public = bytes.Clone(k.Public)
		changed.Public[bit/8] ^= 1 << (bit % 8)
		if got, err := h.PublicKey(t.Context(), changed); !errors.Is(err, ErrWrapped) || got != nil {
			t.Errorf("bit %d: got %x, %v; want ErrWrapped", bit, got, err)
		}
	}
	// The signatures that verify are those of the private key, whatever the record says.
	k.Public = other.Public
	if err := p.work(t, h, k); err != nil {
		t.Error(err)
	}
	forged, err := h.Sign(t.Context(), other, p.algorithm, "RAW", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Verify(t.Context(), k, p.algorithm, "RAW", []byte("x"), forged); !errors.Is(err, ErrSignature) {
		t.Errorf("the other key's signature: %v", err)
	}
}

func TestEveryChangedBitOfAPairAndAMACKeyIsNoticed(t *testing.T) {
	h := newTestHSM(t)
	for _, p := range []purpose{{"ECC_NIST_EDWARDS25519", signVerify, "ED25519_SHA_512"}, {"HMAC_224", generateMAC, ""}} {
		k := p.key(t, h)
		if err := p.work(t, h, k); err != nil {
			t.Fatal(err)
		}
		for bit := range 8 * len(k.Wrapped) {
			changed := k.clone()
			changed.Wrapped[bit/8] ^= 1 << (bit % 8)
			if err := p.work(t, h, changed); !errors.Is(err, ErrWrapped) {
				t.Errorf("%s, bit %d: got %v, want ErrWrapped", p, bit, err)
			}
		}
		for n := range k.Wrapped {
			cut := k
			cut.Wrapped = k.Wrapped[:n]
			if err := p.work(t, h, cut); !errors.Is(err, ErrWrapped) {
				t.Errorf("%s, cut to %d bytes: got %v, want ErrWrapped", p, n, err)
			}
		}
	}
}

// TestKindsAreSeparate: an envelope of one kind does not open as another, also with the kind that it names changed.
func TestKindsAreSeparate(t *testing.T) {
	h := newTestHSM(t)
	all := []kind{kindMaterial, kindSecret, kindKeyPair, kindMAC, kindPublic}
	if len(all) != len(kinds) {
		t.Fatalf("%d kinds", len(kinds))
	}
	labels := map[string]bool{}
	for _, made := range all {
		labels[made.label()] = true
		blob := h.domain.wrap(made, []byte("bound"), []byte("secret"))
		for _, opened := range all {
			for _, named := range []byte{blob[1], byte(opened), 0, 6, 255} {
				blob := bytes.Clone(blob)
				blob[1] = named
				got, err := h.domain.unwrap(opened, []byte("bound"), blob)
				if genuine := made == opened && named == byte(made); genuine != (err == nil) || !genuine && (err != ErrWrapped || got != nil) {
					t.Errorf("%s as %s, named %d: %q, %v", made, opened, named, got, err)
				}
			}
		}
	}
	if len(labels) != len(all) {
		t.Errorf("labels %v", labels)
	}
}

// Material that does not belong where it authenticates was put there by our own bug: it is refused like damage.
func TestMaterialOfAnotherSpecIsRefused(t *testing.T) {
	h := newTestHSM(t)
	b := testBinding()
	b.MaterialID, b.Spec, b.Usage = strings.Repeat("0a", 32), "ECC_NIST_P384", signVerify
	p256 := purpose{"ECC_NIST_P256", signVerify, ""}.key(t, h)
	u, err := h.unwrap(p256)
	if err != nil {
		t.Fatal(err)
	}
	for name, secret := range map[string][]byte{"another curve": u.pair.Secret(), "nothing": nil, "garbage": []byte("garbage")} {
		k := Key{Binding: b, Wrapped: h.domain.wrap(kindKeyPair, b.bound(), secret)}
		if _, err := h.Sign(t.Context(), k, "ECDSA_SHA_384", "RAW", []byte("x")); err != ErrWrapped {
			t.Errorf("%s: got %v, want ErrWrapped", name, err)
		}
	}
}

func TestDataKeyPairsOpen(t *testing.T) {
	h, k := newTestKey(t)
	context := map[string]string{"tenant": "blue"}
	for _, p := range servedPurposes() {
		spec := keypair.Spec(p.spec)
		if strings.HasPrefix(p.spec, "ML_DSA") || p.usage == generateMAC || strings.HasPrefix(p.spec, "RSA_") && p.spec != "RSA_2048" {
			continue
		}
		private, ciphertext, public, err := h.GenerateDataKeyPair(t.Context(), k, context, p.spec)
		if err != nil {
			t.Fatal(p, err)
		}
		if got, err := h.Decrypt(t.Context(), k, context, ciphertext); err != nil || !bytes.Equal(got, private) {
			t.Errorf("%s: %v", p, err)
		}
		if pair, err := keypair.ParsePKCS8(spec, private); !strings.HasPrefix(p.spec, "ML_KEM") && (err != nil || !bytes.Equal(pair.Public().SPKI(), public)) {
			t.Errorf("%s: %v", p, err)
		}
		ciphertext, other, err := h.GenerateDataKeyPairWithoutPlaintext(t.Context(), k, context, p.spec)
		if err != nil || bytes.Equal(other, public) {
			t.Errorf("%s: %v", p, err)
		}
		if _, err := h.Decrypt(t.Context(), k, nil, ciphertext); err != ErrCiphertext {
			t.Errorf("%s, without its context: %v", p, err)
		}
	}
	for _, spec := range []string{"", "ML_DSA_44", "HMAC_256", "SYMMETRIC_DEFAULT", "RSA_1024"} {
		private, ciphertext, public, err := h.GenerateDataKeyPair(t.Context(), k, nil, spec)
		if !errors.Is(err, ErrInput) && !errors.Is(err, ErrNotApproved) || private != nil || ciphertext != nil || public != nil {
			t.Errorf("%q: %v", spec, err)
		}
	}
	damaged := k.clone()
	damaged.Wrapped[40] ^= 1
	if private, ciphertext, public, err := h.GenerateDataKeyPair(t.Context(), damaged, nil, "ECC_NIST_P256"); !errors.Is(err, ErrWrapped) || private != nil || ciphertext != nil || public != nil {
		t.Errorf("damaged key: %v", err)
	}
}

func TestPairsAndMACKeysDoNotPrint(t *testing.T) {
	h := newTestHSM(t)
	secret := []byte("0123456789abcdefghijklmnopqrstuv")
	mac := testBinding()
	mac.Spec, mac.Usage = "HMAC_256", generateMAC
	k, err := h.Adopt(t.Context(), mac, secret)
	if err != nil {
		t.Fatal(err)
	}
	seed := append(unhex(t, "302e020100300506032b657004220420"), secret...)
	pair := purpose{"ECC_NIST_EDWARDS25519", signVerify, ""}
	signer, err := h.Adopt(t.Context(), pair.binding(), seed)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []Key{k, signer} {
		u, err := h.unwrap(k)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []any{u, *u, h, k} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
				out := fmt.Sprintf(verb, v)
				for _, leak := range []string{"0123456789ab", "303132333435", "48 49 50 51", "0x30, 0x31, 0x32"} {
					if strings.Contains(out, leak) {
						t.Errorf("%s of %T prints %q", verb, v, out)
					}
				}
			}
		}
	}
}

// TestCacheWeights measures the memory that a key takes once it has been used in every way, and compares with its weight
// in the cache, which is rough: nothing takes more than slack times what it weighs.
func TestCacheWeights(t *testing.T) {
	const unit, slack, copies = 1300, 1.25, 32
	h := newTestHSM(t)
	heap := func() uint64 {
		runtime.GC()
		runtime.GC() // what the first found unused is free only after the second
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	all := append(servedPurposes(), purpose{})
	for _, p := range all {
		k := generateOrAdopt(t, h, p)
		kept := make([]*unwrapped, copies)
		before := heap()
		for i := range kept {
			u, err := h.open(k)
			if err != nil {
				t.Fatal(p, err)
			}
			useAll(t, h, p, k, u)
			kept[i] = u
		}
		size := (int64(heap()) - int64(before)) / copies
		weight := int64(kept[0].weight())
		t.Logf("%-40s %6d bytes, weight %2d allows %d", p, size, weight, weight*unit)
		if float64(size) > slack*float64(weight*unit) {
			t.Errorf("%s: %d bytes, more than its weight of %d allows", p, size, weight)
		}
		runtime.KeepAlive(kept)
	}
}

func generateOrAdopt(t *testing.T, h *HSM, p purpose) Key {
	t.Helper()
	if p.spec == "" {
		return generate(t, h, testBinding())
	}
	return p.key(t, h)
}

// useAll uses unwrapped material in every way, so that what is made at the first use is there.
func useAll(t *testing.T, h *HSM, p purpose, k Key, u *unwrapped) {
	t.Helper()
	salt, _ := envelopeSalt(k.Wrapped)
	h.cache.entries.Set(salt, u)
	if p.spec == "" {
		encrypt(t, h, k, nil, "x")
		return
	}
	if err := p.work(t, h, k); err != nil {
		t.Fatal(p, err)
	}
	if strings.HasPrefix(p.spec, "ML_DSA") {
		if err := h.Verify(t.Context(), k, p.algorithm, "EXTERNAL_MU", make([]byte, 64), make([]byte, map[string]int{"ML_DSA_44": 2420, "ML_DSA_65": 3309, "ML_DSA_87": 4627}[p.spec])); !errors.Is(err, ErrSignature) {
			t.Fatal(p, err)
		}
	}
	if p.usage == signVerify && strings.HasPrefix(p.spec, "ECC_NIST_P") {
		// A key is used as its usage says; the test is of the larger case, should that ever change.
		if _, err := u.pair.Agree(u.pair.Public().SPKI()); err != nil {
			t.Fatal(p, err)
		}
	}
	h.cache.entries.Invalidate(salt)
}
