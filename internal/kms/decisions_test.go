package kms_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	orgapi "github.com/trent-kms/trent/internal/api/organizations"
)

// need is one thing that an operation has to be allowed: by a key's policy, or by an identity policy.
type need struct {
	action, resource string // of the error's text
	key              string // with a policy of its own; empty: identity policies decide
}

// TestOperationsThatNeedSeveralPermissions takes each away: the request is denied, and the text names the first that lacks.
func TestOperationsThatNeedSeveralPermissions(t *testing.T) {
	cases := 0
	for _, row := range []struct {
		name  string
		needs func(u user, keys []string) []need
		make  func(u user, keys []string) request
	}{
		{"CreateAlias", func(u user, keys []string) []need {
			return []need{{"kms:CreateAlias", u.arn("alias/new"), ""}, {"kms:CreateAlias", u.keyARN(keys[0]), keys[0]}}
		}, func(_ user, keys []string) request {
			return &kmsapi.CreateAliasRequest{AliasName: new("alias/new"), TargetKeyId: &keys[0]}
		}},
		{"UpdateAlias", func(u user, keys []string) []need {
			return []need{{"kms:UpdateAlias", u.arn("alias/app"), ""}, {"kms:UpdateAlias", u.keyARN(keys[0]), keys[0]}, {"kms:UpdateAlias", u.keyARN(keys[1]), keys[1]}}
		}, func(_ user, keys []string) request {
			return &kmsapi.UpdateAliasRequest{AliasName: new("alias/app"), TargetKeyId: &keys[1]}
		}},
		{"DeleteAlias", func(u user, keys []string) []need {
			return []need{{"kms:DeleteAlias", u.arn("alias/app"), ""}, {"kms:DeleteAlias", u.keyARN(keys[0]), keys[0]}}
		}, func(user, []string) request { return &kmsapi.DeleteAliasRequest{AliasName: new("alias/app")} }},
		{"ReEncrypt", func(u user, keys []string) []need {
			return []need{{"kms:ReEncryptFrom", u.keyARN(keys[0]), keys[0]}, {"kms:ReEncryptTo", u.keyARN(keys[1]), keys[1]}}
		}, func(u user, keys []string) request {
			return &kmsapi.ReEncryptRequest{CiphertextBlob: u.encrypt(keys[0], secret, nil), SourceKeyId: &keys[0], DestinationKeyId: &keys[1]}
		}},
		{"CreateKey with tags", func(user, []string) []need {
			return []need{{"kms:CreateKey", "*", ""}, {"kms:TagResource", "*", ""}}
		}, func(user, []string) request { return &kmsapi.CreateKeyRequest{Tags: tags("a=b")} }},
		{"ReplicateKey", func(u user, keys []string) []need {
			return []need{{"kms:ReplicateKey", u.keyARN(keys[2]), keys[2]}, {"kms:CreateKey", "*", ""}}
		}, func(_ user, keys []string) request {
			return &kmsapi.ReplicateKeyRequest{KeyId: &keys[2], ReplicaRegion: new(farther)}
		}},
		{"ReplicateKey with tags", func(u user, keys []string) []need {
			return []need{{"kms:ReplicateKey", u.keyARN(keys[2]), keys[2]}, {"kms:CreateKey", "*", ""}, {"kms:TagResource", "*", ""}}
		}, func(_ user, keys []string) request {
			return &kmsapi.ReplicateKeyRequest{KeyId: &keys[2], ReplicaRegion: new(farther), Tags: tags("a=b")}
		}},
		{"UpdatePrimaryRegion", func(u user, keys []string) []need {
			return []need{{"kms:UpdatePrimaryRegion", u.keyARN(keys[2]), keys[2]}, {"kms:UpdatePrimaryRegion", u.in(abroad).keyARN(keys[2]), abroad}}
		}, func(_ user, keys []string) request {
			return &kmsapi.UpdatePrimaryRegionRequest{KeyId: &keys[2], PrimaryRegion: new(abroad)}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			u := newWorld(t).as(alice)
			keys := []string{u.createKey(), u.createKey()}
			u.createAlias("alias/app", keys[0])
			kinds := keyKinds()
			keys = append(keys, u.specimenOf(kinds[slices.IndexFunc(kinds, keyKind.primary)]))
			app := u.newUser("app")
			needs := row.needs(u, keys)
			in := row.make(u, keys)
			for given := range 1 << len(needs) {
				cases++
				missing := u.give(app, needs, given)
				a := app.send(in)
				if missing == nil {
					if !a.ok() {
						t.Errorf("denied: %q %q", a.code, a.message)
					}
					continue
				}
				layer := "identity-based"
				if missing.key != "" {
					layer = "resource-based"
				}
				want := fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s because no %s policy allows the %s action",
					app.principal(), missing.action, missing.resource, layer, missing.action)
				if a.code != "AccessDeniedException" || a.message != want {
					t.Errorf("given %b: got %q %q, want %q", given, a.code, a.message, want)
				}
			}
		})
	}
	if cases != 6*4+2*8 {
		t.Errorf("%d cases", cases)
	}
}

// specimenOf makes a key of a kind, and returns its id alone.
func (u user) specimenOf(k keyKind) string {
	u.t.Helper()
	u.createAlias(spareAlias, u.createKey())
	return u.specimen(k).id
}

// give gives a user those permissions whose bit is set, by the policy that decides, and returns the first of the others.
func (u user) give(who user, needs []need, given int) (missing *need) {
	u.t.Helper()
	var statements []string
	for i, n := range needs {
		has := given&(1<<i) != 0
		if !has && missing == nil {
			missing = &needs[i]
		}
		if n.key == "" {
			if has {
				statements = append(statements, rule("Allow", "", n.resource, "", n.action))
			}
			continue
		}
		owner, id, document := u, n.key, closed(u.account)
		if n.key == abroad {
			owner, id = u.in(abroad), needs[0].key
		}
		if has {
			document = closed(u.account, rule("Allow", aws(who.principal()), "*", "", n.action))
		}
		owner.putPolicy(id, document)
	}
	if statements == nil {
		statements = []string{rule("Allow", "", "*", "", "kms:ListKeys")}
	}
	u.iam("PutUserPolicy", "UserName", "app", "PolicyName", "p", "PolicyDocument", rules(statements...))
	return missing
}

// TestReasons has the text of AccessDeniedException for each layer that can deny (IAM User Guide, "Troubleshoot access denied
// error messages").
func TestReasons(t *testing.T) {
	w := newWorld(t)
	o := w.organization()
	u := o.account("reasons")
	open, id := u.createKey(), u.createClosed() // the one leaves it to the account's policies
	denies := u.createClosed(rule("Deny", `"*"`, "*", "", "kms:Encrypt"), rule("Allow", `"*"`, "*", "", "kms:Encrypt"))
	managed := func(name, document string) string {
		return u.iam("CreatePolicy", "PolicyName", name, "PolicyDocument", document)["Arn"]
	}
	denyARN := managed("deny", denying("kms:Encrypt"))
	withManaged := u.newUser("managed", allowing("kms:*"))
	u.iam("AttachUserPolicy", "UserName", "managed", "PolicyArn", denyARN)
	bounded := u.newUser("bounded", allowing("kms:*"))
	u.bound(bounded, allowing("kms:Decrypt"))
	fenced := u.newUser("fenced", allowing("kms:*"))
	u.bound(fenced, denying("kms:Encrypt"))
	role := u.newRole("app", allowing("kms:*"))
	for _, row := range []struct {
		name, key string
		who       user
		reason    string
	}{
		{"no identity policy", open, u.newUser("nothing"), "because no identity-based policy allows the kms:Encrypt action"},
		{"another action", open, u.newUser("decrypts", allowing("kms:Decrypt")), "because no identity-based policy allows the kms:Encrypt action"},
		{"another key", open, u.newUser("other", identity("Allow", u.keyARN(id), "", "kms:*")), "because no identity-based policy allows the kms:Encrypt action"},
		{"no key policy", id, u.newUser("all", allowing("kms:*")), "because no resource-based policy allows the kms:Encrypt action"},
		{"neither", id, u.newUser("none"), "because no resource-based policy allows the kms:Encrypt action"},
		{"boundary", open, bounded, "because no permissions boundary allows the kms:Encrypt action"},
		{"session policy", open, u.assume(role, "narrow", "Policy", allowing("kms:Decrypt")), "because no session policy allows the kms:Encrypt action"},
		{"identity policy denies, inline", open, u.newUser("denied", allowing("kms:*"), denying("kms:Encrypt")), "with an explicit deny in an identity-based policy"},
		{"identity policy denies, managed", open, withManaged, "with an explicit deny in an identity-based policy: " + denyARN},
		{"boundary denies", open, fenced, "with an explicit deny in a permissions boundary: arn:aws:iam::" + u.account + ":policy/boundary-of-fenced"},
		{"session policy denies", open, u.assume(role, "denied", "Policy", rules(rule("Allow", "", "*", "", "kms:*"), rule("Deny", "", "*", "", "kms:Encrypt"))), "with an explicit deny in a session policy"},
		{"key policy denies", denies, u.newUser("both", allowing("kms:*")), "with an explicit deny in a resource-based policy"},
		{"key policy denies the root user", denies, u, "with an explicit deny in a resource-based policy"},
	} {
		row.who.refused(encrypts(u.keyARN(row.key)), "AccessDeniedException",
			"User: "+row.who.principal()+" is not authorized to perform: kms:Encrypt on resource: "+u.keyARN(row.key)+" "+row.reason)
	}
	nobody := u.newUser("nobody")
	nobody.refused(&kmsapi.ListKeysRequest{}, "AccessDeniedException",
		"User: "+nobody.principal()+" is not authorized to perform: kms:ListKeys on resource: * because no identity-based policy allows the kms:ListKeys action")
	app := u.newUser("controlled", allowing("kms:*"))
	control := func(kind orgapi.PolicyType, document, reason string) {
		t.Helper()
		a := o.attach(u.account, kind, document)
		app.refused(encrypts(u.keyARN(open)), "AccessDeniedException",
			"User: "+app.principal()+" is not authorized to perform: kms:Encrypt on resource: "+u.keyARN(open)+" "+strings.ReplaceAll(reason, "$arn", a.arn))
		a.detach()
		app.must(encrypts(u.keyARN(open)))
	}
	control(orgapi.PolicyTypeServiceControlPolicy, denying("kms:Encrypt"), "with an explicit deny in a service control policy: $arn")
	control(orgapi.PolicyTypeResourceControlPolicy, rules(rule("Deny", `"*"`, "*", "", "kms:Encrypt")), "with an explicit deny in a resource control policy: $arn")
	if !nobody.may(&kmsapi.GenerateRandomRequest{NumberOfBytes: new(int32(8))}) != true {
		t.Error("allowed without a policy")
	}
}

// Two tags, or two pairs of an encryption context, whose names differ in case alone: a condition means all of them, and none
// stands for the others.
func TestNamesThatDifferInCaseAlone(t *testing.T) {
	u := newWorld(t).as(alice)
	app := u.newUser("app", allowing("kms:CreateKey", "kms:TagResource"))
	is := func(key, value string) string { return conditionJSON(condition{"StringEquals", key, []string{value}}) }
	// Who may give a key one value of a tag cannot bring in another one.
	tagger := u.newUser("tagger", identity("Allow", "*", is("aws:RequestTag/env", "dev"), "kms:CreateKey", "kms:TagResource"))
	for _, row := range []struct {
		tags []string
		want bool
	}{
		{[]string{"env=dev"}, true}, {[]string{"ENV=dev"}, true}, {[]string{"env=prod"}, false}, {[]string{"env=dev", "Env=prod"}, false},
		{[]string{"ENV=prod", "env=dev"}, false}, {[]string{"env=dev", "ENV=dev"}, false}, {nil, false},
	} {
		if got := tagger.may(&kmsapi.CreateKeyRequest{Tags: tags(row.tags...)}); got != row.want {
			t.Errorf("tags %v: allowed %v", row.tags, got)
		}
	}
	tagged := func(all ...string) string {
		id := u.createClosed(rule("Allow", aws(app.principal()), "*", is("aws:ResourceTag/env", "prod"), "kms:Encrypt"))
		u.must(&kmsapi.TagResourceRequest{KeyId: &id, Tags: tags(all...)})
		return u.keyARN(id)
	}
	for _, row := range []struct {
		tags []string
		want bool
	}{
		{[]string{"env=prod"}, true}, {[]string{"Env=prod"}, true}, {[]string{"env=dev"}, false},
		{[]string{"ENV=prod", "env=dev"}, false}, {[]string{"ENV=dev", "env=prod"}, false},
	} {
		if got := app.may(encrypts(tagged(row.tags...))); got != row.want {
			t.Errorf("a key with tags %v: allowed %v", row.tags, got)
		}
	}
	id := u.createClosed(rule("Allow", aws(app.principal()), "*", is("kms:EncryptionContext:tenant", "blue"), "kms:Encrypt"))
	for _, row := range []struct {
		context map[string]string
		want    bool
	}{
		{map[string]string{"tenant": "blue"}, true}, {map[string]string{"TENANT": "blue"}, true}, {map[string]string{"tenant": "blue", "a": "b"}, true},
		{map[string]string{"tenant": "blue", "Tenant": "red"}, false}, {map[string]string{"tenant": "red", "Tenant": "blue"}, false},
	} {
		in := encrypts(u.keyARN(id))
		in.EncryptionContext = row.context
		if got := app.may(in); got != row.want {
			t.Errorf("context %v: allowed %v", row.context, got)
		}
	}
}

// What condition keys say where the table of testdata/condition-keys.txt has one value only.
func TestValuesOfConditionKeys(t *testing.T) {
	u := newWorld(t).as(alice)
	app := u.newUser("app", allowing("kms:*"))
	pairKey := *do[kmsapi.CreateKeyResponse](u, &kmsapi.CreateKeyRequest{KeySpec: new(kmsapi.KeySpecRsa2048), KeyUsage: new(encrypting)}).KeyMetadata.KeyId
	id := u.createKey()
	symmetric := u.encrypt(id, secret, nil)
	const oaep = kmsapi.EncryptionAlgorithmSpecRsaesOaepSha256
	external := *do[kmsapi.CreateKeyResponse](u, &kmsapi.CreateKeyRequest{Origin: new(kmsapi.OriginTypeExternal)}).KeyMetadata.KeyId
	is := func(key, value string) []condition { return []condition{{"StringEquals", key, []string{value}}} }
	for _, row := range []struct {
		name, key, action string
		conditions        []condition
		in                request
		want              bool
	}{
		{"algorithm of an RSA key", pairKey, "kms:Encrypt", is("kms:EncryptionAlgorithm", string(oaep)), encryptRequest(pairKey, oaep, []byte(secret)), true},
		{"algorithm of an RSA key, another", pairKey, "kms:Encrypt", is("kms:EncryptionAlgorithm", string(oaep)), encryptRequest(pairKey, kmsapi.EncryptionAlgorithmSpecRsaesOaepSha1, []byte(secret)), false},
		{"ReEncrypt has each side's algorithm, source", id, "kms:ReEncryptFrom", is("kms:EncryptionAlgorithm", "SYMMETRIC_DEFAULT"),
			&kmsapi.ReEncryptRequest{CiphertextBlob: symmetric, DestinationKeyId: &pairKey, DestinationEncryptionAlgorithm: new(oaep)}, true},
		{"ReEncrypt has each side's algorithm, destination", pairKey, "kms:ReEncryptTo", is("kms:EncryptionAlgorithm", string(oaep)),
			&kmsapi.ReEncryptRequest{CiphertextBlob: symmetric, DestinationKeyId: &pairKey, DestinationEncryptionAlgorithm: new(oaep)}, true},
		{"ReEncrypt on the same key", id, "kms:ReEncrypt*", []condition{{"Bool", "kms:ReEncryptOnSameKey", []string{"true"}}},
			&kmsapi.ReEncryptRequest{CiphertextBlob: symmetric, DestinationKeyId: &id}, true},
		{"a constraint of equal pairs", id, "kms:CreateGrant", append(is("kms:GrantConstraintType", "EncryptionContextEquals"), is("kms:EncryptionContext:a", "1")...),
			&kmsapi.CreateGrantRequest{KeyId: &id, GranteePrincipal: new(app.principal()), Operations: operations{"Encrypt"},
				Constraints: &kmsapi.GrantConstraints{EncryptionContextEquals: map[string]string{"a": "1"}}}, true},
		{"all of a grant's operations", id, "kms:CreateGrant", []condition{{"ForAllValues:StringEquals", "kms:GrantOperations", []string{"Encrypt", "Decrypt"}}},
			&kmsapi.CreateGrantRequest{KeyId: &id, GranteePrincipal: new(app.principal()), Operations: operations{"Encrypt", "DescribeKey"}}, false},
		{"material without an expiration model", external, "kms:ImportKeyMaterial", []condition{absentKey("kms:ExpirationModel"), absentKey("kms:ValidTo")},
			&kmsapi.ImportKeyMaterialRequest{KeyId: &external, ImportToken: []byte("t"), EncryptedKeyMaterial: []byte("m")}, true},
		{"material that does not expire", external, "kms:ImportKeyMaterial", is("kms:ExpirationModel", "KEY_MATERIAL_DOES_NOT_EXPIRE"),
			&kmsapi.ImportKeyMaterialRequest{KeyId: &external, ImportToken: []byte("t"), EncryptedKeyMaterial: []byte("m"), ExpirationModel: new(kmsapi.ExpirationModelTypeKeyMaterialDoesNotExpire)}, true},
		{"the lockout check is not bypassed, said", id, "kms:PutKeyPolicy", []condition{{"Bool", "kms:BypassPolicyLockoutSafetyCheck", []string{"false"}}},
			&kmsapi.PutKeyPolicyRequest{KeyId: &id, Policy: new(allow(u.principal(), "kms:*")), BypassPolicyLockoutSafetyCheck: new(false)}, true},
	} {
		document := closed(alice, rule("Allow", aws(app.principal()), "*", conditionJSON(row.conditions...), row.action),
			strings.Replace(rule("Allow", aws(app.principal()), "*", "", row.action), `"Action"`, `"NotAction"`, 1))
		u.putPolicy(row.key, document)
		if a := app.send(row.in); a.code != "AccessDeniedException" != row.want {
			t.Errorf("%s: %q %q", row.name, a.code, a.message)
		}
		u.putPolicy(row.key, allow(u.principal(), "kms:*"))
	}
}
