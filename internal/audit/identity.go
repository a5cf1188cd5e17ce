package audit

import (
	"strconv"
	"time"

	"github.com/trent-kms/trent/internal/caller"
)

// appendIdentity appends the object userIdentity (CloudTrail User Guide, "CloudTrail userIdentity element").
func (e *Event) appendIdentity(b []byte, service bool) []byte {
	open := len(b)
	c := &e.Caller
	switch {
	case service:
		b = appendMember(b, "accountId", e.Account)
		b = appendMember(b, "invokedBy", internalOrigin)
	case c.Type == caller.Service:
		b = appendMember(b, "type", string(c.Type))
		b = appendMember(b, "invokedBy", c.ARN)
		b = appendOptional(b, "sourceArn", c.SourceARN)
		b = appendOptional(b, "sourceAccount", c.SourceAccount)
	default:
		b = appendOptional(b, "type", string(c.Type))
		b = appendOptional(b, "principalId", c.UserID)
		b = appendOptional(b, "arn", c.ARN)
		b = appendMember(b, "accountId", c.Account)
		b = appendOptional(b, "accessKeyId", c.AccessKeyID)
		if c.Type == caller.User {
			b = appendOptional(b, "userName", c.Name)
		}
		b = appendSession(b, c)
		b = appendOptional(b, "invokedBy", c.Forwarder)
	}
	b[open] = '{' // the first member's comma
	return append(b, '}')
}

// appendSession appends what is known of temporary credentials.
func appendSession(b []byte, c *caller.Caller) []byte {
	s := c.Session
	if s == nil {
		return b
	}
	b = append(b, `,"sessionContext":{"attributes":{"creationDate":"`...)
	b = s.Issued.UTC().AppendFormat(b, time.RFC3339)
	b = append(b, `","mfaAuthenticated":"`...)
	b = append(strconv.AppendBool(b, s.MFA), `"}`...)
	switch c.Type {
	case caller.Role:
		b = appendIssuer(b, "Role", c)
	case caller.Federated:
		b = appendIssuer(b, "IAMUser", c)
	}
	b = appendOptional(b, "sourceIdentity", s.SourceIdentity)
	if s.Provider != "" {
		b = append(b, `,"webIdFederationData":{"federatedProvider":"`...)
		b = append(appendText(b, s.Provider), `"}`...)
	}
	return append(b, '}')
}

func appendIssuer(b []byte, kind string, c *caller.Caller) []byte {
	b = append(b, `,"sessionIssuer":{"type":"`...)
	b = append(append(b, kind...), '"')
	b = appendOptional(b, "principalId", c.ID)
	b = appendOptional(b, "arn", c.Source)
	b = appendMember(b, "accountId", c.Account)
	b = appendOptional(b, "userName", c.Name)
	return append(b, '}')
}
