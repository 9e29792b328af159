// Package crash names the places at which tidemark is made to die: between two steps of which a reader might think that
// they are one. Code that takes such steps says Point(place) between them.
//
// In a build as users have it, Point is an empty function that the compiler leaves out. In one with the build tag
// crashpoints, a process whose environment has TIDEMARK_CRASH=PLACE#N sends itself SIGKILL when it comes to that place
// for the N-th time: nothing is deferred, flushed or closed. A process is therefore a whole death, with what other
// goroutines had in hand, and not a panic that somebody might recover. What it wrote before is in the hands of the
// operating system and stays; what a power failure would take besides is another matter, which the laws of the lanes and
// the syncing of files cover.
//
// Places are listed in place.go and nowhere else; that a name is one of them is the compiler's to check. The test with the
// tag (cmd/tidemark) dies at each of them and fails if one is never reached.
//
// The package knows names. It knows nothing of what happens at its places.
package crash
