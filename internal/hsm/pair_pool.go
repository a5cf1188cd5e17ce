package hsm

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	"github.com/trent-kms/trent/internal/hsm/keypair"
)

// rsaPool bounds how many RSA keys are made at the same time. Making one takes a processor for tenths of a second, and
// those who only decrypt must not wait for it: at least half of the processors are left to them, and the makers run at
// a lower priority than all other threads.
type rsaPool chan struct{}

func newRSAPool() rsaPool { return make(rsaPool, max(1, runtime.GOMAXPROCS(0)/2)) }

// generatePair makes a key pair. RSA keys wait for their turn. When ctx ends, the caller waits no longer; a key that is
// being made is then thrown away.
func (h *HSM) generatePair(ctx context.Context, spec keypair.Spec) (*keypair.Private, error) {
	if !strings.HasPrefix(string(spec), "RSA_") {
		pair, err := keypair.Generate(spec)
		return pair, fromPair(err)
	}
	select {
	case h.rsa <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting to make an RSA key: %w", ctx.Err())
	}
	type result struct {
		pair *keypair.Private
		err  error
	}
	made := make(chan result, 1)
	go func() {
		defer func() { <-h.rsa }()
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, and its priority with it
		lowerPriority()
		pair, err := keypair.Generate(spec)
		made <- result{pair, fromPair(err)}
	}()
	select {
	case r := <-made:
		return r.pair, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("making an RSA key: %w", ctx.Err())
	}
}
