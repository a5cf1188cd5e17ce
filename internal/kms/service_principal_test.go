package kms_test

import (
	"slices"
	"testing"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// viaS3 is a key policy of an account that lets a user encrypt through S3 alone.
func viaS3(u, app user) string {
	return closed(u.account, rule("Allow", aws(app.principal()), "*",
		conditionJSON(condition{"StringEquals", "kms:ViaService", []string{"s3." + region + ".amazonaws.com"}}), "kms:Encrypt"))
}

// TestViaService: a service that is registered for the caller's account makes its request; no header of the caller's own does.
func TestViaService(t *testing.T) {
	w := newWorld(t)
	u, v := w.as(alice), w.as(bob)
	app := u.newUser("app", allowing("sts:GetFederationToken"))
	id := u.createKey()
	u.putPolicy(id, viaS3(u, app))
	arn := u.keyARN(id)
	s3, sqs := w.registered("s3.amazonaws.com", alice), w.registered("sqs.amazonaws.com", alice)
	foreign := w.registered("rds.amazonaws.com", bob)
	session := app.temporary()
	for _, row := range []struct {
		name string
		who  user
		want bool
	}{
		{"the user itself", app, false},
		{"through S3", s3.onBehalfOf(app), true},
		{"through S3, with temporary credentials", s3.onBehalfOf(session), true},
		{"through another service", sqs.onBehalfOf(app), false},
		{"through a service of another account", foreign.onBehalfOf(app), false},
		{"somebody else through S3", s3.onBehalfOf(u.newUser("other", allowing("kms:*"))), false},
		{"another account's user through S3", s3.onBehalfOf(v.newUser("app", allowing("kms:*"))), false},
		{"S3 for itself", s3, false},
		{"the user with the headers of a service", app.with("X-Amz-Trent-On-Behalf-Of", app.login.credential.AccessKeyID, "X-Amz-Source-Arn", arn), false},
		{"the root user with the headers of a service, for the user", sameARN(u.with("X-Amz-Trent-On-Behalf-Of", app.login.credential.AccessKeyID), u), true},
		{"a role of the service's name", u.assume(u.newRole("s3.amazonaws.com", allowing("kms:*")), "s3.amazonaws.com"), false},
		{"a user of the service's name", u.newUser("s3.amazonaws.com", allowing("kms:*")), false},
	} {
		if a := row.who.send(encrypts(arn)); a.ok() != row.want || !row.want && a.code != "AccessDeniedException" {
			t.Errorf("%s: %q %q", row.name, a.code, a.message)
		}
	}
	// A service that carries out a session's request must have been given its token.
	half := s3.onBehalfOf(session)
	delete(half.login.headers, "X-Amz-Trent-On-Behalf-Of-Token")
	half.refusedAs(encrypts(arn), "AccessDeniedException")
	// Nobody of that name, an account that is none, another's secret.
	for _, id := range []string{"AKIA0000000000000000", "000000000000", bob, s3.login.credential.AccessKeyID, ""} {
		a := s3.with("X-Amz-Trent-On-Behalf-Of", id).send(encrypts(arn))
		if a.code != "AccessDeniedException" {
			t.Errorf("on behalf of %q: %q %q", id, a.code, a.message)
		}
	}
	// A service does not act for a service.
	sqs.with("X-Amz-Trent-On-Behalf-Of", s3.login.credential.AccessKeyID).refusedAs(encrypts(arn), "AccessDeniedException")
	// Nobody administers identities through a service.
	admin := u.newUser("admin", allowing("iam:*"))
	if all, _ := s3.onBehalfOf(admin).query("CreateUser", "UserName", "eve"); all["Code"] != "AccessDenied" {
		t.Errorf("CreateUser through a service: %v", all)
	}
	// The record names the user, and through whom.
	a := s3.onBehalfOf(app).must(encrypts(arn))
	if e := w.eventOf(a); e.UserIdentity["arn"] != app.principal() || e.UserIdentity["invokedBy"] != "s3.amazonaws.com" {
		t.Errorf("userIdentity %v", e.UserIdentity)
	}
}

// sameARN is u for a request that has nothing of what it pretends.
func sameARN(u, as user) user {
	u.login.arn = as.principal()
	return u
}

// TestServicePrincipal: a service for itself is who a policy's Service names, with the resource that it acts for.
func TestServicePrincipal(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	s3, sqs := w.registered("s3.amazonaws.com", alice, bob), w.registered("sqs.amazonaws.com", alice)
	const bucket, other = "arn:aws:s3:::bucket", "arn:aws:s3:::other"
	service := `{"Service":"s3.amazonaws.com"}`
	is := func(key, value string) string { return conditionJSON(condition{"StringEquals", key, []string{value}}) }
	app := u.newUser("app", allowing("kms:*"))
	all := map[string]user{
		"S3": s3, "S3 for the bucket": s3.acting(bucket, alice), "S3 for another bucket": s3.acting(other, alice), "S3 for another account": s3.acting(bucket, bob),
		"SQS for the bucket": sqs.acting(bucket, alice), "user": app, "user with the headers": app.with("X-Amz-Source-Arn", bucket, "X-Amz-Source-Account", alice),
		"root with the headers": u.with("X-Amz-Source-Arn", bucket, "X-Amz-Source-Account", alice),
	}
	everyS3 := []string{"S3", "S3 for the bucket", "S3 for another bucket", "S3 for another account"}
	cells := 0
	for _, row := range []struct {
		name, statement string
		may             []string
	}{
		{"nobody", rule("Deny", `"*"`, "*", "", "kms:Sign"), nil},
		{"the service", rule("Allow", service, "*", "", "kms:Encrypt"), everyS3},
		{"the service for a resource", rule("Allow", service, "*", is("aws:SourceArn", bucket), "kms:Encrypt"), []string{"S3 for the bucket", "S3 for another account"}},
		{"the service for an account", rule("Allow", service, "*", is("aws:SourceAccount", alice), "kms:Encrypt"), []string{"S3 for the bucket", "S3 for another bucket"}},
		{"everybody for the resource", rule("Allow", `"*"`, "*", is("aws:SourceArn", bucket), "kms:Encrypt"), []string{"S3 for the bucket", "S3 for another account", "SQS for the bucket"}},
		{"services", rule("Allow", `"*"`, "*", conditionJSON(condition{"Bool", "aws:PrincipalIsAWSService", []string{"true"}}), "kms:Encrypt"), append(slices.Clone(everyS3), "SQS for the bucket")},
		{"the account", rule("Allow", aws(alice), "*", conditionJSON(condition{"StringEquals", "aws:PrincipalAccount", []string{alice}}), "kms:Encrypt"), []string{"user", "user with the headers"}},
		{"not through a service", rule("Allow", `"*"`, "*", conditionJSON(absentKey("kms:ViaService"), absentKey("aws:SourceArn")), "kms:Encrypt"), []string{"S3", "user", "user with the headers"}},
	} {
		id := u.createClosed(row.statement)
		for name, who := range all {
			cells++
			want := slices.Contains(row.may, name) || name == "root with the headers"
			if a := who.send(encrypts(u.keyARN(id))); a.ok() != want || !want && a.code != "AccessDeniedException" {
				t.Errorf("a policy that allows %s: %s: %q %q", row.name, name, a.code, a.message)
			}
		}
	}
	if cells != 64 {
		t.Errorf("%d cells", cells)
	}
	// What a service is not registered for it may not say, whatever policies allow.
	open := u.createClosed(rule("Allow", `"*"`, "*", "", "kms:Encrypt"))
	sqs.must(encrypts(u.keyARN(open)))
	sqs.acting(bucket, bob).refused(encrypts(u.keyARN(open)), "AccessDeniedException", "sqs.amazonaws.com may not make requests for resources of this account.")
	// A service belongs to no account: it has no keys, and none of its own.
	s3.refused(encrypts("alias/aws/s3"), "NotFoundException", "Invalid keyId 'alias/aws/s3'")
	s3.refused(&kmsapi.CreateKeyRequest{}, "AccessDeniedException",
		"User: s3.amazonaws.com is not authorized to perform: kms:CreateKey on resource: * because no identity-based policy allows the kms:CreateKey action")
	// Operations that stay in the account are not for a service either.
	id := u.createClosed(rule("Allow", service, "*", "", "kms:*"))
	s3.refusedAs(&kmsapi.GetKeyPolicyRequest{KeyId: new(u.keyARN(id))}, "AccessDeniedException")
	s3.must(&kmsapi.DescribeKeyRequest{KeyId: new(u.keyARN(id))})
}

// The key of a service is for whoever comes through the service, and comes into being for them alone.
func TestKeyOfAService(t *testing.T) {
	w := newWorld(t)
	u := w.as(alice)
	app, nobody := u.newUser("app", allowing("kms:*")), u.newUser("nobody")
	s3, sqs := w.registered("s3.amazonaws.com", alice, bob), w.registered("sqs.amazonaws.com", alice)
	const alias = "alias/aws/s3"
	keys := func() int { return len(w.readRecords().keys) }
	for name, who := range map[string]user{
		"root": u, "user": app, "another service": sqs.onBehalfOf(app),
		"with the header": app.with("X-Amz-Trent-On-Behalf-Of", app.login.credential.AccessKeyID),
	} {
		if a := who.send(encrypts(alias)); a.code != "AccessDeniedException" || keys() != 0 {
			t.Errorf("%s: %q %q; %d keys", name, a.code, a.message, keys())
		}
	}
	through := s3.onBehalfOf(nobody) // needs no permission of its own
	ciphertext := do[kmsapi.EncryptResponse](through, encrypts(alias))
	if keys() != 1 {
		t.Fatalf("%d keys", keys())
	}
	through.must(&kmsapi.DecryptRequest{CiphertextBlob: ciphertext.CiphertextBlob})
	s3.onBehalfOf(app).must(encrypts(u.arn(alias)))
	for name, who := range map[string]user{"root": u, "user": app, "another service": sqs.onBehalfOf(app), "another account": s3.onBehalfOf(w.as(bob))} {
		if who.may(encrypts(u.arn(alias))) || who.may(&kmsapi.DecryptRequest{CiphertextBlob: ciphertext.CiphertextBlob}) {
			t.Errorf("%s: allowed", name)
		}
	}
	// The account may look, and take back what the service has granted.
	app.must(&kmsapi.DescribeKeyRequest{KeyId: new(alias)})
	if nobody.may(&kmsapi.DescribeKeyRequest{KeyId: new(alias)}) {
		t.Error("somebody without permission may look")
	}
	grant, _ := through.createGrant(&kmsapi.CreateGrantRequest{KeyId: ciphertext.KeyId, GranteePrincipal: new(nobody.principal()), Operations: operations{"Decrypt"}})
	nobody.must(&kmsapi.DecryptRequest{CiphertextBlob: ciphertext.CiphertextBlob})
	app.must(&kmsapi.RevokeGrantRequest{KeyId: ciphertext.KeyId, GrantId: &grant})
	if nobody.may(&kmsapi.DecryptRequest{CiphertextBlob: ciphertext.CiphertextBlob}) {
		t.Error("the grant has not ended")
	}
	// Of another Region: another service address, another key.
	through.in(abroad).must(encrypts(alias))
	if keys() != 2 {
		t.Errorf("%d keys", keys())
	}
}
