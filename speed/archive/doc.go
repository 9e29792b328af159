// Package archive is the archiver: it follows a source's topic and writes each block of each partition, once the log has
// reached the block's end, as a file of the archive. A block's file follows from the log alone, so any number of archivers
// may work on one archive, and be killed at any moment: they write the same bytes under the same names.
//
// # How an event comes in
//
// One goroutine fetches all partitions, decodes, and appends to the Writer of each one's open block. Nothing is queued:
// while a file is written nothing is fetched, so a slow disk makes lag and no memory. Where to begin is what the files
// on disk say; there is no other state.
//
// # Tails
//
// What has waited for TailAge in a block that does not fill is written as a file that ends inside of the block, so that a
// quiet topic is safe from the log's retention, too. The block goes on from there: the next file of it begins where the
// tail began and contains it.
//
// # What it must not know
//
// Who reads the archive, runs, lanes, stores. The layout of files is archivefile's, decoding is decode's.
//
// Where the pieces of a fetch belong is computed in split.go without any I/O; partition.go is one partition, archiver.go
// the loop.
package archive
