// Package sigv4 says who signed an HTTP request: AWS Signature Version 4, checked on the server's side, in the header
// form and the presigned query form. It also signs, for our own clients.
//
// The rules are those of the AWS IAM User Guide, "Create a signed AWS API request", in the form for services other than
// S3: the path is normalised and encoded twice, and the SHA-256 of the body is always covered. Where AWS or its clients
// leave room, the strictest reading that the AWS SDKs, the AWS CLI and curl satisfy is enforced:
//
//   - host and every x-amz-* header of the request are signed, except x-amz-user-agent, which nothing acts upon and
//     which the SDK for PHP means to leave out. Content-Type is not demanded: the SDK for PHP never signs it, and curl
//     does not sign the one that it adds by itself.
//   - SignedHeaders is lower-case, sorted, without repetition, and every header that it names is there.
//   - What can be rearranged under an unchanged signature is refused: two query parameters of one name (they are signed
//     sorted, but read in order), an x-amz-* header with two values (signed joined, but read first), control characters
//     in a signed value (clients disagree on folding them).
//   - Only the SHA-256 of the body is a payload hash: no UNSIGNED-PAYLOAD, no STREAMING-*.
package sigv4

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/trent-kms/trent/internal/api"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/material"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"

	skew           = 5 * time.Minute // how far a client's clock may be off, either way
	maxExpires     = 604800          // seconds; X-Amz-Expires
	defaultKeys    = 4096            // signing keys cached when Config.Keys is 0
	maxAccessKeyID = 128             // characters
	maxScopePart   = 64              // characters of a Region or service name
	maxScratch     = 16 << 10        // bytes of a canonical request whose memory is kept
)

// ErrUnknownKey is what Config.Lookup returns for an access key id that does not exist or may not be used with the
// session token of the request. The caller is told "The security token included in the request is invalid.", after the
// same work that a known key would have cost.
var ErrUnknownKey = errors.New("sigv4: unknown access key id")

// Credential is what an access key id stands for.
type Credential struct {
	AccessKeyID string         // 1 to 128 of A-Z a-z 0-9 _
	Secret      material.Bytes // the secret access key, never empty
	// SessionToken goes with temporary credentials. Sign sends it; Verify leaves it to Lookup.
	SessionToken string
	// Caller is the principal that the key belongs to. Sign has no use for it.
	Caller caller.Caller
}

// Config is what a Verifier works with.
type Config struct {
	// Lookup finds the credential of an access key id, which has the form of one. sessionToken is empty when the request
	// carries none. It fails with ErrUnknownKey or with the error to answer, such as an expired token's; a credential
	// with an empty secret counts as unknown. Needed.
	Lookup func(ctx context.Context, accessKeyID, sessionToken string) (Credential, error)
	// Now is the real time, not the domain's clock. nil means time.Now.
	Now func() time.Time
	// Keys bounds how many derived signing keys are cached; at most twice as many are held. 0 means 4,096.
	Keys int
}

// Signed says what a verified signature proves.
type Signed struct {
	Caller    caller.Caller
	Region    string // of the scope, as signed; whether it is served is the receiver's question
	Service   string // of the scope, as signed; likewise
	Presigned bool   // the signature came in the query string
}

// Verifier checks signatures. Safe for concurrent use.
type Verifier struct {
	lookup  func(ctx context.Context, accessKeyID, sessionToken string) (Credential, error)
	now     func() time.Time
	keys    *keyCache
	nobody  Credential // stands in for an unknown key
	scratch sync.Pool  // *scratch
}

// scratch is the memory that one verification works in.
type scratch struct {
	text []byte // canonical request, then string to sign
	mac  [sha256.Size]byte
	hex  [2 * sha256.Size]byte // of mac
}

// New returns a Verifier.
func New(c Config) (*Verifier, error) {
	if c.Lookup == nil {
		return nil, errors.New("sigv4: Config.Lookup is needed")
	}
	if c.Keys < 0 {
		return nil, errors.New("sigv4: Config.Keys is negative")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Keys == 0 {
		c.Keys = defaultKeys
	}
	return &Verifier{
		lookup:  c.Lookup,
		now:     c.Now,
		keys:    newKeyCache(c.Keys),
		nobody:  Credential{Secret: material.Take([]byte(rand.Text()))},
		scratch: sync.Pool{New: func() any { return &scratch{text: make([]byte, 0, 2048)} }},
	}, nil
}

// Verify checks the signature of r, whose body was read as body, and says whose it is. It fails with the *api.Error to
// answer: MissingAuthenticationTokenException when nobody signed, IncompleteSignatureException when a part is missing
// or malformed, UnrecognizedClientException for an unknown key, InvalidSignatureException for everything else that is
// wrong; and with whatever Lookup fails with. r must be as the server received it: not rewritten, nothing added.
func (v *Verifier) Verify(ctx context.Context, r *http.Request, body []byte) (Signed, error) {
	req, err := received(r)
	if err != nil {
		return Signed{}, err
	}
	auth, err := req.readAuthorization()
	if err != nil {
		return Signed{}, err
	}
	if err := auth.checkTime(v.now()); err != nil {
		return Signed{}, err
	}
	s := v.scratch.Get().(*scratch)
	defer v.release(s)
	if err := s.stringToSign(&req, &auth, body); err != nil {
		return Signed{}, err
	}
	return v.check(ctx, s, &auth)
}

// release keeps s for the next request, unless a request with large headers has blown it up.
func (v *Verifier) release(s *scratch) {
	if cap(s.text) <= maxScratch {
		v.scratch.Put(s)
	}
}

// check compares the signature of the string to sign in s with the one that the request carries.
func (v *Verifier) check(ctx context.Context, s *scratch, a *authorization) (Signed, error) {
	cred, err := v.lookup(ctx, a.accessKeyID, a.sessionToken)
	unknown := errors.Is(err, ErrUnknownKey) || err == nil && cred.Secret.Len() == 0
	if unknown {
		cred = v.nobody
	} else if err != nil {
		return Signed{}, err
	}
	key, cached, err := v.signingKey(a.scope, cred.Secret)
	if err != nil {
		return Signed{}, err
	}
	key.sign(s)
	match := subtle.ConstantTimeCompare(s.hex[:], []byte(a.signature)) == 1
	switch {
	case unknown:
		return Signed{}, unrecognized()
	case !match:
		return Signed{}, mismatch()
	}
	if !cached {
		v.keys.put(key)
	}
	// The names are the key's own copies: whoever keeps them must not keep the whole request header alive.
	return Signed{Caller: cred.Caller, Region: key.scope.region, Service: key.scope.service, Presigned: a.presigned}, nil
}

// stringToSign replaces s.text with the string to sign of req.
func (s *scratch) stringToSign(req *request, a *authorization, body []byte) error {
	payload := sha256.Sum256(body)
	var payloadHex [2 * sha256.Size]byte
	hex.Encode(payloadHex[:], payload[:])
	if err := req.checkContentHash(payloadHex[:]); err != nil {
		return err
	}
	text, err := req.appendCanonical(s.text[:0], a.signedHeaders, payloadHex[:])
	s.text = text[:0]
	if err != nil {
		return err
	}
	s.text = appendStringToSign(text[:0], a.timestamp, a.scope, sha256.Sum256(text))
	return nil
}

func appendStringToSign(dst []byte, timestamp string, s scope, canonical [sha256.Size]byte) []byte {
	dst = append(dst, algorithm+"\n"...)
	dst = append(append(dst, timestamp...), '\n')
	dst = append(append(dst, s.day...), '/')
	dst = append(append(dst, s.region...), '/')
	dst = append(append(dst, s.service...), "/"+terminator+"\n"...)
	return hex.AppendEncode(dst, canonical[:])
}

func mismatch() error {
	return api.InvalidSignatureException("The request signature we calculated does not match the signature you " +
		"provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
}

func unrecognized() error {
	return api.UnrecognizedClientException("The security token included in the request is invalid.")
}
