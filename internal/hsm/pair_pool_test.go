package hsm

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trent-kms/trent/internal/hsm/keypair"
)

// fill takes all places of the pool and returns how many there were, and what gives them back.
func (p *rsaPool) fill() (places int, empty func()) {
	for range cap(p.slots) {
		p.slots <- struct{}{}
	}
	return cap(p.slots), func() {
		for range cap(p.slots) {
			<-p.slots
		}
	}
}

// onePlace is an HSM that makes one RSA key at a time.
func onePlace() *HSM {
	h := &HSM{rsa: newRSAPool()}
	h.rsa.slots = make(chan struct{}, 1)
	return h
}

// Whoever wants an RSA key waits while the pool is full, and no longer than his request lives. Others do not wait.
func TestRSAKeysWaitForTheirTurn(t *testing.T) {
	h, symmetric := newTestKey(t)
	places, empty := h.rsa.fill()
	if places < 1 {
		t.Fatalf("%d places", places)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the client has gone"))
	b := purpose{"RSA_2048", signVerify, ""}.binding()
	if k, err := h.GenerateKey(ctx, b); !errors.Is(err, ErrBusy) || k.Wrapped != nil {
		t.Errorf("GenerateKey: %v", err)
	}
	if private, ciphertext, public, err := h.GenerateDataKeyPair(ctx, symmetric, nil, "RSA_4096"); !errors.Is(err, ErrBusy) || private != nil || ciphertext != nil || public != nil {
		t.Errorf("GenerateDataKeyPair: %v", err)
	}
	if ciphertext, public, err := h.GenerateDataKeyPairWithoutPlaintext(ctx, symmetric, nil, "RSA_3072"); !errors.Is(err, ErrBusy) || ciphertext != nil || public != nil {
		t.Errorf("GenerateDataKeyPairWithoutPlaintext: %v", err)
	}
	for _, p := range servedPurposes() { // with a context that has ended: they do not even look at it
		if !strings.HasPrefix(p.spec, "RSA_") {
			if _, err := h.GenerateKey(ctx, p.binding()); err != nil {
				t.Errorf("%s: %v", p, err)
			}
		}
	}
	if err := (purpose{"RSA_4096", signVerify, "RSASSA_PSS_SHA_512"}).work(t, h, purpose{"RSA_4096", signVerify, ""}.key(t, h)); err != nil {
		t.Errorf("the use of a key: %v", err)
	}
	empty()
	k, err := h.GenerateKey(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if err := (purpose{"RSA_2048", signVerify, "RSASSA_PSS_SHA_256"}).work(t, h, k); err != nil {
		t.Error(err)
	}
}

// Who waits gets his key when a place is free, in as many steps as there are places.
func TestWaitersAreServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := onePlace()
		_, empty := h.rsa.fill()
		made := make(chan error, 3)
		for range cap(made) {
			go func() {
				_, err := h.generatePair(t.Context(), testAccount, keypair.RSA2048)
				made <- err
			}()
		}
		synctest.Wait() // all of them wait now
		if len(made) != 0 {
			t.Errorf("%d keys were made while the pool was full", len(made))
		}
		empty()
		for range cap(made) {
			if err := <-made; err != nil {
				t.Error(err)
			}
		}
		synctest.Wait()
		if len(h.rsa.slots) != 0 {
			t.Errorf("%d places are still taken", len(h.rsa.slots))
		}
	})
}

// A client that goes away while its key is made does not free the place before the work is over: else whoever goes away
// often enough has as many made at a time as he likes.
func TestWhoGoesAwayLeavesHisPlaceTaken(t *testing.T) {
	h := onePlace()
	for range 5 { // a key may be done just then, but not five in a row
		ctx, cancel := context.WithCancel(t.Context())
		errs := make(chan error)
		go func() {
			_, err := h.generatePair(ctx, testAccount, keypair.RSA4096)
			errs <- err
		}()
		for len(h.rsa.slots) == 0 {
			runtime.Gosched()
		}
		cancel()
		err := <-errs
		taken := len(h.rsa.slots)
		h.rsa.slots <- struct{}{} // when the work is over
		<-h.rsa.slots
		if errors.Is(err, context.Canceled) && taken == 1 {
			return
		}
	}
	t.Error("the place is free while the key is still made, or the caller has to wait for it")
}

func TestThePoolLeavesProcessorsToOthers(t *testing.T) {
	if places, processors := cap(newTestHSM(t).rsa.slots), runtime.GOMAXPROCS(0); places != max(1, processors/2) {
		t.Errorf("%d places for %d processors", places, processors)
	}
}

// An account that asks for too many keys is told so at once, and others have theirs.
func TestNoAccountTakesAllTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := onePlace()
		_, empty := h.rsa.fill()
		made := make(chan error, maxRSAPerAccount+1)
		make1 := func(account string) {
			_, err := h.generatePair(t.Context(), account, keypair.RSA2048)
			made <- err
		}
		for range maxRSAPerAccount {
			go make1(testAccount)
		}
		synctest.Wait()
		if _, err := h.generatePair(t.Context(), testAccount, keypair.RSA2048); !errors.Is(err, ErrBusy) {
			t.Errorf("one too many: %v", err)
		}
		go make1("444455556666")
		synctest.Wait()
		empty()
		for range cap(made) {
			if err := <-made; err != nil {
				t.Error(err)
			}
		}
		synctest.Wait()
		if len(h.rsa.accounts) != 0 {
			t.Errorf("still counted: %v", h.rsa.accounts)
		}
	})
}

// Nobody waits longer than a client does.
func TestWaitingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := onePlace()
		h.rsa.fill()
		began := time.Now()
		if _, err := h.generatePair(t.Context(), testAccount, keypair.RSA2048); !errors.Is(err, ErrBusy) || time.Since(began) != maxRSAWait {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}
