package org

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/big"
	"strings"

	orgapi "github.com/trent-kms/trent/internal/api/organizations"
	"github.com/trent-kms/trent/internal/arn"
)

// newID returns n random lower-case letters and digits, at most 26.
func newID(n int) string { return strings.ToLower(rand.Text()[:n]) }

// newRequestID names a CreateAccount.
func newRequestID() string {
	var b [16]byte
	rand.Read(b[:])
	return "car-" + hex.EncodeToString(b[:])
}

// newAccountID returns a number that no account has. One that the deployment has by itself is avoided, for whoever had
// its records would be its administrator; a development server has all numbers, so that there any will do.
func (s *Service) newAccountID(ctx context.Context) (string, error) {
	const least, attempts = 100_000_000_000, 8
	for attempt := range attempts {
		n, err := rand.Int(rand.Reader, big.NewInt(9*least))
		if err != nil {
			return "", err
		}
		id := n.Add(n, big.NewInt(least)).String()
		home, err := get[pointer](ctx, s, homePath(id))
		if err != nil {
			return "", err
		}
		if home == nil && (!s.own(id) || attempt >= attempts/2) {
			return id, nil
		}
	}
	return "", errors.New("org: no free account number found")
}

// hash turns texts of any characters into a part of a key, without letting two lists of texts meet.
func hash(texts ...string) string {
	h := sha256.New()
	for _, t := range texts {
		sum := sha256.Sum256([]byte(t))
		h.Write(sum[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// The forms of ids. The patterns of the API model are not anchored at both ends, so they are looked at again before ids
// become keys.

func isID(s, prefix string, least, most int) bool {
	rest, ok := strings.CutPrefix(s, prefix)
	return ok && len(rest) >= least && len(rest) <= most && isLowerAlphanumeric(rest)
}

func isLowerAlphanumeric(s string) bool {
	for i := range len(s) {
		if (s[i] < 'a' || s[i] > 'z') && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return true
}

func isPolicy(s string) bool  { return isID(s, "p-", 8, 128) }
func isRequest(s string) bool { return isID(s, "car-", 8, 32) }

func isUnit(s string) bool {
	rest, ok := strings.CutPrefix(s, "ou-")
	top, id, dash := strings.Cut(rest, "-")
	return ok && dash && isID(top, "", 4, 32) && isID(id, "", 8, 32)
}

// ARNs (Service Authorization Reference, "Resource types defined by AWS Organizations").

func resourceARN(o *organization, kind, id string) string {
	return arn.ARN{Partition: "aws", Service: "organizations", Account: o.Management, Resource: kind + "/" + o.ID + "/" + id}.String()
}

func (o *organization) arn() string {
	return arn.ARN{Partition: "aws", Service: "organizations", Account: o.Management, Resource: "organization/" + o.ID}.String()
}

// policyARN is the ARN of a policy; those of AWS are in no organization.
func policyARN(o *organization, t orgapi.PolicyType, id string) string {
	kind := strings.ToLower(string(t))
	if id == managedID(t) {
		return arn.ARN{Partition: "aws", Service: "organizations", Account: "aws", Resource: "policy/" + kind + "/" + id}.String()
	}
	return arn.ARN{Partition: "aws", Service: "organizations", Account: o.Management, Resource: "policy/" + o.ID + "/" + kind + "/" + id}.String()
}
