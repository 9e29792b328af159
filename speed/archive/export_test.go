package archive

// SetMemoryBytes sets a bound below what Config admits, so that a test reaches it with little.
func (a *Archiver) SetMemoryBytes(n int64) { a.cfg.MemoryBytes = n }
