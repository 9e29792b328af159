// Package service is the speed layer's shell: it owns partitions through the log's consumer group, fetches and decodes
// them, folds them for every generation that the manifests name, and flushes tiles into the store.
//
// Two goroutines a source fetch and decode, one for the generations that are about equally far, one for those that are far
// behind (stream.go); one a partition folds and flushes. Between them stands a bounded number of
// batches a partition: a slow store makes flushes larger, then batches stay with the partition and the fetcher leaves it
// out: memory is bounded, lag grows, nothing is dropped.
//
// What is in here is plumbing. What a flush may write is decided in packages flush and fold.
package service
