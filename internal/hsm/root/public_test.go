package root

import "testing"

// The public root key is part of the format of snapshots: were it another, no snapshot that somebody keeps would open.
func TestPublicRootKeyIsAlwaysTheSame(t *testing.T) {
	if got, want := Public().ID(), "3544c8a80fac97ad39436e60b8b8f6fc"; got != want {
		t.Errorf("its id is %s, want %s", got, want)
	}
}
