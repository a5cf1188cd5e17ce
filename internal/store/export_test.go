package store

// Live reports whether tables of c keep records now.
func (c *Cached) Live() bool { return live(c.epoch.Load()) }

// EntryOverhead is what CacheBytes counts for a record besides its key and encoded form.
const EntryOverhead = entryOverhead

// CachedBytes returns what t has in memory, as CacheBytes counts, after the eviction that is due.
func (t *Table[T]) CachedBytes() int {
	t.entries.CleanUp()
	return int(t.entries.WeightedSize())
}

// CachedRecords returns how many records t has in memory after the eviction that is due.
func (t *Table[T]) CachedRecords() int {
	t.entries.CleanUp()
	return t.entries.EstimatedSize()
}
