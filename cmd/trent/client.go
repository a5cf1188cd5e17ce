package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"
	"gopkg.in/ini.v1"

	"github.com/trent-kms/trent/internal/api"
	trentapi "github.com/trent-kms/trent/internal/api/trent"
	"github.com/trent-kms/trent/internal/iam"
	"github.com/trent-kms/trent/internal/material"
	"github.com/trent-kms/trent/internal/wire/sigv4"
)

// client calls a server's administration. What it takes from the environment means what it means to the AWS CLI.
type client struct {
	endpoint   string
	region     string
	credential sigv4.Credential
}

// newClient reads AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID …, or the profile AWS_PROFILE. With no credentials at
// all and a server on this machine, it uses those of a development server.
func newClient() (*client, error) {
	profile, err := readProfile()
	if err != nil {
		return nil, err
	}
	c := &client{
		endpoint: cmp.Or(os.Getenv("AWS_ENDPOINT_URL"), profile["endpoint_url"], defaultEndpoint),
		region:   cmp.Or(os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"), profile["region"], defaultRegion),
	}
	id, secret, token := os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN")
	if id == "" {
		id, secret, token = profile["aws_access_key_id"], profile["aws_secret_access_key"], profile["aws_session_token"]
	}
	if id == "" && isLoopbackURL(c.endpoint) {
		id, secret = iam.DevAccessKeyID, iam.DevSecret
	}
	if id == "" || secret == "" {
		return nil, &failure{errors.New("no credentials"), "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"}
	}
	c.credential = sigv4.Credential{AccessKeyID: id, Secret: material.Take([]byte(secret)), SessionToken: token}
	return c, nil
}

// readProfile returns the settings of the profile in the shared credentials and config files; the former win. A
// profile that was asked for must exist.
func readProfile() (map[string]string, error) {
	name := cmp.Or(os.Getenv("AWS_PROFILE"), "default")
	home, _ := os.UserHomeDir()
	settings := make(map[string]string)
	for _, f := range []struct{ path, section string }{
		{cmp.Or(os.Getenv("AWS_CONFIG_FILE"), filepath.Join(home, ".aws", "config")), configSection(name)},
		{cmp.Or(os.Getenv("AWS_SHARED_CREDENTIALS_FILE"), filepath.Join(home, ".aws", "credentials")), name},
	} {
		file, err := ini.LooseLoad(f.path)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", f.path, err)
		}
		section, err := file.GetSection(f.section)
		if err != nil {
			continue
		}
		for k, v := range section.KeysHash() {
			settings[k] = v
		}
	}
	if len(settings) == 0 && os.Getenv("AWS_PROFILE") != "" {
		return nil, &failure{fmt.Errorf("no profile %q", name), "check AWS_PROFILE and the AWS credentials file"}
	}
	return settings, nil
}

func configSection(profile string) string {
	if profile == "default" {
		return profile
	}
	return "profile " + profile
}

// call signs and sends one administrative operation. out is an api.Empty if the operation has no answer.
func (c *client) call(ctx context.Context, operation string, in api.Output, out api.Shape) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	body := in.AppendJSON(nil)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", trentapi.TargetPrefix+"."+operation)
	if err := sigv4.Sign(r, body, c.credential, c.region, trentapi.Service, time.Now()); err != nil {
		return err
	}
	// A redirect would carry the session token to somebody else.
	noRedirect := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	reply, err := noRedirect.Do(r)
	if err != nil {
		return &failure{fmt.Errorf("no answer from %s: %w", c.endpoint, errors.Unwrap(err)), "is the server running? AWS_ENDPOINT_URL says where to look"}
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(io.LimitReader(reply.Body, 1<<20))
	if err != nil {
		return err
	}
	if reply.StatusCode != http.StatusOK {
		return replyError(reply.StatusCode, text)
	}
	if _, none := out.(*api.Empty); none {
		return nil
	}
	return api.Decode(text, out)
}

func replyError(status int, text []byte) error {
	var e struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if json.Unmarshal(text, &e) != nil || e.Type == "" {
		return fmt.Errorf("the server answered with HTTP status %d: is it a Trent server?", status)
	}
	return &api.Error{Code: printable(e.Type), Status: status, Message: printable(e.Message)}
}

// printable returns text from a server so that it cannot steer a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// errStrange is an answer that lacks what every Trent server sends.
var errStrange = errors.New("the answer lacks members that it must have: is it a Trent server?")

func isLoopbackURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && isLoopback(u.Hostname())
}

// shellQuote returns s so that a POSIX shell reads it as one word.
func shellQuote(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/._-") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
