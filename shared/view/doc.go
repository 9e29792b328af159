// Package view turns the declaration of a view into a plan, folds batches by it, and reads stored rows by it.
//
//	Spec ── Compile ──▶ Plan ── NewFold ───▶ Fold:   many entities over one stretch of the log
//	                         └─ NewMerger ─▶ Merger: one entity, merged from the tiles of its row
//
// A Plan says which states there are and which features read them. Features whose configurations are equal but for their
// windows share one state, whose tiers serve all of them. The plan's revision is a hash of everything that decides the
// bytes of states, and of nothing else: two plans of one revision write the same tiles for the same log.
//
// Rows reach a fold by Fold.Add, a batch at a time as they come, or by a Splitter, which puts those of several batches in order
// for the folds of many shards. A fold may put rows by that few of its states read (Fold.Defer) until Bodies writes its
// entities.
//
// A Fold is the one place where events become states, for batch, speed and the check of samples alike: what it gives
// does not depend on how the log is cut into batches and ranges. A Merger applies the rule of reading a row: its base,
// the deltas above it, and the block tiles that these do not cover.
//
// The package knows columns, expressions, operators and tiles; nothing of JSON records, files, stores, lanes' marks or
// clocks. It owns the hash of entity keys, and no other package computes it.
package view
