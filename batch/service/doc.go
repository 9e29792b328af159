// Package service is the batch role of a job: it keeps the journals and the manifest, makes runs when there is something
// new in the archive, and takes care of the lanes.
//
//	tick  (cron)         list the archive → register a run of each generation → recompute → check → journal
//	care  (each second)  manifest in the store → marks of all lanes → begin, bring, sweep (beside, if it takes long), tidy
//
// The two know each other through the journals alone: what is checked is published. A process that dies in either goes on
// where journals and marks say; two processes over one state folder waste work and break nothing.
//
// # What is fatal
//
// One function decides it (fatal). A store that is away is waited for. A lane that somebody has to mend (a damaged mark, a
// full store, a damaged run file) is reported and tried again, while all others are served. After a run that fails its
// check, in which an operator panics, or that the archive or the files of earlier runs do not give what it needs, no more
// runs are made, and lanes are cared for as before. A store that was filled from another journal, and a journal that does not read, end the role.
//
// # Generations
//
// A role brings each view, when it begins, to where what the job's files declare has a generation: the first, which is
// served at once, or after an edit one that is built beside the served one. Commands rebuild, promote, roll back and drop;
// they write to the view's journal and no more, and a role that runs follows within a second. What is served changes by a
// command only. A state folder that is new, beside a store that is not, inherits what the store serves.
//
// The package knows journals, runs and lanes. It knows nothing of speed, of lookups or of the command line.
package service
