package kms_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/trent-kms/trent/internal/api"
	iamapi "github.com/trent-kms/trent/internal/api/iam"
	stsapi "github.com/trent-kms/trent/internal/api/sts"
	trentapi "github.com/trent-kms/trent/internal/api/trent"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/material"
	"github.com/trent-kms/trent/internal/wire/sigv4"
)

// login is what a principal that is not a root user signs with, and the headers that it sends along.
type login struct {
	arn        string
	credential sigv4.Credential
	headers    map[string]string
}

func (l *login) arnOr(root string) string {
	if l == nil {
		return root
	}
	return l.arn
}

// signRequest signs a request for a service. The access key id of a development server's root user is its account's id.
func (u user) signRequest(r *http.Request, body []byte, service string) {
	u.t.Helper()
	cred := sigv4.Credential{AccessKeyID: u.account, Secret: material.Take([]byte("test"))}
	if u.login != nil {
		cred = u.login.credential
		for name, value := range u.login.headers {
			r.Header.Set(name, value)
		}
	}
	if err := sigv4.Sign(r, body, cred, u.region, service, time.Now()); err != nil {
		u.t.Error(err)
	}
}

// with is u sending headers along.
func (u user) with(headers ...string) user {
	l := login{credential: sigv4.Credential{AccessKeyID: u.account, Secret: material.Take([]byte("test"))}, arn: u.principal()}
	if u.login != nil {
		l = *u.login
	}
	l.headers = map[string]string{}
	for pair := range slices.Chunk(headers, 2) {
		l.headers[pair[0]] = pair[1]
	}
	u.login = &l
	return u
}

// elements are the leaves of an XML answer: the first of each name.
type elements map[string]string

// query sends a request to IAM or STS.
func (u user) query(action string, parameters ...string) (elements, int) {
	u.t.Helper()
	service, version := "iam", iamapi.Version
	if strings.HasPrefix(action, "AssumeRole") || slices.Contains([]string{"GetFederationToken", "GetSessionToken", "GetCallerIdentity"}, action) {
		service, version = "sts", stsapi.Version
	}
	form := url.Values{"Action": {action}, "Version": {version}}
	for pair := range slices.Chunk(parameters, 2) {
		form.Set(pair[0], pair[1])
	}
	body := form.Encode()
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	u.signRequest(r, []byte(body), service)
	rec := httptest.NewRecorder()
	u.handler.ServeHTTP(rec, r)
	return u.leaves(rec.Body), rec.Code
}

func (u user) leaves(body io.Reader) elements {
	u.t.Helper()
	all, name := elements{}, ""
	for d := xml.NewDecoder(body); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			u.t.Fatal(err)
		}
		switch x := token.(type) {
		case xml.StartElement:
			name = x.Name.Local
		case xml.CharData:
			if _, found := all[name]; name != "" && !found {
				all[name] = string(x)
			}
		case xml.EndElement:
			name = ""
		}
	}
}

// iam sends a request to IAM or STS that must succeed.
func (u user) iam(action string, parameters ...string) elements {
	u.t.Helper()
	all, status := u.query(action, parameters...)
	if status != http.StatusOK {
		u.t.Fatalf("%s: %d %s: %s", action, status, all["Code"], all["Message"])
	}
	return all
}

// signedIn is the principal with the credentials of an answer, which no audit record may show.
func (u user) signedIn(arn string, of elements) user {
	u.t.Helper()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.secrets[of["SecretAccessKey"]] = "the secret access key of " + arn
	if token := of["SessionToken"]; token != "" {
		u.secrets[token] = "the session token of " + arn
	}
	u.login = &login{arn: arn, credential: sigv4.Credential{
		AccessKeyID: of["AccessKeyId"], Secret: material.Take([]byte(of["SecretAccessKey"])), SessionToken: of["SessionToken"],
	}}
	return u
}

// newUser makes a user of u's account, with inline policies, and signs in with an access key.
func (u user) newUser(name string, policies ...string) user {
	u.t.Helper()
	arn := u.iam("CreateUser", "UserName", name)["Arn"]
	v := u.signedIn(arn, u.iam("CreateAccessKey", "UserName", name))
	for i, p := range policies {
		u.iam("PutUserPolicy", "UserName", name, "PolicyName", "p"+string(rune('0'+i)), "PolicyDocument", p)
	}
	return v
}

// deleteUser deletes a user that newUser has made.
func (u user) deleteUser(v user, policies int) {
	u.t.Helper()
	name := v.login.arn[strings.LastIndex(v.login.arn, "/")+1:]
	u.iam("DeleteAccessKey", "UserName", name, "AccessKeyId", v.login.credential.AccessKeyID)
	for i := range policies {
		u.iam("DeleteUserPolicy", "UserName", name, "PolicyName", "p"+string(rune('0'+i)))
	}
	u.iam("DeleteUser", "UserName", name)
}

// newRole makes a role that its account trusts, and returns its ARN.
func (u user) newRole(name string, policies ...string) string {
	u.t.Helper()
	trust := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + u.account + `"},"Action":["sts:AssumeRole","sts:TagSession"]}}`
	arn := u.iam("CreateRole", "RoleName", name, "AssumeRolePolicyDocument", trust)["Arn"]
	for i, p := range policies {
		u.iam("PutRolePolicy", "RoleName", name, "PolicyName", "p"+string(rune('0'+i)), "PolicyDocument", p)
	}
	return arn
}

// assume is a session of a role. The root user may not assume one, so a user does it who may do nothing else.
func (u user) assume(role, session string, parameters ...string) user {
	u.t.Helper()
	porter := u
	if u.login == nil {
		name := "porter-" + strings.ReplaceAll(role[strings.LastIndex(role, "/")+1:]+"-"+session, "/", "-")
		porter = u.newUser(name, allowing("sts:AssumeRole"))
	}
	of := porter.iam("AssumeRole", append([]string{"RoleArn", role, "RoleSessionName", session}, parameters...)...)
	return u.signedIn(of["Arn"], of)
}

// federate is a federated user that u, a user, vouches for.
func (u user) federate(name string, parameters ...string) user {
	u.t.Helper()
	of := u.iam("GetFederationToken", append([]string{"Name", name}, parameters...)...)
	return u.signedIn(of["Arn"], of)
}

// temporary is u with credentials of GetSessionToken.
func (u user) temporary() user {
	u.t.Helper()
	return u.signedIn(u.principal(), u.iam("GetSessionToken"))
}

// bound puts a permissions boundary around a user of u's account.
func (u user) bound(v user, document string) {
	u.t.Helper()
	name := v.login.arn[strings.LastIndex(v.login.arn, "/")+1:]
	arn := u.iam("CreatePolicy", "PolicyName", "boundary-of-"+name, "PolicyDocument", document)["Arn"]
	u.iam("PutUserPermissionsBoundary", "UserName", name, "PermissionsBoundary", arn)
}

// registered is a service, of none of the accounts, that may speak for principals of some.
func (w *world) registered(principal string, accounts ...string) user {
	w.t.Helper()
	out := new(trentapi.RegisterServiceResponse)
	w.as(alice).administer(&trentapi.RegisterServiceRequest{ServicePrincipal: &principal, Accounts: accounts}, out)
	w.secrets[*out.SecretAccessKey] = "the secret access key of " + principal
	return user{w, "", region, &login{arn: principal, credential: sigv4.Credential{
		AccessKeyID: *out.AccessKeyId, Secret: material.Take([]byte(*out.SecretAccessKey)),
	}}}
}

// acting is a service on its own account, for a resource.
func (u user) acting(sourceARN, sourceAccount string) user {
	return u.with("X-Amz-Source-Arn", sourceARN, "X-Amz-Source-Account", sourceAccount)
}

// onBehalfOf is a service that carries out a request of v.
func (u user) onBehalfOf(v user) user {
	headers := []string{"X-Amz-Trent-On-Behalf-Of", v.account}
	if v.login != nil {
		headers = []string{"X-Amz-Trent-On-Behalf-Of", v.login.credential.AccessKeyID}
		if token := v.login.credential.SessionToken; token != "" {
			headers = append(headers, "X-Amz-Trent-On-Behalf-Of-Token", token)
		}
	}
	u = u.with(headers...)
	u.login.arn, u.account = v.principal(), v.account
	return u
}

// administer sends a request to the server's own administration that must succeed.
func (u user) administer(in request, out api.Shape) {
	u.t.Helper()
	a := u.roundTrip(trentapi.Service, trentapi.TargetPrefix, operationOf(in), in.AppendJSON(nil))
	if !a.ok() {
		u.t.Fatalf("%s: %s: %s", a.operation, a.code, a.message)
	}
	if err := api.Decode(a.body, out); err != nil {
		u.t.Fatal(err)
	}
}

// recordOf is the whole audit record of an answer.
func (w *world) recordOf(a answer) (found []byte) {
	w.t.Helper()
	err := audit.Read(w.auditDir, func(line []byte) error {
		if bytes.Contains(line, []byte(a.requestID)) {
			found = bytes.Clone(line)
		}
		return nil
	})
	if err != nil || found == nil {
		w.t.Fatalf("%s %s has no audit record: %v", a.operation, a.requestID, err)
	}
	return found
}

// Policies, short enough to be read in a test.

// allowing is an identity policy that allows actions on everything.
func allowing(actions ...string) string { return identity("Allow", "*", "", actions...) }

// denying is an identity policy that denies actions on everything.
func denying(actions ...string) string { return identity("Deny", "*", "", actions...) }

// identity is a policy of one statement without a principal. condition is its JSON, or empty.
func identity(effect, resource, condition string, actions ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + rule(effect, "", resource, condition, actions...) + `]}`
}

// rule is a statement. principal and condition are JSON, and may be empty.
func rule(effect, principal, resource, condition string, actions ...string) string {
	s := `{"Effect":"` + effect + `","Action":["` + strings.Join(actions, `","`) + `"],"Resource":"` + resource + `"`
	if principal != "" {
		s += `,"Principal":` + principal
	}
	if condition != "" {
		s += `,"Condition":` + condition
	}
	return s + "}"
}

// aws names principals of a statement.
func aws(principals ...string) string { return `{"AWS":["` + strings.Join(principals, `","`) + `"]}` }

// rules is a policy of statements.
func rules(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}
