package store

// Live reports whether tables of c keep records now.
func (c *Cached) Live() bool { return live(c.epoch.Load()) }

// CachedRecords returns how many records t has in memory after the eviction that is due.
func (t *Table[T]) CachedRecords() int {
	t.entries.CleanUp()
	return t.entries.EstimatedSize()
}
