// Package journal is the batch layer's memory: numbered entries in a folder, each written once and never changed.
//
// An entry is written aside, flushed, then linked to its number; the link fails if the number is taken. So two batch
// processes over one folder cannot both be right about what comes next: the one that is late is told ErrTaken. Reading
// is strict: a gap, a foreign file, a damaged byte, an unknown codec or kind, or an entry that cannot follow the ones
// before it is an error that names the file and the cure. The format is docs/format/journal.md.
//
// There are two kinds of journals under the state folder:
//
//	<state>/<job>/<view>/journal/              which generations the view has, and what is done with each (View)
//	<state>/<job>/<view>/<identity>/journal/   a generation's genesis and its runs (Generation)
//	<state>/<job>/<view>/<identity>/runs/NNNNNNNN/LL.run   the run files (package runfile)
//
// What a process that died has left aside, a role that begins removes (Layout.RemoveAbandoned).
//
// The package knows what follows what. It knows nothing of how runs are computed or published, nor of stores.
package journal
