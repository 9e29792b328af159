// Package trial runs a job's own tests: a few records go in, profiles are compared with what the test's author expects.
//
// The records take the way of all records: the one decoder, the fold, tiles, and the merge that answers are made by. They
// are cut on that way as logs are cut, into a base, a delta, block tiles and a leftover, so that a feature that depended
// on the cut would show here. The plain fold of package oracle answers too; where it differs, that is a failure of its
// own, of tidemark and not of the job.
//
// The package knows jobs, decoding, views and the oracle. It knows no file, no store and no clock: an instant that
// matters is in the test.
package trial
