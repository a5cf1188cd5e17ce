// Package material holds secret bytes so that they cannot be printed, logged or encoded by accident.
package material

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
)

const marker = "[key material]"

// errEncode is what every encoder gets.
var errEncode = errors.New("material: refusing to encode key material")

// Bytes is key material, a data key or another secret. The bytes live behind a func value, which no fmt verb, log
// handler or encoder follows; == on it does not compile. The zero value is empty.
type Bytes struct{ get func() []byte }

// Take makes b secret without copying it. The caller gives b up: it must neither change nor keep it.
func Take(b []byte) Bytes { return Bytes{func() []byte { return b }} }

// Expose returns the secret bytes themselves, not a copy. It is the one way out; keep the result short-lived and never
// log it.
func (s Bytes) Expose() []byte {
	if s.get == nil {
		return nil
	}
	return s.get()
}

// Len returns the number of secret bytes.
func (s Bytes) Len() int { return len(s.Expose()) }

// Clear overwrites the bytes with zeros. Copies that the Go runtime or a cipher made are out of its reach.
func (s Bytes) Clear() { clear(s.Expose()) }

// Equal compares in constant time; only the length shows in the timing.
func (s Bytes) Equal(o Bytes) bool {
	return subtle.ConstantTimeCompare(s.Expose(), o.Expose()) == 1
}

// Format prints a marker for every verb.
func (Bytes) Format(f fmt.State, _ rune) { fmt.Fprint(f, marker) }

// LogValue gives slog the marker.
func (Bytes) LogValue() slog.Value { return slog.StringValue(marker) }

// MarshalJSON refuses.
func (Bytes) MarshalJSON() ([]byte, error) { return nil, errEncode }

// MarshalText refuses.
func (Bytes) MarshalText() ([]byte, error) { return nil, errEncode }

// MarshalBinary refuses.
func (Bytes) MarshalBinary() ([]byte, error) { return nil, errEncode }

// GobEncode refuses.
func (Bytes) GobEncode() ([]byte, error) { return nil, errEncode }
