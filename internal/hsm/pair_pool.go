package hsm

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/trent-kms/trent/internal/hsm/keypair"
)

// Bounds of the making of RSA keys.
const (
	// maxRSAPerAccount is how many keys one account can have waited for and made at the same time, so that none keeps the
	// others from theirs.
	maxRSAPerAccount = 8
	// maxRSAWait is how long a caller waits. It is less than any client or listener waits for an answer: nothing is made
	// for somebody who has gone.
	maxRSAWait = 20 * time.Second
)

// rsaPool bounds how many RSA keys are made at the same time. Making one takes a processor for tenths of a second, and
// those who only decrypt must not wait for it: at least half of the processors are left to them.
type rsaPool struct {
	slots chan struct{}

	mu       sync.Mutex
	accounts map[string]int // how many keys each waits for
}

func newRSAPool() *rsaPool {
	return &rsaPool{slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)), accounts: map[string]int{}}
}

// enter counts one more key of an account; false: it has enough.
func (p *rsaPool) enter(account string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.accounts[account] >= maxRSAPerAccount {
		return false
	}
	p.accounts[account]++
	return true
}

func (p *rsaPool) leave(account string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.accounts[account]--; p.accounts[account] == 0 {
		delete(p.accounts, account)
	}
}

// generatePair makes a key pair for an account. RSA keys wait for their turn. When ctx ends, or it takes too long, the
// caller waits no longer; a key that is being made is then thrown away, and counts for its account until that is done. It
// fails with ErrBusy.
func (h *HSM) generatePair(ctx context.Context, account string, spec keypair.Spec) (*keypair.Private, error) {
	if !strings.HasPrefix(string(spec), "RSA_") {
		pair, err := keypair.Generate(spec)
		return pair, fromPair(err)
	}
	if !h.rsa.enter(account) {
		return nil, fmt.Errorf("%w: account %s has %d under way", ErrBusy, account, maxRSAPerAccount)
	}
	ctx, cancel := context.WithTimeout(ctx, maxRSAWait)
	defer cancel()
	select {
	case h.rsa.slots <- struct{}{}:
	case <-ctx.Done():
		h.rsa.leave(account)
		return nil, fmt.Errorf("%w: waiting: %w", ErrBusy, ctx.Err())
	}
	type result struct {
		pair *keypair.Private
		err  error
	}
	made := make(chan result, 1)
	go func() {
		defer h.rsa.leave(account)
		defer func() { <-h.rsa.slots }()
		pair, err := keypair.Generate(spec)
		made <- result{pair, fromPair(err)}
	}()
	select {
	case r := <-made:
		return r.pair, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: making: %w", ErrBusy, ctx.Err())
	}
}
