// Package arena keeps what many entities' states are made of in few large slices: runs of fixed-size entries by slot,
// byte strings that come and go, interned keys. A slot without anything costs twelve bytes, nothing is allocated per
// event once the slices have grown, and Reset keeps them.
//
// The package knows nothing of what the words and bytes mean. Nothing here is safe for concurrent use.
package arena
