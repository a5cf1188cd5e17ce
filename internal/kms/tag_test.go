package kms_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// tags makes a list of "key=value".
func tags(list ...string) []kmsapi.Tag {
	out := []kmsapi.Tag{}
	for _, s := range list {
		k, v, _ := strings.Cut(s, "=")
		out = append(out, kmsapi.Tag{TagKey: &k, TagValue: &v})
	}
	return out
}

// numbered makes n tags from the given number on.
func numbered(from, n int) []kmsapi.Tag {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("k%03d=v", from+i))
	}
	return tags(list...)
}

func (u user) tagsOf(id string) string {
	u.t.Helper()
	var list []string
	for _, t := range do[kmsapi.ListResourceTagsResponse](u, &kmsapi.ListResourceTagsRequest{KeyId: &id}).Tags {
		list = append(list, *t.TagKey+"="+*t.TagValue)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// What is refused is refused at creation and later alike, and changes nothing.
func TestTagRules(t *testing.T) {
	u := newWorld(t).as(alice)
	long, longValue := strings.Repeat("ü", 128), strings.Repeat("字", 256)
	for _, row := range []struct {
		name          string
		tags          []kmsapi.Tag
		code, message string
	}{
		{"letters, digits, spaces and punctuation of all scripts", tags("Ключ 1=värde", "a_.:/+-@=_.:/=+-@", "١=一 二"), "", ""},
		{"longest, in characters", tags(long + "=" + longValue), "", ""},
		{"empty value", tags("k="), "", ""},
		{"keys are case-sensitive", tags("k=1", "K=2"), "", ""},
		{"fifty", numbered(0, 50), "", ""},
		{"none", tags(), "", ""},
		{"duplicate keys", tags("k=1", "a=2", "k=1"), "TagException", "Duplicate tag keys"},
		{"reserved", tags("aws:k=v"), "TagException", "Tags beginning with aws: are reserved"},
		{"reserved, in another case", tags("AWS:k=v"), "TagException", "Tags beginning with aws: are reserved"},
		{"more than fifty", numbered(0, 51), "TagException", "Too many tags"},
		{"other characters in a key", tags("a,b=v"), "TagException", ""},
		{"other characters in a value", tags("k=a\nb"), "TagException", ""},
		{"key too long", tags(long + "x=v"), "ValidationException", ""},
		{"value too long", tags("k=" + longValue + "x"), "ValidationException", ""},
		{"empty key", tags("=v"), "ValidationException", "1 validation error detected: Value '' at 'tags.1.member.tagKey' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"no key", []kmsapi.Tag{{TagValue: new("v")}}, "ValidationException", "1 validation error detected: Value null at 'tags.1.member.tagKey' failed to satisfy constraint: Member must not be null"},
		{"no value", []kmsapi.Tag{{TagKey: new("k")}}, "ValidationException", "1 validation error detected: Value null at 'tags.1.member.tagValue' failed to satisfy constraint: Member must not be null"},
	} {
		t.Run(row.name, func(t *testing.T) {
			id := u.createKey()
			keys := len(u.readRecords().keys)
			for _, in := range []request{&kmsapi.CreateKeyRequest{Tags: row.tags}, &kmsapi.TagResourceRequest{KeyId: &id, Tags: row.tags}} {
				a := u.send(in)
				if a.code != row.code || row.message != "" && a.message != row.message {
					t.Errorf("%s: got %q %q, want %q %q", a.operation, a.code, a.message, row.code, row.message)
				}
			}
			if row.code != "" && (u.tagsOf(id) != "" || len(u.readRecords().keys) != keys) {
				t.Errorf("refused, but the key has tags %q", u.tagsOf(id))
			}
		})
	}
}

func TestTagsAreSetByKey(t *testing.T) {
	u := newWorld(t).as(alice)
	id := *do[kmsapi.CreateKeyResponse](u, &kmsapi.CreateKeyRequest{Tags: tags("b=1", "a=1")}).KeyMetadata.KeyId
	for _, step := range []struct {
		in   request
		want string
	}{
		{&kmsapi.TagResourceRequest{KeyId: &id, Tags: tags("c=1", "a=2")}, "a=2 b=1 c=1"},
		{&kmsapi.TagResourceRequest{KeyId: &id, Tags: tags()}, "a=2 b=1 c=1"},
		{&kmsapi.UntagResourceRequest{KeyId: &id, TagKeys: []string{"b", "absent", "A", "b"}}, "a=2 c=1"},
		{&kmsapi.UntagResourceRequest{KeyId: &id, TagKeys: []string{}}, "a=2 c=1"},
		{&kmsapi.UntagResourceRequest{KeyId: &id, TagKeys: []string{"aws:x"}}, "a=2 c=1"},
		{&kmsapi.UntagResourceRequest{KeyId: new(u.keyARN(id)), TagKeys: []string{"a", "c"}}, ""},
		{&kmsapi.TagResourceRequest{KeyId: new(u.keyARN(id)), Tags: tags("d=4")}, "d=4"},
	} {
		u.must(step.in)
		if got := u.tagsOf(id); got != step.want {
			t.Errorf("after %s: got %q, want %q", operationOf(step.in), got, step.want)
		}
	}
}

func TestFiftyTagsForOneKey(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	u.must(&kmsapi.TagResourceRequest{KeyId: &id, Tags: numbered(0, 49)})
	u.refusedAs(&kmsapi.TagResourceRequest{KeyId: &id, Tags: numbered(49, 2)}, "LimitExceededException")
	u.must(&kmsapi.TagResourceRequest{KeyId: &id, Tags: numbered(48, 2)}) // one is there already
	u.refusedAs(&kmsapi.TagResourceRequest{KeyId: &id, Tags: numbered(50, 1)}, "LimitExceededException")
	u.must(&kmsapi.UntagResourceRequest{KeyId: &id, TagKeys: []string{"k000"}})
	u.must(&kmsapi.TagResourceRequest{KeyId: &id, Tags: numbered(50, 1)})
}

func TestTagRequestsNeedTheirParts(t *testing.T) {
	u := newWorld(t).as(alice)
	id := u.createKey()
	for _, row := range []struct {
		in      request
		message string
	}{
		{&kmsapi.TagResourceRequest{KeyId: &id}, "1 validation error detected: Value null at 'tags' failed to satisfy constraint: Member must not be null"},
		{&kmsapi.UntagResourceRequest{KeyId: &id}, "1 validation error detected: Value null at 'tagKeys' failed to satisfy constraint: Member must not be null"},
		{&kmsapi.TagResourceRequest{Tags: tags("=v")}, "2 validation errors detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null; Value '' at 'tags.1.member.tagKey' failed to satisfy constraint: Member must have length greater than or equal to 1"},
	} {
		u.refused(row.in, "ValidationException", row.message)
	}
}

// Who makes a key with tags must be allowed to tag (KMS API Reference, CreateKey, Tags).
func TestCreateKeyWithTagsNeedsLeaveToTag(t *testing.T) {
	u := newWorld(t).as(alice)
	maker := u.newUser("maker", allowing("kms:CreateKey"))
	tagger := u.newUser("tagger", allowing("kms:CreateKey"), identity("Allow", "*", `{"StringEquals":{"aws:RequestTag/team":"blue"}}`, "kms:TagResource"))
	for _, row := range []struct {
		who  user
		tags []kmsapi.Tag
		ok   bool
	}{
		{maker, nil, true}, {maker, []kmsapi.Tag{}, true}, {maker, tags("team=blue"), false}, {tagger, tags("team=blue"), true},
		{tagger, tags("team=red"), false}, {tagger, tags("a=b"), false}, {tagger, tags("a=b", "team=blue"), true},
	} {
		keys := len(u.readRecords().keys)
		in := &kmsapi.CreateKeyRequest{Tags: row.tags}
		if row.ok {
			row.who.must(in)
			continue
		}
		row.who.refused(in, "AccessDeniedException", "User: "+row.who.principal()+
			" is not authorized to perform: kms:TagResource on resource: * because no identity-based policy allows the kms:TagResource action")
		if n := len(u.readRecords().keys); n != keys {
			t.Errorf("who may not tag has made a key")
		}
	}
}
