// Package lane is the protocol of the store: lanes, their marks, and the one kind of change that there is.
//
// A lane is a fixed share of a generation's rows, by hash of the key, and the unit of atomic change. It carries marks:
// one per source partition (how far the speed layer has taken in the log) and one for batch (how far it has taken in
// the runs). Every change is one Call: if the mark named still is what the caller thinks it is, write and delete these
// fields of rows and set these marks; otherwise change nothing and tell the marks. A call that was applied and is
// repeated finds the marks moved and changes nothing: that is all there is to versioned idempotent writes.
//
// The package is pure: values in, values out. Decide is the protocol's meaning; every store must agree with it.
package lane
