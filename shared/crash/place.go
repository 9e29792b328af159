package crash

// Place is where a process can be made to die.
type Place uint8

// The places. What the state of the world is at each stands beside it.
const (
	ArchiveHalf       Place = iota // rows are in the temporary file, its footer is not
	ArchiveBeforeLink              // the temporary file is whole and synced, and has no name yet
	ArchiveAfterLink               // it has its name, which is not synced, beside the temporary one

	JournalBeforeLink // an entry is written aside and synced, and has no number yet
	JournalAfterLink  // it has its number, which is not synced, beside the name aside

	GenerationUnlisted // a generation has its own journal, and the view's does not name it
	AliasUntold        // the view's journal says what a command decided, the store's manifest does not
	ManifestBefore     // the journals say more than the store's manifest
	ManifestAfter      // the store has the manifest

	RunHalf       // rows are in a lane's file, its index is not
	RunBeforeName // all files of a run lie aside
	RunAfterName  // the run's folder has its name, which is not synced, and the journal does not say that it is checked
	RunGone       // a run that nobody needs has lost its name, its files are there
	CheckHeld     // a full check has its own links to run files

	LaneBegun // a lane was begun; whoever did it did not hear of it
	LaneFirst // the first rows of a run are in a lane, more are to come
	LaneSome  // so are some more
	LaneLast  // the last ones are

	SweepSome // some rows of earlier fillings, or of a dropped generation, are deleted
	DropFiles // lanes say that they are dropped, run files are there

	PromoteCompared // two generations were found to be equal, the alias has not moved

	FlushUnanswered // the store has done a flush; whoever sent it did not hear of it
	DrainBegun      // told to end: what is folded is not flushed
	DrainDone       // it is flushed, the consumer group not left
	RevokeBegun     // partitions are given to another owner: what is folded is not flushed
	RevokeDone      // it is flushed, the new owner still waits

	places
)

var names = [places]string{
	ArchiveHalf: "archive: file half written", ArchiveBeforeLink: "archive: before link", ArchiveAfterLink: "archive: after link",
	JournalBeforeLink: "journal: before link", JournalAfterLink: "journal: after link",
	GenerationUnlisted: "generation: not in the view's journal", AliasUntold: "alias: store not told",
	ManifestBefore: "manifest: before put", ManifestAfter: "manifest: after put",
	RunHalf: "run: file half written", RunBeforeName: "run: before commit", RunAfterName: "run: after commit",
	RunGone: "run: removed by half", CheckHeld: "check: runs held",
	LaneBegun: "lane: begun", LaneFirst: "lane: first rows of a run", LaneSome: "lane: some rows of a run", LaneLast: "lane: last rows of a run",
	SweepSome: "sweep: some rows deleted", DropFiles: "drop: run files not removed",
	PromoteCompared: "promote: compared", FlushUnanswered: "flush: sent, not answered",
	DrainBegun: "drain: begun", DrainDone: "drain: flushed", RevokeBegun: "revoke: begun", RevokeDone: "revoke: flushed",
}

// String returns the place's name, as TIDEMARK_CRASH has it.
func (p Place) String() string { return names[p] }

// Places returns all places.
func Places() []Place {
	all := make([]Place, places)
	for i := range all {
		all[i] = Place(i)
	}
	return all
}
