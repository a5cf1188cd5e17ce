package sdk

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/trent-kms/trent/test/internal/harness"
)

const mismatch = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."

// at signs as if it were another time.
type at struct {
	v4.HTTPSigner
	shift time.Duration
}

func (a at) SignHTTP(ctx context.Context, c aws.Credentials, r *http.Request, hash, service, region string, now time.Time, options ...func(*v4.SignerOptions)) error {
	return a.HTTPSigner.SignHTTP(ctx, c, r, hash, service, region, now.Add(a.shift), options...)
}

// scoped signs for another service.
type scoped struct {
	v4.HTTPSigner
	service string
}

func (s scoped) SignHTTP(ctx context.Context, c aws.Credentials, r *http.Request, hash, _, region string, now time.Time, options ...func(*v4.SignerOptions)) error {
	return s.HTTPSigner.SignHTTP(ctx, c, r, hash, s.service, region, now, options...)
}

// after changes a request that is signed already.
type after func(*http.Request)

func (f after) Do(r *http.Request) (*http.Response, error) {
	f(r)
	return http.DefaultClient.Do(r)
}

// TestSignatures shows what of a signature is looked at, in production.
func TestSignatures(t *testing.T) {
	data := t.TempDir()
	s := harness.Start(t, "--data-dir", data, "--region", "eu-central-1,eu-west-1", "--account", "123456789012")
	admin, err := harness.ReadProfile(data)
	if err != nil {
		t.Fatal(err)
	}
	good := func(c *aws.Config) { c.Region = admin.Region; as(admin.AccessKeyID, admin.SecretAccessKey)(c) }
	client := func(change ...func(*aws.Config)) *kms.Client {
		return newClient(s, append([]func(*aws.Config){good}, change...)...)
	}
	signing := func(signer kms.HTTPSignerV4) *kms.Client {
		c := configuration(s)
		good(&c)
		return kms.NewFromConfig(c, func(o *kms.Options) { o.HTTPSignerV4 = signer })
	}
	standard := v4.NewSigner()
	list := func(c *kms.Client) error {
		_, err := c.ListKeys(t.Context(), &kms.ListKeysInput{})
		return err
	}
	if err := list(client()); err != nil {
		t.Fatal(err)
	}
	for _, allowed := range []time.Duration{4*time.Minute + 30*time.Second, -4*time.Minute - 30*time.Second} {
		if err := list(signing(at{standard, allowed})); err != nil {
			t.Errorf("a clock that is %s off: %v", allowed, err)
		}
	}
	n := 0
	for _, c := range []struct {
		what, code, text string
		err              error
	}{
		{"a wrong secret", "InvalidSignatureException", mismatch, list(client(as(admin.AccessKeyID, "wrong")))},
		{"an access key that nobody has", "UnrecognizedClientException", "The security token included in the request is invalid.",
			list(client(as("AKIAIOSFODNN7EXAMPLE", admin.SecretAccessKey)))},
		{"the development server's access key", "UnrecognizedClientException", "The security token included in the request is invalid.", list(client(as("test", "test")))},
		{"a session token that nobody gave", "UnrecognizedClientException", "The security token included in the request is invalid.",
			list(client(func(c *aws.Config) {
				c.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
					return aws.Credentials{AccessKeyID: admin.AccessKeyID, SecretAccessKey: admin.SecretAccessKey, SessionToken: "token"}, nil
				})
			}))},
		{"a Region that is not served", "InvalidSignatureException", "Credential should be scoped to a valid region.", list(client(func(c *aws.Config) { c.Region = "us-east-1" }))},
		{"another service", "InvalidSignatureException", "Credential should be scoped to correct service: 'kms'.", list(signing(scoped{standard, "sts"}))},
		{"a body changed on its way", "InvalidSignatureException", mismatch, list(client(through(after(func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(`{"Limit":1}`))
			r.ContentLength = 11
		}))))},
		{"another operation than the signed one", "InvalidSignatureException", mismatch, list(client(through(after(func(r *http.Request) {
			r.Header.Set("X-Amz-Target", "TrentService.CreateKey")
		}))))},
		{"a signed header changed", "InvalidSignatureException", mismatch, list(client(through(after(func(r *http.Request) {
			r.Header.Set("X-Amz-Date", time.Now().Add(time.Minute).UTC().Format("20060102T150405Z"))
		}))))},
		{"no signature", "MissingAuthenticationTokenException", "", list(client(through(after(func(r *http.Request) {
			r.Header.Del("Authorization")
		}))))},
		{"half a signature", "IncompleteSignatureException", "", list(client(through(after(func(r *http.Request) {
			r.Header.Set("Authorization", strings.Split(r.Header.Get("Authorization"), ", Signature=")[0])
		}))))},
	} {
		n++
		t.Run(c.what, func(t *testing.T) {
			if c.text == "" {
				var e smithy.APIError
				if !errors.As(c.err, &e) || e.ErrorCode() != c.code {
					t.Fatalf("got %v, want %s", c.err, c.code)
				}
				return
			}
			refused(t, c.err, c.code, c.text)
		})
	}
	for what, shift := range map[string]time.Duration{"Signature expired: ": -6 * time.Minute, "Signature not yet current: ": 6 * time.Minute} {
		n++
		var e smithy.APIError
		if err := list(signing(at{standard, shift})); !errors.As(err, &e) || e.ErrorCode() != "InvalidSignatureException" || !strings.HasPrefix(e.ErrorMessage(), what) {
			t.Errorf("a clock that is %s off: %v", shift, err)
		}
	}
	if n < 13 {
		t.Errorf("only %d cases", n)
	}
}

// TestCallerIdentity asks STS on the same endpoint, signed in the header and in a URL that can be handed on.
func TestCallerIdentity(t *testing.T) {
	data := t.TempDir()
	s := harness.Start(t, "--data-dir", data, "--account", "123456789012")
	admin, err := harness.ReadProfile(data)
	if err != nil {
		t.Fatal(err)
	}
	config := configuration(s)
	config.Credentials = credentials(admin.AccessKeyID, admin.SecretAccessKey)
	c := sts.NewFromConfig(config)
	who := must(c.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}))(t)
	if *who.Arn != "arn:aws:iam::123456789012:root" || *who.Account != "123456789012" || *who.UserId != "123456789012" {
		t.Errorf("%s %s %s", *who.Arn, *who.Account, *who.UserId)
	}
	presigned := must(sts.NewPresignClient(c).PresignGetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}))(t)
	if presigned.Method != http.MethodGet {
		t.Fatalf("presigned for %s", presigned.Method)
	}
	get := func(url string) (int, string) {
		t.Helper()
		response := must(http.Get(url))(t)
		defer response.Body.Close()
		return response.StatusCode, string(must(io.ReadAll(response.Body))(t))
	}
	if status, body := get(presigned.URL); status != http.StatusOK || !strings.Contains(body, "<Arn>arn:aws:iam::123456789012:root</Arn>") {
		t.Errorf("%d %s", status, body)
	}
	changed := must(url.Parse(presigned.URL))(t)
	q := changed.Query()
	q.Set("X-Amz-Expires", "604800")
	changed.RawQuery = q.Encode()
	if status, body := get(changed.String()); status != http.StatusForbidden || !strings.Contains(body, "<Code>SignatureDoesNotMatch</Code>") {
		t.Errorf("with a longer life: %d %s", status, body)
	}
	_, err = sts.NewFromConfig(config, func(o *sts.Options) { o.Credentials = credentials(admin.AccessKeyID, "wrong") }).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	refused(t, err, "SignatureDoesNotMatch", mismatch)
	_, err = sts.NewFromConfig(config, func(o *sts.Options) { o.Credentials = credentials("AKIAIOSFODNN7EXAMPLE", "x") }).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	refused(t, err, "InvalidClientTokenId", "The security token included in the request is invalid.")
}
