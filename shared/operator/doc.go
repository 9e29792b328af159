// Package operator holds the operators: how the state of a feature is folded from rows of columns, merged, written down
// in canonical bytes, and read as a value.
//
// # Laws
//
// An operator's state is a commutative monoid: for any multiset of rows, however it is split, ordered and merged, the
// canonical bytes are the same. It holds integers, sets and registers, never running floats. What it keeps of a row
// depends only on the row's hop and on the newest event time of the entity, never on a clock or a cut. Decay, division
// and sorting happen in Result, in fixed order, each float product in float64(). Ties break by (event time, source,
// partition, offset). operatortest.Laws checks all of it on any operator.
//
// The package knows columns, windows and time as a number; nothing of views, tiles, stores or clocks.
package operator
