// Package archivefile is the archive: Parquet files that hold a source's log, and the only package that knows Parquet.
// docs/format/archive.md states the layout for other programs.
//
//	<dir>/<source>/<partition>/<from>-<next>.parquet
//
// # What it knows
//
// Writer takes decoded batches in order of offsets and writes one file: aside, fsynced, then linked to its name, never
// over another. List says, from file names alone, which stretch of a partition's log is in the archive. Open checks a
// file's footer, Read gives its rows back as batches of the columns that are wanted, and Scan does so over many files.
// AppendJSON tells an accepted row's record again.
//
// A file is read by a source that may have changed since it was written: a field declared later is found among the
// undeclared members (_rest), and records that were not understood whole are decoded again from their bytes (_raw). So
// the rows of a batch are those that decoding the log itself would give.
//
// # What makes files checkable
//
// Two writers that are given the same records write the same bytes: encodings and row groups follow from the rows alone,
// and no file holds a clock's or a host's word. Each column chunk has a checksum in the seal, a block of ours in front of
// the Parquet footer, which is checked before a byte reaches the Parquet library. A file is read whole or not at all: any
// damage is an error of class ErrDamaged that names the file and the cure.
//
// # What it must not know
//
// Brokers, clocks, jobs, runs. When a file is due is the archiver's business, what its rows mean is the decoder's.
package archivefile
