package sigv4

import (
	"strconv"
	"strings"
	"time"

	"github.com/trent-kms/trent/internal/api"
)

// The parameters of the presigned form.
const (
	paramAlgorithm     = "X-Amz-Algorithm"
	paramCredential    = "X-Amz-Credential"
	paramDate          = "X-Amz-Date"
	paramExpires       = "X-Amz-Expires"
	paramSignedHeaders = "X-Amz-SignedHeaders"
	paramSecurityToken = "X-Amz-Security-Token"
	paramSignature     = "X-Amz-Signature"
)

// presigned is the query form in its parts.
type presigned struct {
	algorithm, credential, date, expires, signedHeaders, securityToken, signature string
	hasExpires                                                                    bool
}

// collect picks the parts out of the query and reports whether it found any.
func (p *presigned) collect(query []param) bool {
	found := false
	for _, q := range query {
		part := p.part(q.name)
		if part == nil {
			continue
		}
		*part, found = q.value, true
		p.hasExpires = p.hasExpires || q.name == paramExpires
	}
	return found
}

func (p *presigned) part(name string) *string {
	switch name {
	case paramAlgorithm:
		return &p.algorithm
	case paramCredential:
		return &p.credential
	case paramDate:
		return &p.date
	case paramExpires:
		return &p.expires
	case paramSignedHeaders:
		return &p.signedHeaders
	case paramSecurityToken:
		return &p.securityToken
	case paramSignature:
		return &p.signature
	}
	return nil
}

func (p *presigned) authorization() (authorization, error) {
	if err := p.complete(); err != nil {
		return authorization{}, err
	}
	if err := checkAlgorithm(p.algorithm); err != nil {
		return authorization{}, err
	}
	validFor, err := p.validFor()
	if err != nil {
		return authorization{}, err
	}
	a := authorization{
		signedHeaders: p.signedHeaders, sessionToken: p.securityToken, presigned: true, validFor: validFor,
	}
	return a, a.set(p.credential, p.signature, p.date)
}

// complete names every parameter that is missing, as AWS does.
func (p *presigned) complete() error {
	var text strings.Builder
	for _, name := range []string{paramAlgorithm, paramCredential, paramSignature, paramSignedHeaders, paramDate} {
		if *p.part(name) == "" {
			text.WriteString("AWS query-string parameters must include '" + name + "'. ")
		}
	}
	if text.Len() == 0 {
		return nil
	}
	return api.IncompleteSignatureException("%sRe-examine the query-string parameters.", text.String())
}

// validFor reads X-Amz-Expires. Services other than S3 do without; such a URL lives as long as a signed header.
func (p *presigned) validFor() (time.Duration, error) {
	if !p.hasExpires {
		return 0, nil
	}
	n, err := strconv.ParseUint(p.expires, 10, 32)
	if err != nil || n < 1 || n > maxExpires {
		return 0, api.IncompleteSignatureException("X-Amz-Expires must be a number of seconds from 1 to %d.", maxExpires)
	}
	return time.Duration(n) * time.Second, nil
}
