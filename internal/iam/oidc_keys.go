package iam

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/maypok86/otter/v2"
)

// How long an identity provider's keys are good, and how often it is asked. All of it is real time: the provider knows no
// other.
const (
	keysLast     = time.Hour        // then they are fetched anew, so that a key that was withdrawn goes
	keysPause    = 30 * time.Second // between two fetches from one provider, whatever callers ask for
	fetchTimeout = 15 * time.Second // of both documents together
)

// Bounds of what is taken from a provider.
const (
	maxKeySets = 256 // remembered
	maxKeys    = 64  // of one provider
	minRSABits = 2048
	maxRSABits = 8192
)

// keySets are the keys of identity providers, fetched when somebody comes with a token of theirs. Safe for concurrent use.
type keySets struct {
	fetch func(ctx context.Context, url string, thumbprints []string) ([]byte, error)
	now   func() time.Time
	sets  *otter.Cache[string, *keySet]
}

// keySet is the keys of one provider, as its record is at one revision: another account's provider of the same URL may
// trust other certificates.
type keySet struct {
	mu       sync.Mutex
	keys     []jose.JSONWebKey
	fetched  time.Time // zero: never
	tried    time.Time
	err      error         // of the last try
	fetching chan struct{} // closed when the fetch that is under way ends; nil: none is
}

func newKeySets(fetch func(context.Context, string, []string) ([]byte, error)) *keySets {
	return &keySets{
		fetch: fetch, now: time.Now,
		sets: otter.Must(&otter.Options[string, *keySet]{MaximumSize: maxKeySets}),
	}
}

// errNoKey says that a provider has no key that a token can have been signed with.
var errNoKey = errors.New("iam: the identity provider has no such key")

// find returns the key of a provider that a token names; without a name, the provider's only key. It fails with errNoKey, or
// with what went wrong when the keys were fetched. Who needs a key that is known never waits for who needs another.
func (k *keySets) find(ctx context.Context, p storedProvider, keyID string) (jose.JSONWebKey, error) {
	set, _ := k.sets.ComputeIfAbsent(fmt.Sprintf("%s %d", p.ARN(), p.revision), func() (*keySet, bool) {
		return new(keySet), false
	})
	for {
		set.mu.Lock()
		now := k.now()
		key, err := set.named(now, keyID)
		fetching := set.fetching
		mine := err != nil && fetching == nil && now.Sub(set.tried) >= keysPause
		if mine {
			set.tried, set.fetching = now, make(chan struct{})
		}
		set.mu.Unlock()
		switch {
		case err == nil:
			return key, nil
		case mine:
			k.refresh(ctx, p.provider, set)
		case fetching == nil:
			return jose.JSONWebKey{}, err
		default:
			select {
			case <-fetching:
			case <-ctx.Done():
				return jose.JSONWebKey{}, ctx.Err()
			}
		}
	}
}

// named returns a key of a set that is not too old. set.mu is held.
func (set *keySet) named(now time.Time, keyID string) (jose.JSONWebKey, error) {
	if now.Sub(set.fetched) >= keysLast {
		return jose.JSONWebKey{}, cmp.Or(set.err, errNoKey)
	}
	if keyID == "" && len(set.keys) == 1 {
		return set.keys[0], nil
	}
	i := slices.IndexFunc(set.keys, func(key jose.JSONWebKey) bool { return keyID != "" && key.KeyID == keyID })
	if i < 0 {
		return jose.JSONWebKey{}, errNoKey
	}
	return set.keys[i], nil
}

// refresh fetches a provider's keys. It goes on when the caller that made it necessary has gone: else callers who come and
// go could keep everybody from the keys.
func (k *keySets) refresh(ctx context.Context, p *provider, set *keySet) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	keys, err := []jose.JSONWebKey(nil), errors.New("iam: keys were not read to the end")
	defer func() { // also after a panic, so that nobody waits for ever
		set.mu.Lock()
		defer set.mu.Unlock()
		if set.err = err; err == nil {
			set.keys, set.fetched = keys, k.now()
		}
		close(set.fetching)
		set.fetching = nil
	}()
	keys, err = k.discover(ctx, p)
}

// discover asks a provider where its keys are, and fetches them (OpenID Connect Discovery 1.0, section 4).
func (k *keySets) discover(ctx context.Context, p *provider) ([]jose.JSONWebKey, error) {
	if k.fetch == nil {
		return nil, errors.New("iam: this server fetches nothing")
	}
	base := p.URL
	if base[len(base)-1] == '/' {
		base = base[:len(base)-1]
	}
	b, err := k.fetch(ctx, base+"/.well-known/openid-configuration", p.Thumbprints)
	if err != nil {
		return nil, fmt.Errorf("iam: configuration of %s: %w", p.URL, err)
	}
	var configuration struct {
		Issuer  string `json:"issuer"`
		KeysURL string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(b, &configuration); err != nil {
		return nil, fmt.Errorf("iam: configuration of %s: %w", p.URL, err)
	}
	if configuration.Issuer != p.URL {
		return nil, fmt.Errorf("iam: configuration of %s is of another issuer", p.URL)
	}
	if b, err = k.fetch(ctx, configuration.KeysURL, p.Thumbprints); err != nil {
		return nil, fmt.Errorf("iam: keys of %s: %w", p.URL, err)
	}
	return parseKeys(b)
}

// parseKeys reads the keys of a key set (RFC 7517, section 5) that tokens may be signed with. It passes over others: keys
// for encryption, of unknown types, symmetric ones, RSA keys that are too short or too much work.
func parseKeys(b []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(b, &set); err != nil {
		return nil, fmt.Errorf("iam: key set: %w", err)
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("iam: key set of %d keys", len(set.Keys))
	}
	var keys []jose.JSONWebKey
	for _, one := range set.Keys {
		if key, ok := parseKey(one); ok {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// publicKey has the members of a public key, so that nothing else of what a provider sends reaches the library.
type publicKey struct {
	Type  string `json:"kty"`
	ID    string `json:"kid,omitempty"`
	Use   string `json:"use,omitempty"`
	Alg   string `json:"alg,omitempty"`
	N     string `json:"n,omitempty"`
	E     string `json:"e,omitempty"`
	Curve string `json:"crv,omitempty"`
	X     string `json:"x,omitempty"`
	Y     string `json:"y,omitempty"`
}

func parseKey(b []byte) (key jose.JSONWebKey, ok bool) {
	var public publicKey
	if json.Unmarshal(b, &public) != nil || public.Use != "" && public.Use != "sig" || len(public.N) > maxRSABits/6+8 {
		return key, false
	}
	b, err := json.Marshal(public)
	if err != nil || key.UnmarshalJSON(b) != nil {
		return key, false
	}
	switch k := key.Key.(type) {
	case *rsa.PublicKey:
		return key, k.N.BitLen() >= minRSABits && k.N.BitLen() <= maxRSABits
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return key, key.Valid()
	}
	return key, false
}
