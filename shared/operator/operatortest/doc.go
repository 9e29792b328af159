// Package operatortest proves operators. Laws checks on random worlds what package operator promises of every kind: one
// canonical state, however the rows are split, ordered, folded and merged; nothing lost or doubled when the newest event
// time jumps; results that change nothing; damaged states refused. Of tidemark's own kinds it also compares states and
// results with package naive.
//
// A custom operator is proven by one line in a test of its own:
//
//	operatortest.Laws(t, kind, cfg, nil)
//
// A failure names the seed of its world; Replay runs that world alone.
//
// Explosive operators, which panic, are for the tests of whoever runs operators.
package operatortest
