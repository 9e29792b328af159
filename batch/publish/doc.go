// Package publish brings run files into the lanes of the store, in order, and begins the lanes that are empty.
//
// What is to be done next with a lane follows from its marks and the journal alone (Next, which is pure): begin it, bring
// the next rows of a run, or nothing. So there is nothing to resume: a publisher that was killed, a call whose outcome is
// unknown, a lane that lost its last writes or all of them are one case. Every call expects the batch mark that it was
// made from; one that finds another changes nothing and brings the marks, and the next is made from those.
//
//	Publisher   one pass after the other: read the marks, make calls, rate-limited, until every lane is done
//	Sweeper     deletes the rows of earlier fillings of lanes, after a grace
//
// The package knows lanes, calls and run files. It knows nothing of how runs are made, of journals as files, or of speed.
package publish
