// Package pebblestore is the embedded store: lanes, rows and manifests in a Pebble database, in a folder of one process.
//
// It knows Pebble's keys (docs/format/store.md draws them) and applies lane.Decide under a lock per lane. Changes are
// committed without waiting for the disk: a power cut loses the last of them, in order, and the protocol of lanes brings
// them back. It must not know what a tile holds, and nothing else of tidemark imports Pebble.
//
// Pebble admits one process. The owner writes the address of its HTTP server into the folder (WriteAddress), where
// other processes find it (ReadAddress) and use the store through package storehttp.
package pebblestore
