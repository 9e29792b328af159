// Package fold is the speed layer's core: one partition's events folded into the tiles of its open blocks, for one
// generation of a view, and the flushes that bring them into the store's lanes.
//
// There is no checkpoint and no state backend: what a tile must hold follows from the log alone, so a worker that lost
// its memory folds the block again from its first offset. The package is pure: batches of columns in, calls out,
// outcomes in. It has no clock, no goroutine and no store; package service gives it those.
package fold
