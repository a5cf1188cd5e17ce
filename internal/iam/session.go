package iam

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/hsm"
)

// session is what temporary credentials stand for. Nothing of it is stored: it travels in the session token, as JSON that
// the hsm has sealed for the access key id that goes with it. So it lasts through restarts, every node can open it, and
// nobody can make or change one.
type session struct {
	Version int    `json:"v"`
	Secret  string `json:"s"` // the secret access key
	// Type is what the session is of: of a role, of a user or root user (GetSessionToken), or of a federated user.
	Type    caller.Type `json:"t"`
	Account string      `json:"a"`
	// ID is the unique id of the role or user; empty for the root user. It, and not a name, says whose the session is: a
	// role that is made anew under the name of an old one is another.
	ID string `json:"id,omitzero"`
	// Name is the session's name, or the federated user's.
	Name    string `json:"n,omitzero"`
	Issued  int64  `json:"i"` // seconds since 1970, domain time
	Expires int64  `json:"e"`

	Tags           []Tag    `json:"tg,omitempty"`
	Transitive     []string `json:"tt,omitempty"` // keys among those of Tags
	SourceIdentity string   `json:"si,omitzero"`
	Provider       string   `json:"ip,omitzero"` // ARN of the identity provider
	Policy         string   `json:"p,omitzero"`
	PolicyARNs     []string `json:"pa,omitempty"`
}

const (
	sessionVersion = 1
	// sessionPrefix begins the ids of temporary access keys (IAM User Guide, "IAM identifiers").
	sessionPrefix = "ASIA"
	// maxTokenBytes is more than any token has: the packed part, names and the sealing, in base64.
	maxTokenBytes = 12 << 10
)

// sessionPurpose binds a sealed session to its access key id.
func sessionPurpose(accessKeyID string) string { return "iam/session/" + accessKeyID }

// credentials are temporary credentials to be handed over once.
type credentials struct {
	accessKeyID, secret, token string
	expires                    time.Time
}

// issue gives a session its key, and its time from now on.
func (s *Service) issue(ctx context.Context, x session, now time.Time, seconds int32) (credentials, error) {
	var secret [30]byte
	rand.Read(secret[:])
	x.Version, x.Secret = sessionVersion, base64.StdEncoding.EncodeToString(secret[:])
	x.Issued = now.Unix()
	x.Expires = x.Issued + int64(seconds)
	id, err := newSessionKeyID(x.Account)
	if err != nil {
		return credentials{}, err
	}
	token, err := s.sealSession(ctx, id, &x)
	return credentials{id, x.Secret, token, time.Unix(x.Expires, 0).UTC()}, err
}

func (s *Service) sealSession(ctx context.Context, accessKeyID string, x *session) (string, error) {
	b, err := json.Marshal(x)
	if err != nil {
		return "", err
	}
	sealed, err := s.HSM.Seal(ctx, sessionPurpose(accessKeyID), b)
	clear(b)
	if err != nil {
		return "", err
	}
	token := base64.StdEncoding.EncodeToString(sealed)
	if len(token) > maxTokenBytes {
		return "", fmt.Errorf("iam: session token of %d bytes", len(token))
	}
	return token, nil
}

// unsealSession returns the session in a token, or nil if it is none, or one for another access key id.
func (s *Service) unsealSession(ctx context.Context, accessKeyID, token string) (*session, error) {
	if len(token) > maxTokenBytes || !isSessionKeyID(accessKeyID) {
		return nil, nil
	}
	sealed, err := base64.StdEncoding.Strict().DecodeString(token)
	if err != nil || base64.StdEncoding.EncodedLen(len(sealed)) != len(token) { // line ends are no part of a token
		return nil, nil
	}
	b, err := s.HSM.Unseal(ctx, sessionPurpose(accessKeyID), sealed)
	if errors.Is(err, hsm.ErrWrapped) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer clear(b)
	return decodeSession(b)
}

// decodeSession reads a session that this deployment has sealed. That it does not understand it is a failure of ours.
func decodeSession(b []byte) (*session, error) {
	x := new(session)
	err := json.Unmarshal(b, x, json.RejectUnknownMembers(true))
	if err == nil && x.Version == sessionVersion && x.whole() {
		return x, nil
	}
	var probe struct {
		Version int `json:"v"`
	}
	if json.Unmarshal(b, &probe) == nil && probe.Version != sessionVersion {
		return nil, fmt.Errorf("iam: session has version %d, this binary understands %d", probe.Version, sessionVersion)
	}
	return nil, errors.New("iam: damaged session") // the cause may quote the secret
}

// whole says whether the session is of somebody.
func (x *session) whole() bool {
	switch x.Type {
	case caller.Role, caller.User:
		return x.Secret != "" && x.ID != "" && arn.IsAccount(x.Account)
	case caller.Root, caller.Federated:
		return x.Secret != "" && arn.IsAccount(x.Account)
	}
	return false
}

// A temporary access key id is the prefix and 80 bits in base32, arranged as AWS does since 2019, so that it says whose
// account it is of: a bit that is set, 40 bits of account, 39 random ones.
const (
	sessionKeyBits = 39
	sessionKeyFlag = 1 << 47 // of the first 48 bits
)

func newSessionKeyID(account string) (string, error) {
	n, err := strconv.ParseUint(account, 10, 40)
	if err != nil || !arn.IsAccount(account) {
		return "", fmt.Errorf("iam: account %q has no number", account)
	}
	var b [10]byte
	rand.Read(b[:])
	head := sessionKeyFlag | n<<7 | uint64(b[5]&0x7f)
	var whole [8]byte
	binary.BigEndian.PutUint64(whole[:], head)
	copy(b[:6], whole[2:])
	return sessionPrefix + base32.StdEncoding.EncodeToString(b[:]), nil
}

// isSessionKeyID says whether s has the form of a temporary access key id. Nothing else is unsealed for.
func isSessionKeyID(s string) bool {
	return len(s) == len(sessionPrefix)+16 && s[:len(sessionPrefix)] == sessionPrefix && isBase32(s[len(sessionPrefix):])
}

// accountOfSessionKey returns the account that a temporary access key id names, empty if it names none.
func accountOfSessionKey(id string) string {
	if !isSessionKeyID(id) {
		return ""
	}
	b, err := base32.StdEncoding.DecodeString(id[len(sessionPrefix):])
	if err != nil || b[0]&0x80 == 0 {
		return ""
	}
	var whole [8]byte
	copy(whole[2:], b[:6])
	account := fmt.Sprintf("%012d", (binary.BigEndian.Uint64(whole[:])&^sessionKeyFlag)>>7)
	if !arn.IsAccount(account) {
		return ""
	}
	return account
}
