// Package oracle is the dumb fold: all events of one entity in, the canonical body of its tile out, and the value of
// each feature. It is the inside judge of bytes: tests, the sampled check of each batch run and verify compare with it
// what went through blocks, deltas, bases, stores and merges.
//
// It takes from a plan which states there are, what they read and in which order they stand. It shares nothing with how
// they are folded: keys are built from text, expressions run row by row in cel-go itself, states are made by the naive
// twins of the operators from all events at once, and the body is written by the codec of package tile. There is no
// merge in it, and no trimming but by the newest event time at the end.
//
// It is slow by intent (some µs an event and state): nothing in it is worth being clever about. The package knows plans,
// batches and naive operators; nothing of folds, mergers, blocks or stores.
package oracle
