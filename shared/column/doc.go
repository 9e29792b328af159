// Package column holds records as columns: arenas that the decoder appends to and that wrap, without copying, as Arrow
// arrays (and back). It owns Arrow's memory format in tidemark: a fixed-width value is one int64, a string is a stretch
// of one byte arena, presence is a bitmap with the least significant bit first, as in Arrow.
//
// A Batch is the unit that every stage passes on: the decoder makes it, the archive stores and reads it, expressions
// and operators work on its columns. A Batch and its columns are not safe for concurrent writing.
//
// The package knows nothing of JSON, files or brokers: what a value means was decided before it came here.
package column
