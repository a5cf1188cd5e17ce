package crash

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

// writer is one program. It writes one thing after another, and it alone writes to its keys, so that it always knows
// what must be there: of each value the one last acknowledged, or the one that it was writing when the server died.
type writer struct {
	life   *life
	name   string
	random *rand.Rand
	serial int
	keys   []*key
	// aliases has the ids of keys that an alias may name.
	aliases map[string]*either
	sealed  []sealed
}

// key is a key as its writer knows it.
type key struct {
	id          string
	description either
	stamp       either // the value of both its tags
	state       either
}

// either is a value that was acknowledged, and perhaps one that was on its way.
type either struct{ acknowledged, attempted string }

func (e *either) attempt(v string) { e.attempted = v }
func (e *either) acknowledge()     { e.acknowledged = e.attempted }
func (e *either) allows(v string) bool {
	return v == e.acknowledged || v == e.attempted
}

// settle says which of the two it has become.
func (e *either) settle(v string) { *e = either{v, v} }

// sealed is a ciphertext and what is in it.
type sealed struct {
	ciphertext, plaintext []byte
	context               map[string]string
}

// errKilled ends a writer: the server did not answer any more.
var errKilled = errors.New("no answer")

// write writes until the server is gone.
func (w *writer) write(t *testing.T, c *kms.Client) {
	if w.aliases == nil {
		w.aliases = map[string]*either{}
	}
	for {
		if err := w.one(t, c); err != nil {
			if !errors.Is(err, errKilled) {
				t.Errorf("%s: %v", w.name, err)
			}
			return
		}
	}
}

// one does one thing, at random.
func (w *writer) one(t *testing.T, c *kms.Client) error {
	w.serial++
	if len(w.keys) == 0 {
		return w.createKey(t, c)
	}
	k := w.keys[w.random.IntN(len(w.keys))]
	do := []func(*testing.T, *kms.Client, *key) error{w.describe, w.stamp, w.stamp, w.encrypt, w.encrypt, w.alias, w.alias, w.delete}
	if n := w.random.IntN(len(do) + 1); n < len(do) {
		return do[n](t, c, k)
	}
	return w.createKey(t, c)
}

// acknowledged notes an answer. No answer is errKilled; any other refusal is a failure.
func (w *writer) acknowledged(operation string, m middleware.Metadata, err error) error {
	var refused smithy.APIError
	switch {
	case errors.As(err, &refused):
		return fmt.Errorf("%s: %w", operation, err)
	case err != nil:
		return errKilled
	}
	id, ok := awsmiddleware.GetRequestIDMetadata(m)
	if !ok {
		return fmt.Errorf("%s: an answer without a request id", operation)
	}
	w.life.mu.Lock()
	w.life.acknowledged[id] = operation
	w.life.mu.Unlock()
	return nil
}

func (w *writer) value() string { return fmt.Sprint(w.name, " ", w.serial) }

func (w *writer) createKey(t *testing.T, c *kms.Client) error {
	v := w.value()
	out, err := c.CreateKey(t.Context(), &kms.CreateKeyInput{Description: &v, Tags: stamps(v)})
	if err != nil {
		return w.acknowledged("CreateKey", middleware.Metadata{}, err)
	}
	w.keys = append(w.keys, &key{
		id: *out.KeyMetadata.KeyId, description: either{v, v}, stamp: either{v, v},
		state: either{string(types.KeyStateEnabled), string(types.KeyStateEnabled)},
	})
	return w.acknowledged("CreateKey", out.ResultMetadata, nil)
}

// stamps are two tags with one value: whoever finds two values has found half a write.
func stamps(v string) []types.Tag {
	return []types.Tag{{TagKey: aws.String("first"), TagValue: &v}, {TagKey: aws.String("second"), TagValue: &v}}
}

func (w *writer) stamp(t *testing.T, c *kms.Client, k *key) error {
	if k.state.acknowledged == string(types.KeyStatePendingDeletion) {
		return nil
	}
	k.stamp.attempt(w.value())
	out, err := c.TagResource(t.Context(), &kms.TagResourceInput{KeyId: &k.id, Tags: stamps(k.stamp.attempted)})
	if err != nil {
		return w.acknowledged("TagResource", middleware.Metadata{}, err)
	}
	k.stamp.acknowledge()
	return w.acknowledged("TagResource", out.ResultMetadata, nil)
}

func (w *writer) describe(t *testing.T, c *kms.Client, k *key) error {
	if k.state.acknowledged == string(types.KeyStatePendingDeletion) {
		return nil
	}
	k.description.attempt(w.value())
	out, err := c.UpdateKeyDescription(t.Context(), &kms.UpdateKeyDescriptionInput{KeyId: &k.id, Description: &k.description.attempted})
	if err != nil {
		return w.acknowledged("UpdateKeyDescription", middleware.Metadata{}, err)
	}
	k.description.acknowledge()
	return w.acknowledged("UpdateKeyDescription", out.ResultMetadata, nil)
}

func (w *writer) encrypt(t *testing.T, c *kms.Client, k *key) error {
	if k.state.acknowledged != string(types.KeyStateEnabled) {
		return nil
	}
	s := sealed{plaintext: []byte(w.value()), context: map[string]string{"writer": w.name}}
	out, err := c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &k.id, Plaintext: s.plaintext, EncryptionContext: s.context})
	if err != nil {
		return w.acknowledged("Encrypt", middleware.Metadata{}, err)
	}
	s.ciphertext = out.CiphertextBlob
	w.sealed = append(w.sealed, s)
	return w.acknowledged("Encrypt", out.ResultMetadata, nil)
}

// alias makes a new alias for a key, or lets an old one name another key.
func (w *writer) alias(t *testing.T, c *kms.Client, k *key) error {
	if k.state.acknowledged == string(types.KeyStatePendingDeletion) {
		return nil
	}
	if len(w.aliases) > 0 && w.random.IntN(2) == 0 {
		return w.moveAlias(t, c, k)
	}
	name := fmt.Sprintf("alias/%s/%d", w.name, w.serial)
	w.aliases[name] = &either{attempted: k.id}
	out, err := c.CreateAlias(t.Context(), &kms.CreateAliasInput{AliasName: &name, TargetKeyId: &k.id})
	if err != nil {
		return w.acknowledged("CreateAlias", middleware.Metadata{}, err)
	}
	w.aliases[name].acknowledge()
	return w.acknowledged("CreateAlias", out.ResultMetadata, nil)
}

func (w *writer) moveAlias(t *testing.T, c *kms.Client, k *key) error {
	names := w.aliasNames()
	name := names[w.random.IntN(len(names))]
	w.aliases[name].attempt(k.id)
	out, err := c.UpdateAlias(t.Context(), &kms.UpdateAliasInput{AliasName: &name, TargetKeyId: &k.id})
	if err != nil {
		return w.acknowledged("UpdateAlias", middleware.Metadata{}, err)
	}
	w.aliases[name].acknowledge()
	return w.acknowledged("UpdateAlias", out.ResultMetadata, nil)
}

func (w *writer) aliasNames() []string {
	var names []string
	for n := range w.aliases {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// delete schedules a key's deletion, or takes it back.
func (w *writer) delete(t *testing.T, c *kms.Client, k *key) error {
	if k.state.acknowledged == string(types.KeyStatePendingDeletion) {
		k.state.attempt(string(types.KeyStateDisabled))
		out, err := c.CancelKeyDeletion(t.Context(), &kms.CancelKeyDeletionInput{KeyId: &k.id})
		if err != nil {
			return w.acknowledged("CancelKeyDeletion", middleware.Metadata{}, err)
		}
		k.state.acknowledge()
		return w.acknowledged("CancelKeyDeletion", out.ResultMetadata, nil)
	}
	if w.random.IntN(3) > 0 {
		return nil // keys that wait can do little else
	}
	k.state.attempt(string(types.KeyStatePendingDeletion))
	out, err := c.ScheduleKeyDeletion(t.Context(), &kms.ScheduleKeyDeletionInput{KeyId: &k.id})
	if err != nil {
		return w.acknowledged("ScheduleKeyDeletion", middleware.Metadata{}, err)
	}
	k.state.acknowledge()
	return w.acknowledged("ScheduleKeyDeletion", out.ResultMetadata, nil)
}

// check looks for everything that the writer knows, and settles what it did not know.
func (w *writer) check(t *testing.T, c *kms.Client) {
	for _, k := range w.keys {
		w.checkKey(t, c, k)
	}
	for _, name := range w.aliasNames() {
		w.checkAlias(t, c, name)
	}
	for _, s := range w.sealed {
		out, err := c.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: s.ciphertext, EncryptionContext: s.context})
		switch {
		case errors.As(err, new(*types.DisabledException)), errors.As(err, new(*types.KMSInvalidStateException)):
			// Its key was sent away, which checkKey looks at; it is decrypted when the key comes back.
		case err != nil:
			t.Errorf("%s: decrypting %q: %v", w.name, s.plaintext, err)
		case !bytes.Equal(out.Plaintext, s.plaintext):
			t.Errorf("%s: decrypted %q, want %q", w.name, out.Plaintext, s.plaintext)
		}
		w.life.fact()
	}
}

func (w *writer) checkKey(t *testing.T, c *kms.Client, k *key) {
	out, err := c.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &k.id})
	if err != nil {
		t.Errorf("%s: %v", w.name, err)
		return
	}
	if m := out.KeyMetadata; !k.description.allows(*m.Description) || !k.state.allows(string(m.KeyState)) {
		t.Errorf("%s: key %s is %q and %s, want %+v and %+v", w.name, k.id, *m.Description, m.KeyState, k.description, k.state)
	}
	k.description.settle(*out.KeyMetadata.Description)
	k.state.settle(string(out.KeyMetadata.KeyState))
	tags, err := c.ListResourceTags(t.Context(), &kms.ListResourceTagsInput{KeyId: &k.id})
	if err != nil {
		t.Errorf("%s: %v", w.name, err)
		return
	}
	if len(tags.Tags) != 2 || *tags.Tags[0].TagValue != *tags.Tags[1].TagValue || !k.stamp.allows(*tags.Tags[0].TagValue) {
		t.Errorf("%s: key %s has the tags %+v, want both as %+v", w.name, k.id, tags.Tags, k.stamp)
		return
	}
	k.stamp.settle(*tags.Tags[0].TagValue)
	w.life.fact()
}

func (w *writer) checkAlias(t *testing.T, c *kms.Client, name string) {
	w.life.fact()
	want := w.aliases[name]
	out, err := c.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &name})
	switch {
	case err != nil && errors.As(err, new(*types.NotFoundException)) && want.acknowledged == "":
		delete(w.aliases, name) // its creation was not acknowledged, and did not happen
	case err != nil:
		t.Errorf("%s: %v", w.name, err)
	case !want.allows(*out.KeyMetadata.KeyId):
		t.Errorf("%s: %s names key %s, want %+v", w.name, name, *out.KeyMetadata.KeyId, want)
	default:
		want.settle(*out.KeyMetadata.KeyId)
	}
}

// checkWhole looks at everything that is there, whoever wrote it: every key has its material, and aliases and keys agree
// about each other.
func (l *life) checkWhole(t *testing.T, c *kms.Client) {
	t.Helper()
	known := map[string]bool{}
	for p := kms.NewListKeysPaginator(c, &kms.ListKeysInput{}); p.HasMorePages(); {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range page.Keys {
			known[*k.KeyId] = true
		}
	}
	for _, w := range l.writers {
		for _, k := range w.keys {
			if !known[k.id] {
				t.Errorf("key %s is not listed", k.id)
			}
		}
	}
	byKey := map[string]string{} // alias → key that lists it
	for id := range known {
		l.fact()
		_, err := c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &id, Plaintext: []byte("x")})
		if err != nil && !errors.As(err, new(*types.DisabledException)) && !errors.As(err, new(*types.KMSInvalidStateException)) {
			t.Errorf("key %s: %v", id, err)
		}
		for _, a := range aliases(t, c, &id) {
			byKey[*a.AliasName] = id
		}
	}
	all := aliases(t, c, nil)
	for _, a := range all {
		if byKey[*a.AliasName] != *a.TargetKeyId {
			t.Errorf("%s names key %s, and is listed by key %q", *a.AliasName, *a.TargetKeyId, byKey[*a.AliasName])
		}
	}
	if len(all) != len(byKey) {
		t.Errorf("%d aliases, and keys list %d", len(all), len(byKey))
	}
}

func aliases(t *testing.T, c *kms.Client, key *string) []types.AliasListEntry {
	t.Helper()
	var all []types.AliasListEntry
	for p := kms.NewListAliasesPaginator(c, &kms.ListAliasesInput{KeyId: key}); p.HasMorePages(); {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Aliases...)
	}
	return all
}
