package server

import "context"

// RecoverKeyPolicy gives a key another policy, whatever the one it has allows (see kms.Service.RecoverPolicy). It is called
// instead of Serve.
func (s *Server) RecoverKeyPolicy(ctx context.Context, keyARN, policy string) error {
	return s.current.keys.RecoverPolicy(ctx, keyARN, policy)
}
