package kms

import "github.com/trent-kms/trent/internal/service"

// LimitUsage bounds the keys whose use is remembered. It must come before the first use.
func (s *Service) LimitUsage(keys int64) { s.usage = newUsageNotes(keys) }

// UsageNotes is how many keys have been used since the last flush.
func (s *Service) UsageNotes() int { return int(s.usage.count.Load()) }

// NoteUse is noteUse.
func (s *Service) NoteUse(c *service.Call, k *Key) { s.noteUse(c, k) }

// DecodeUsage is decodeUsage.
func DecodeUsage(b []byte) (*Usage, error) { return decodeUsage(b) }

// UsageBatch is how many keys a transaction of a flush writes.
const UsageBatch = usageBatch
