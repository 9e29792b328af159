// Package storetest is the conformance suite of stores: what package lane says of their operations, as tests that run
// against any of them.
//
// A store passes if it cannot be told from lane.Decide and a few maps (package memstore): random calls are applied to
// both and everything they hold is compared. Around that stand the cases that the protocol hangs on, each by name.
package storetest
