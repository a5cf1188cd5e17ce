package iam

import (
	"context"
	"errors"
	"net/url"
	"strings"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/policy"
)

// What one record can have of policies with their white space, which must be stored as well: the policies that live in an
// entity, and all versions of a managed policy.
const (
	maxInlineBytes  = 256 << 10
	maxManagedBytes = 384 << 10
)

// checkIdentityPolicy refuses a document that is no identity policy.
func checkIdentityPolicy(document string) error {
	_, err := policy.Parse(policy.Identity, document)
	return malformed(policy.Identity, err)
}

// malformed makes the answer of the error of policy.Parse: IAM's text, and the detail that it keeps to itself.
func malformed(k policy.Kind, err error) error {
	m, ok := errors.AsType[*policy.Malformed](err)
	if !ok {
		return err
	}
	return iamapi.MalformedPolicyDocumentException("%s (%s)", malformedText(k, m), short(strings.TrimPrefix(m.Error(), "malformed policy: ")))
}

// short is what an error message has of a text that may be very long.
func short(s string) string {
	const most = 256
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

func malformedText(k policy.Kind, m *policy.Malformed) string {
	if k == policy.Trust {
		switch m.Reason {
		case policy.MissingPrincipal:
			return "Missing required field Principal"
		case policy.MissingAction:
			return "Missing required field Action"
		case policy.UnexpectedResource:
			return "Has prohibited field Resource"
		case policy.InvalidAction:
			return "AssumeRole policy may only specify STS AssumeRole actions."
		case policy.InvalidPrincipal:
			return "Invalid principal in policy."
		}
	}
	switch m.Reason {
	case policy.UnexpectedPrincipal:
		return "Policy document should not specify a principal."
	case policy.MissingAction:
		return "Policy statement must contain actions."
	case policy.MissingResource:
		return "Policy statement must contain resources."
	case policy.InvalidAction, policy.InvalidConditionKey:
		return "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
	case policy.InvalidResource:
		return "Resource " + short(m.Name) + ` must be in ARN format or "*".`
	case policy.InvalidSid:
		return "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
	case policy.DuplicateSid:
		return "Statement IDs (SID) in a single policy must be unique."
	case policy.InvalidVersion:
		return "Policy document must be version 2012-10-17 or greater."
	}
	return "Syntax errors in policy."
}

// trustToStore checks a role's trust policy and returns it with its users and roles named by their unique ids, so that
// somebody else who gets the name of one of them is not trusted.
func (s *Service) trustToStore(ctx context.Context, document string) (string, error) {
	p, err := policy.Parse(policy.Trust, document)
	if err != nil {
		return "", malformed(policy.Trust, err)
	}
	if policy.Size(document) > policy.TrustSize {
		return "", iamapi.LimitExceededException("Cannot exceed quota for ACLSizePerRole: %d", policy.TrustSize)
	}
	ids := map[string]string{}
	p.Principals(func(kind, name string) {
		if err == nil && kind == "AWS" {
			ids[name], err = s.principalToStore(ctx, name)
		}
	})
	if err != nil {
		return "", err
	}
	return policy.RewritePrincipals(document, func(kind, name string) string {
		if id := ids[name]; kind == "AWS" && id != "" {
			return id
		}
		return name
	})
}

// principalToStore returns the unique id of a principal that has one, and refuses one that does not exist.
func (s *Service) principalToStore(ctx context.Context, name string) (string, error) {
	if name == "*" {
		return "", nil
	}
	id, exists, err := s.UniqueID(ctx, name)
	if err == nil && !exists {
		_, exists, err = s.ARNOf(ctx, name) // a unique id stays what it is
	}
	if err == nil && !exists {
		err = iamapi.MalformedPolicyDocumentException(`Invalid principal in policy: "AWS":"%s"`, name)
	}
	return id, err
}

// trustToShow returns a stored trust policy with the ARNs that its users and roles have today. The unique id of one that is
// gone stays.
func (s *Service) trustToShow(ctx context.Context, document string) (string, error) {
	var failed error
	shown, err := policy.RewritePrincipals(document, func(kind, name string) string {
		if kind != "AWS" {
			return name
		}
		arn, ok, err := s.ARNOf(ctx, name)
		if err != nil {
			failed = err
		}
		if !ok {
			return name
		}
		return arn
	})
	return shown, errors.Join(err, failed)
}

// encoded is a document as answers carry it: with percent signs (IAM API Reference: "compliant with RFC 3986").
func encoded(document string) *string {
	return new(strings.ReplaceAll(url.QueryEscape(document), "+", "%20"))
}
