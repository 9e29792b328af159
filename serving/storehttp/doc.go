// Package storehttp is a store at the other end of an HTTP connection: a handler that serves one, and a client that is
// one.
//
// Pebble admits one process. Beside a running "up", the other commands reach its store through this. The wire is our
// own framing (docs/format/store.md), since rows are bytes and many; it is versioned by its path, bounded on both
// sides, and nothing is ever sent twice.
//
// The package knows the contract of package lane and HTTP, and no store. Reading is open to whoever reaches the port;
// changing (Apply, PutManifest) only to this machine.
package storehttp
