// Package cells is the engine below most operators: per slot a set of cells, each the aggregate of the rows of one
// bucket (and of one key, where the state is keyed).
//
// # What a state is
//
// A state is a function from (tier, bucket[, key]) to a commutative monoid, almost everywhere its zero. Folding a row
// and merging add pointwise. Re-tiering moves a cell to the coarser bucket that contains it, or out of reach: it is a
// map of the places alone, so it commutes with adding; window.Tiers places an event by its time and the newest event
// time, and placing at one newest and then at a later one is placing at the later one. A cell that is the monoid's zero
// is no cell: leaving it out changes no sum that a later merge makes, whichever cells cancelled on the way. So the
// canonical form, all non-zero cells in order, is a function of the multiset of rows.
//
// # How it lies in memory
//
// A slot's cells are a run of entries: identity words (the code: tier and bucket; then the key's word), then the
// words of the aggregate. Rows mostly hit the bucket of the row before, so the entries last written are looked at
// first; a row that hits none of them appends an entry, duplicate or not. Rows of one slot that follow one another and
// fall into one bucket are looked up together; many of one slot that have keys, in a table of its latest cells. When the
// run's room is used up it is settled: sorted, combined, re-tiered, trimmed. Reading settles into scratch memory and
// leaves the run alone. To be sorted, an entry's identity and place are packed into one word wherever they fit.
//
// The package knows tiers and words; nothing of columns, views or values. Not safe for concurrent use.
package cells
