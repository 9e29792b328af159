// Package decode is the one JSON decoder of tidemark: both layers, the archive and every reader of history use it, so
// that a record means the same everywhere. It is compiled from a source's schema and appends one row of columns a record.
//
// The laws it keeps (docs/decoding.md states every decision so that another program can reproduce it):
//
//   - Whether a record is accepted is a pure function of its bytes, the source's required fields and Version.
//   - Any other field that is missing or does not decode losslessly is null, counted, and the record's bytes are kept:
//     one bad field spoils one feature.
//   - A row is appended only if the whole document is well-formed, and exactly one row is appended for every record.
//   - Nothing of a record is lost to the archive: undeclared members stand in Rest, what was not understood in Raw.
//
// The way of a record: Append checks size and encoding, object walks the members by a tree of the declared names and
// stages one cell a field, then the cells are committed to the columns. Nothing is allocated per record.
//
// The package knows nothing of Kafka, files or stores, and reads no clock.
package decode
