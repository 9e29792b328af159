// Package recompute makes the files of runs from the archive: it scans a stretch of the log, folds it into the states of
// every entity, and writes each lane's rows of change in order of hash and key.
//
//	pieces (archive files) ──▶ workers: read, split by hash ──▶ shards: fold ──▶ lanes: sort, encode, write ──▶ run files
//	                                                                                                 └──▶ check of samples
//
// # One scan for all views
//
// All views of a job share one scan. For each view a batch's keys are built and hashed and its expressions evaluated once,
// and what the states read of its rows is collected (view.Splitter): that of half a million rows of a partition, as far as
// the budget allows, since the more rows an entity has among them, the seldomer what is held of it comes from memory. These
// are put in order by shard and entity; then each shard, a stretch of hashes with a fold of its own, takes the rows of its
// entities, those of one after those of the other. Workers take shards in turns, each beginning elsewhere, and hold a
// shard's lock while it folds. In which order rows reach a shard does not matter: states are order-free.
//
// States that few rows concern are not folded then: what they read of those rows is put by, packed, until the shard's
// entities are written, some hundreds at a time, and their states are made, written and forgotten in the processor's caches
// (view.Fold.Defer, view.Bodies).
//
// # Compaction
//
// In the hash ranges that a task names, rows are fresh bases: the changes of the run pass by beside the merged rows of
// earlier runs' files, both in order of hash and key, and what comes out is the merge of the two (laneFile, past). The same
// walk over merged files, beside rows computed from the whole archive, is the full check (comparer). Files are streamed: one
// block of each is in memory, and those of one lane are open for each worker.
//
// # Memory
//
// Rows that are put by take less memory than states of few rows, and more than states of many. When the folds outgrow the
// budget, those that have put much by for each entity fold it. If that does not do, the upper half of the shards that
// are still live is given up: what they hold is freed, what is left is folded to the end and written, and the archive is
// scanned again for those that were given up. Scanning again costs about a tenth of folding; a spill of rows would have to
// be written and read once more, and be a format of its own.
//
// # Check
//
// Some hundreds of rows of each run, chosen by hash, are computed a second time: their events are kept aside as they are
// scanned, folded by the oracle, which shares no code with the folds, and compared with the bytes in the files, or with
// those that were merged into a fresh base. Meanwhile the files are flushed to the disk: an ended file reads before it is
// there.
//
// The package knows the archive, folds and run files. It knows nothing of journals, stores, lanes' marks or clocks.
package recompute
