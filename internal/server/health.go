package server

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// health remembers for a moment whether the server was ready, so that asking costs the store nothing, whoever asks how
// often.
type health struct {
	mu    sync.Mutex
	asked time.Time
	ready bool
}

const (
	healthLasts   = time.Second
	healthTimeout = 2 * time.Second
)

// ready says whether requests can be served: there are services, the store answers, and what happens can be written down.
func (s *Server) ready(ctx context.Context) bool {
	if s.broken.Load() || s.audit.Failing() {
		return false
	}
	h := &s.health
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.asked) < healthLasts {
		return h.ready
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), healthTimeout)
	defer cancel()
	_, err := s.config.Store.Get(ctx, deploymentKey)
	h.asked, h.ready = time.Now(), err == nil
	return h.ready
}

func (s *Server) answerReady(w http.ResponseWriter, r *http.Request) {
	if !s.ready(r.Context()) {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}
