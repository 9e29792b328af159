// Package tile is the one codec of stored values: a tile is the mergeable aggregate of one entity over a stretch of the
// log, a header that names the stretch and a body that holds the states of all features.
//
// Codec 1, all integers unsigned varints (LEB128, shortest form only):
//
//	tile    = codec(1 byte = 1) kind(1 byte) stretch body
//	stretch = kind 'e' (block): source partition block     block = label: its first offset
//	          kind 'd' (delta): run                         the log between cut run-1 and cut run
//	          kind 'b' (base):  run                         the log below cut run
//	body    = newest events n (source partition last)^n m (length state)^m
//
// source is the rank of the source's name among the names of the view's sources, by bytes; last is the offset of the
// entity's last event in that partition; the positions stand in order of (source, partition), each at most once. newest
// is the newest event time, ms, events the number of accepted events of the entity. The m states stand in the order of
// the view's plan; an empty state has length 0. A body is canonical: equal content has equal bytes.
//
// The name of a tile's field in its row follows from the header: e<source>/<partition>/<block>, d<run>, b<run>.
//
// The package knows nothing of what states mean (package operator does) nor of stores.
package tile
