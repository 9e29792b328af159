// Package manifest is what the batch layer tells the others of a view: which generations there are, which one is
// served, and all that is needed to compile their plans and find their lanes.
//
// The batch role keeps a view's manifest in the store, as a copy of what its journals say, and restores it whenever it
// is missing or older. Speed and serve need nothing else of batch: without a manifest they wait and say so. Seq grows
// with every change; a reader never goes back to a lower one than it has seen.
//
// Codecs 1 and 2 are two lines of JSON: the manifest, and {"sha256":"…"} over the first line with its line feed; codec 2 has
// the topics that a generation is made of besides. Readers refuse unknown codecs, unknown members and damaged bytes.
//
// The package is pure. It knows no store, journal or file.
package manifest
