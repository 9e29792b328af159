// Package lookup answers what an entity's profile is: it reads the manifest, the marks of the key's lane and the row, in
// this order, merges the row's tiles and reads the features at a time.
//
// What it promises of an answer: every event of the entity below the frontier claimed is in it (the marks are read before
// the row, and a row only gains), it never goes back to an older manifest, and it never doubles anything. Where a lane
// cannot claim a frontier the answer says that it is degraded, and why; it is never silently smaller.
//
// The package knows nothing of HTTP; package api puts it there.
package lookup
