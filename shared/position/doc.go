// Package position is the log's arithmetic: positions, blocks, ranges and cuts.
//
// The log is the only clock that correctness depends on. A partition is cut into blocks of B consecutive offsets (B a
// power of two, fixed per source); which block an event is in is arithmetic, so nobody has to agree on anything. A cut
// names, for every partition, the first block that a batch run does not cover.
//
// The package knows nothing of Kafka, files or stores.
package position
