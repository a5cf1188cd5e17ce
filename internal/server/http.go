package server

import (
	"log/slog"
	"net/http"
	"time"
)

// Limits of the HTTP server. A request is small, so a client that needs longer is broken or hostile.
const (
	maxHeaderBytes    = 32 << 10
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second // from the end of the request's headers
	idleTimeout       = 120 * time.Second
	drainTimeout      = 30 * time.Second
	// maxConnections bounds what connections take, with the pages that net/http and the kernel give each.
	maxConnections = 8192
	// paceBytes is how much garbage there may be, beyond what is in use, before it is collected.
	paceBytes = 12 << 20
)

// NewHTTP returns the HTTP server in front of a handler, with Trent's limits. The server that Trent is measured against
// is made by it too, so that a comparison compares the handlers.
func NewHTTP(handler http.Handler, log *slog.Logger) *http.Server {
	h := &http.Server{
		Handler: handler, MaxHeaderBytes: maxHeaderBytes, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout,
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, Protocols: new(http.Protocols),
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		HTTP2:    &http.HTTP2Config{MaxConcurrentStreams: 100, MaxReceiveBufferPerConnection: 256 << 10, MaxReceiveBufferPerStream: 64 << 10},
	}
	h.Protocols.SetHTTP1(true)
	h.Protocols.SetHTTP2(true)
	h.Protocols.SetUnencryptedHTTP2(true)
	return h
}
