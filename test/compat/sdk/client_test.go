// Package sdk uses the built server as programs do: through the AWS SDK for Go.
package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/smithy-go"

	"github.com/trent-kms/trent/test/internal/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const (
	region  = "us-east-1"
	account = "000000000000"
	other   = "111122223333" // another account of the development server
)

// credentials are long-term ones.
func credentials(id, secret string) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}, nil
	})
}

// configuration is what clients of a development server share. Nothing is tried twice: a test sees what happened.
func configuration(s *harness.Server) aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: aws.String(s.URL), RetryMaxAttempts: 1,
		Credentials: credentials("test", "test"), HTTPClient: http.DefaultClient,
	}
}

func newClient(s *harness.Server, change ...func(*aws.Config)) *kms.Client {
	c := configuration(s)
	for _, f := range change {
		f(&c)
	}
	return kms.NewFromConfig(c)
}

func as(id, secret string) func(*aws.Config) {
	return func(c *aws.Config) { c.Credentials = credentials(id, secret) }
}

func through(h aws.HTTPClient) func(*aws.Config) {
	return func(c *aws.Config) { c.HTTPClient = h }
}

// recorder is an HTTP client that counts which operations were answered, and with what.
type recorder struct {
	mu        sync.Mutex
	succeeded map[string]int // by operation
	failed    map[string]int // by error code
	protocols map[string]int // HTTP/1.1, HTTP/2.0
	client    *http.Client
}

func newRecorder(t http.RoundTripper) *recorder {
	return &recorder{succeeded: map[string]int{}, failed: map[string]int{}, protocols: map[string]int{}, client: &http.Client{Transport: t}}
}

// Do sends a request and looks at the answer on its way back.
func (r *recorder) Do(request *http.Request) (*http.Response, error) {
	response, err := r.client.Do(request)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.protocols[response.Proto]++
	if response.StatusCode == http.StatusOK {
		_, operation, _ := strings.Cut(request.Header.Get("X-Amz-Target"), ".")
		r.succeeded[operation]++
		return response, nil
	}
	var e struct {
		Type string `json:"__type"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, err
	}
	r.failed[e.Type]++
	return response, nil
}

// must returns what a call returned, which may not have failed.
func must[T any](out T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

// refused fails unless err is an answer with this code and exactly this text. If the SDK has a type for the code, err
// must be of it, as programs ask with errors.As.
func refused(t testing.TB, err error, code, text string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want %s", err, code)
	}
	said := e.ErrorMessage()
	if said == "UnknownError" { // what the SDK makes of an answer without a text
		said = ""
	}
	if e.ErrorCode() != code || said != text {
		t.Errorf("got  %s: %s\nwant %s: %s", e.ErrorCode(), said, code, text)
	}
	typed := modeled()[code]
	if typed == nil {
		return
	}
	if !errors.As(err, reflect.New(typed).Interface()) {
		t.Errorf("%s did not become a %s", code, typed)
	}
}

// modeled are the SDK's own error types by code.
func modeled() map[string]reflect.Type {
	types := map[string]reflect.Type{}
	for _, entry := range kms.TypeRegistry.Entries {
		v := entry.New()
		if e, ok := v.(smithy.APIError); ok {
			types[e.ErrorCode()] = reflect.TypeOf(v)
		}
	}
	return types
}

// attempt is a call that a table of refusals makes later.
func attempt[I, O any](t testing.TB, call func(context.Context, *I, ...func(*kms.Options)) (O, error), in I) func() error {
	return func() error {
		_, err := call(t.Context(), &in)
		return err
	}
}

// refusal is a call that must fail with a code and a text.
type refusal struct {
	what, code, text string
	call             func() error
}

const (
	// ours is in the place of a text that AWS has and we do not know: there must be one.
	ours = "any"
	// dry is what a DryRun is told that would have succeeded.
	dry = "The request would have succeeded, but the DryRun option is set."
	// hidden is what is said of every ciphertext that the caller has no key for.
	hidden = "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access."
)

// refuseAll makes all calls of a table.
func refuseAll(t *testing.T, all []refusal) {
	t.Helper()
	for _, r := range all {
		t.Run(r.what, func(t *testing.T) {
			err := r.call()
			if r.text == ours {
				var e smithy.APIError
				if !errors.As(err, &e) || e.ErrorMessage() == "" || e.ErrorMessage() == "UnknownError" {
					t.Fatalf("got %v, want %s with a text", err, r.code)
				}
				r.text = e.ErrorMessage()
			}
			refused(t, err, r.code, r.text)
		})
	}
}

// denied is what the root user of the account is told of a key that does not let it.
func denied(action, resource string) string {
	return fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s because no resource-based policy allows the %s action", root, action, resource, action)
}

// advance moves the clock of a development server.
func advance(t testing.TB, s *harness.Server, by string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), harness.Binary(), "clock", "advance", by)
	c.Env = append(harness.Environ(), "AWS_ENDPOINT_URL="+s.URL)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// inRegion is the setting of a client for another Region.
func inRegion(name string) func(*aws.Config) {
	return func(c *aws.Config) { c.Region = name }
}
