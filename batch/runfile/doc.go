// Package runfile is the file in which a run brings its rows of change to a lane: sorted by hash and key, in blocks that
// can be sought, with digests of what they say. The format is docs/format/runfile.md.
//
//	Draft    a run's folder while it is written: lanes' files aside, then all of them at once under the run's name
//	Writer   appends rows in order and sums up digests
//	Reader   streams rows from any row on, checking everything that it passes on
//	Folders, Hold, Remove   runs whose files are there, and how they go
//
// A file's digest is that of its rows, not of its bytes on disk: how they are cut into blocks changes nothing. The
// package knows rows and the headers of tiles. It knows nothing of how a key is hashed, what a state means, journals or
// stores.
package runfile
