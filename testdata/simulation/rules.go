package simulation

import (
	"fmt"
	"strings"
)

// Rule is one rule of the protocol, which a world can be run without.
type Rule uint8

// The rules. Each is switched off where the simulator wires the real code to its model store, or where the model of a
// shell would keep it; the real code itself is never changed.
const (
	NoRule Rule = iota // all rules hold

	// Of the speed layer.
	CompareMark
	PositionFolded
	OneCall
	BelowMark
	TakeOverLow
	UnknownReads
	RefusalTakesOver
	BehindRewrites
	BlockFirst
	AbsentNeedsLane
	WaitForBatch
	ReadAtRest

	// Of runs.
	RegisterFirst
	OneEntryANumber
	WholeBlocks
	InOrder
	Supersede
	FilesFromBases
	FilesFromLowest
	FilesByChecked
	BasesFrom

	// Of publishing and of beginning lanes.
	RaiseBelowCut
	RaiseNotJoined
	JoinWhenWhole
	BeginExpects
	BeginFresh
	BeginOnce
	BeginDeletes
	BeginLow
	OriginJoined
	RowsOfIncarnation
	SweepExpects
	SweepGrace

	// Of generations.
	ManifestKept
	ManifestForward
	ManifestFirst
	PromoteWhole
	DroppedFinal
	DropAllLanes
	DropDeletesMarks

	// Of reading.
	ClaimWhole
	MarksFirst
	MarksAge
	CachedIncarnation
	Leftover
	EmptyAgain

	Rules // the number of them
)

// ruleText says what each rule is, and its name in cases and messages.
var ruleText = [Rules]struct{ name, says string }{
	NoRule: {"none", "all rules hold"},

	CompareMark:      {"compare-mark", "a flush is applied only if the mark still is what the worker thinks it is"},
	PositionFolded:   {"position-folded", "a flush moves the mark to everything folded, never less"},
	OneCall:          {"one-call", "a flush of a lane is one call, never split"},
	BelowMark:        {"below-mark", "a flush writes no tile whose last offset lies below the mark"},
	TakeOverLow:      {"take-over-low", "a mark is taken over with its low"},
	UnknownReads:     {"unknown-reads", "after an unknown outcome the marks are read"},
	RefusalTakesOver: {"refusal-takes-over", "a refused call is not taken for an applied one"},
	BehindRewrites:   {"behind-rewrites", "a mark that is behind makes the worker write again from there"},
	BlockFirst:       {"block-first", "folding begins at the first offset of the smallest mark's block"},
	AbsentNeedsLane:  {"absent-needs-lane", "a new partition's mark is created expecting the lane's incarnation"},
	ReadAtRest:       {"read-at-rest", "a worker whose log rests reads the marks once in a while"},
	WaitForBatch:     {"wait-for-batch", "a lane without a batch mark waits for batch"},

	RegisterFirst:   {"register-first", "a run that dies is repeated with the registered cut"},
	OneEntryANumber: {"one-entry-a-number", "an entry of the journal is linked to its number, or refused"},
	WholeBlocks:     {"whole-blocks", "a cut lies between blocks"},
	InOrder:         {"in-order", "runs are taken in in order, none left out"},
	Supersede:       {"supersede", "the call that writes a row's tile deletes what it supersedes"},
	FilesFromBases:  {"files-from-bases", "run files are kept from the last bases on"},
	FilesFromLowest: {"files-from-lowest", "run files are kept that a begun lane has still to take in"},
	FilesByChecked:  {"files-by-checked", "run files are deleted by the last checked run, not by one under way"},
	BasesFrom:       {"bases-from", "a lane is begun from the run that every range has its base since"},

	RaiseBelowCut:     {"raise-below-cut", "the first call of a run raises marks that are behind its cut"},
	RaiseNotJoined:    {"raise-not-joined", "a raised mark is joined by the run's last call, not its first"},
	JoinWhenWhole:     {"join-when-whole", "the last call of a run joins the marks only if the lane is whole"},
	BeginExpects:      {"begin-expects", "beginning a lane expects the batch mark seen"},
	BeginFresh:        {"begin-fresh", "each begin call has a fresh incarnation"},
	BeginOnce:         {"begin-once", "a begin call is never sent twice"},
	BeginDeletes:      {"begin-deletes", "beginning a lane deletes the other partitions' marks"},
	BeginLow:          {"begin-low", "the marks of a lane that is begun are not joined"},
	OriginJoined:      {"origin-joined", "without runs a lane is begun with joined marks at the origin"},
	RowsOfIncarnation: {"rows-of-incarnation", "rows belong to an incarnation"},
	SweepExpects:      {"sweep-expects", "deleting a leftover row expects the incarnation seen"},
	SweepGrace:        {"sweep-grace", "leftover rows are deleted after a grace"},

	ManifestKept:     {"manifest-kept", "batch restores a manifest that is missing or older"},
	ManifestForward:  {"manifest-forward", "a manifest never replaces a newer one, in the store or in a reader"},
	ManifestFirst:    {"manifest-first", "the manifest is kept before lanes are looked at"},
	PromoteWhole:     {"promote-whole", "a generation is promoted when every lane is joined and has caught up"},
	DroppedFinal:     {"dropped-final", "a dropped lane is never begun"},
	DropAllLanes:     {"drop-all-lanes", "lanes that were never begun are dropped too"},
	DropDeletesMarks: {"drop-deletes-marks", "dropping a lane deletes its partition marks"},

	ClaimWhole:        {"claim-whole", "nothing is claimed of a lane whose bases are not all in"},
	MarksFirst:        {"marks-first", "a reader reads the marks before the row"},
	MarksAge:          {"marks-age", "marks that are old when the row has been read are read again"},
	CachedIncarnation: {"cached-incarnation", "the row read is that of the incarnation of the marks read"},
	Leftover:          {"leftover", "a block tile is passed over where the base or a delta reaches into its block"},
	EmptyAgain:        {"empty-again", "an empty row under cached marks makes the reader read both again"},
}

// String returns the rule's name.
func (r Rule) String() string { return ruleText[r].name }

// Says returns the rule in words.
func (r Rule) Says() string { return ruleText[r].says }

// Set is a set of rules: those that a world is run without.
type Set uint64

// Calm is no rule: of the random worlds of a set that holds it, none has a store that loses rows.
const Calm Set = 1 << 63

// Without returns the set of rules.
func Without(rules ...Rule) (s Set) {
	for _, r := range rules {
		s |= 1 << r
	}
	return s &^ (1 << NoRule)
}

// String returns the rules' names, separated by commas.
func (s Set) String() string {
	var all []string
	for r := NoRule + 1; r < Rules; r++ {
		if s&Without(r) != 0 {
			all = append(all, r.String())
		}
	}
	return strings.Join(all, ",")
}

// parseSet reads what String writes.
func parseSet(text string) (s Set, err error) {
	for name := range strings.SplitSeq(text, ",") {
		r := NoRule + 1
		for r < Rules && r.String() != name {
			r++
		}
		if r == Rules {
			return 0, fmt.Errorf("%w: there is no rule %q", ErrCase, name)
		}
		s |= Without(r)
	}
	return s, nil
}

func (w *World) without(r Rule) bool { return w.off&(1<<r) != 0 }
