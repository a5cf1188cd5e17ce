package sigv4

import (
	"strings"

	"github.com/trent-kms/trent/internal/api"
)

// scope is a credential scope with the access key that it belongs to: what a signing key is derived for.
type scope struct {
	accessKeyID string
	day         string // 20150830
	region      string
	service     string
}

// parse reads "<access key id>/<yyyymmdd>/<region>/<service>/aws4_request".
func (s *scope) parse(credential string) error {
	if strings.Count(credential, "/") != 4 {
		return api.IncompleteSignatureException("Credential must have exactly 5 slash-delimited elements, "+
			"e.g. keyid/date/region/service/term. (Hashed with SHA-256 and encoded with Base64) Credential=%s",
			digest(credential))
	}
	var last string
	s.accessKeyID, last, _ = strings.Cut(credential, "/")
	s.day, last, _ = strings.Cut(last, "/")
	s.region, last, _ = strings.Cut(last, "/")
	s.service, last, _ = strings.Cut(last, "/")
	switch {
	case last != terminator:
		return api.InvalidSignatureException("Credential should be scoped with a valid terminator: '%s'.", terminator)
	case !validPart(s.region):
		return api.InvalidSignatureException("Credential should be scoped to a valid region.")
	case !validPart(s.service):
		return api.InvalidSignatureException("Credential should be scoped to correct service.")
	case !validAccessKeyID(s.accessKeyID):
		return unrecognized() // no key has such an id
	}
	return nil
}

func validAccessKeyID(s string) bool {
	for i := range len(s) {
		if !isWord(s[i]) {
			return false
		}
	}
	return s != "" && len(s) <= maxAccessKeyID
}

func validPart(s string) bool {
	for i := range len(s) {
		if !isWord(s[i]) && s[i] != '-' {
			return false
		}
	}
	return s != "" && len(s) <= maxScopePart
}

// clone returns a scope that shares no memory with the request.
func (s scope) clone() scope {
	return scope{strings.Clone(s.accessKeyID), strings.Clone(s.day), strings.Clone(s.region), strings.Clone(s.service)}
}
