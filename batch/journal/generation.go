package journal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/view"
)

// ErrOrder is the class of errors about something that cannot come next in a journal.
var ErrOrder = errors.New("cannot come next")

// Genesis is the first entry of a generation's journal: all that was fixed when it was created.
type Genesis struct {
	Identity string           `json:"identity"`
	Job      string           `json:"job"`
	View     string           `json:"view"`
	Number   int64            `json:"number"`
	Revision string           `json:"revision"`
	Spec     view.Spec        `json:"spec"`
	Origin   position.Cut     `json:"origin"` // cut 0
	Blocks   map[string]int64 `json:"blocks"` // block size by source
	Lanes    int              `json:"lanes"`
	// Topics are the very topics that the generation is made of, by source, as far as they were known when it was created. No
	// run is made of another one's records.
	Topics map[string]schema.Topic `json:"topics,omitempty"`
}

// CheckTopic returns an error of class schema.ErrTopic if the generation is made of another topic of the source than this one.
func (g *Genesis) CheckTopic(source string, now schema.Topic) error {
	return schema.CheckTopic(source, fmt.Sprintf("generation %d of view %s", g.Number, g.View), g.Topics[source], now)
}

// Namespace returns the namespace of the generation's lanes and rows.
func (g *Genesis) Namespace() string { return manifest.Namespace(g.Job, g.View, g.Identity) }

// WithBlocks returns a copy of a spec of the generation's revision that says the generation's blocks: two generations of one
// revision may have different ones, and the tiles of each are labelled by its own.
func (g *Genesis) WithBlocks(spec *view.Spec) *view.Spec {
	own := *spec
	own.Sources = slices.Clone(spec.Sources)
	for i := range own.Sources {
		if block := g.Blocks[own.Sources[i].Name]; block > 0 {
			own.Sources[i].Block = block
		}
	}
	return &own
}

// Kind says what the files of a run hold.
type Kind string

// The kinds of runs.
const (
	Full    Kind = "full"    // bases of all rows, from the whole archive; run 1
	Delta   Kind = "delta"   // deltas from the new blocks only
	Compact Kind = "compact" // deltas, and fresh bases in the hash ranges whose turn it is
)

// Run is one run of a generation. It covers the log from From to Cut.
type Run struct {
	Number int64        `json:"run"`
	Kind   Kind         `json:"kind"`
	From   position.Cut `json:"from"`
	Cut    position.Cut `json:"cut"`
	// Every is, of a Compact run, in how many runs a hash range gets one fresh base; 0 of any other. Each run has its own,
	// so that a run that is repeated makes the same files whatever the role is configured with by then.
	Every int64 `json:"every,omitempty"`

	// Checked is what came of the run, nil as long as it is not known to be right.
	Checked *Checked `json:"-"`
	// Failed is why the check refused it the last time, nil if it did not.
	Failed *Failed `json:"-"`
}

// Checked is what a run that passed its check left behind.
type Checked struct {
	Run     int64      `json:"run"`
	Lanes   []LaneFile `json:"lanes"` // by number of the lane
	Rows    int64      `json:"rows"`
	Bytes   int64      `json:"bytes"`           // of all run files
	Files   int64      `json:"files"`           // archive files that were opened
	Events  int64      `json:"events"`          // accepted events with an entity
	Scanned int64      `json:"scanned"`         // rows read, rejected ones included
	Errors  int64      `json:"errors"`          // expressions that erred and were null
	Sampled int64      `json:"sampled"`         // rows recomputed by the plain fold
	Bases   int64      `json:"bases,omitempty"` // of a Compact run: rows that are fresh bases
}

// LaneFile is what is known of one lane's file.
type LaneFile struct {
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
	Digest string `json:"digest"` // of its rows (package runfile)
}

// Digest returns the digest of a run's files: SHA-256, in hex, over those of its lanes, each ended by a line feed.
func (c *Checked) Digest() string {
	h := sha256.New()
	for i := range c.Lanes {
		h.Write([]byte(c.Lanes[i].Digest + "\n"))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Failed is why a check refused a run.
type Failed struct {
	Run    int64  `json:"run"`
	Entity string `json:"entity"` // key of the first row that differed
	Reason string `json:"reason"`
}

// The kinds of entries of a generation's journal.
const (
	entryGenesis    = "genesis"
	entryRegistered = "run registered"
	entryChecked    = "run checked"
	entryFailed     = "run failed check"
)

// Generation is the journal of one generation. Not safe for concurrent use.
type Generation struct {
	Genesis

	Runs []Run // Runs[i] is run i+1; all but the last are checked

	log *log
}

// CreateGeneration begins the journal of a new generation in dir. Errors: ErrTaken if one is there.
func CreateGeneration(dir string, g Genesis) (*Generation, error) {
	j := &Generation{Genesis: g, log: &log{dir: dir, kind: "generation"}}
	if err := g.validate(); err != nil {
		return nil, err
	}
	return j, j.log.append(entryGenesis, g)
}

// OpenGeneration reads a generation's journal. Errors are of class ErrDamaged or ErrCodec, or the file system's.
func OpenGeneration(dir string) (*Generation, error) {
	l, entries, err := openLog(dir, "generation")
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("%w: %s has no entry; %s", ErrDamaged, dir, cure)
	}
	j := &Generation{log: l}
	for i := range entries {
		if err := j.replay(&entries[i], i == 0); err != nil {
			return nil, err
		}
	}
	return j, nil
}

func (j *Generation) replay(e *entry, first bool) error {
	if first != (e.kind == entryGenesis) {
		return e.misplaced(errors.New("genesis is the first entry and no other"))
	}
	switch e.kind {
	case entryGenesis:
		if err := e.parse(&j.Genesis); err != nil {
			return err
		}
		return placed(e, j.validate())
	case entryRegistered:
		var r Run
		if err := e.parse(&r); err != nil {
			return err
		}
		return placed(e, j.registered(r))
	case entryChecked:
		var c Checked
		if err := e.parse(&c); err != nil {
			return err
		}
		return placed(e, j.checked(c))
	case entryFailed:
		var f Failed
		if err := e.parse(&f); err != nil {
			return err
		}
		return placed(e, j.failed(f))
	}
	return e.unknown()
}

func placed(e *entry, err error) error {
	if err == nil {
		return nil
	}
	return e.misplaced(err)
}

func (g *Genesis) validate() error {
	if !manifest.ValidIdentity(g.Identity) || g.Job == "" || g.View == "" || g.Number < 1 || g.Revision == "" || !lane.ValidLanes(g.Lanes) {
		return fmt.Errorf("%w: genesis of generation %d (%s) with %d lanes", ErrOrder, g.Number, g.Identity, g.Lanes)
	}
	for source, t := range g.Topics {
		if !t.Valid() {
			return fmt.Errorf("%w: genesis with topic %q, id %q of source %s", ErrOrder, t.Name, t.ID, source)
		}
	}
	for _, s := range g.Spec.Sources {
		if !position.ValidBlock(g.Blocks[s.Name]) {
			return fmt.Errorf("%w: genesis with block size %d of source %s", ErrOrder, g.Blocks[s.Name], s.Name)
		}
	}
	return nil
}

// The three rules of what follows what; each changes the journal in memory if the entry fits.

func (j *Generation) registered(r Run) error {
	if p := j.Pending(); p != nil {
		return fmt.Errorf("%w: run %d registered, and run %d is not checked", ErrOrder, r.Number, p.Number)
	}
	if want := int64(len(j.Runs)) + 1; r.Number != want {
		return fmt.Errorf("%w: run %d registered, want %d", ErrOrder, r.Number, want)
	}
	if !r.From.Equal(j.Cut(r.Number-1)) || !r.Cut.AtLeast(r.From) || r.From.AtLeast(r.Cut) {
		return fmt.Errorf("%w: run %d covers %s to %s, and the run before it reached %s", ErrOrder, r.Number, r.From, r.Cut, j.Cut(r.Number-1))
	}
	if want := kindOf(r.Number, r.Every); r.Kind != want || (r.Every != 0) != (want == Compact) || !ValidEvery(r.Every) {
		return fmt.Errorf("%w: run %d of kind %q with a base each %d runs", ErrOrder, r.Number, r.Kind, r.Every)
	}
	j.Runs = append(j.Runs, r)
	return nil
}

func (j *Generation) checked(c Checked) error {
	p := j.Pending()
	if p == nil || p.Number != c.Run || len(c.Lanes) != j.Lanes {
		return fmt.Errorf("%w: run %d checked with %d lanes", ErrOrder, c.Run, len(c.Lanes))
	}
	p.Checked, p.Failed = &c, nil
	return nil
}

func (j *Generation) failed(f Failed) error {
	p := j.Pending()
	if p == nil || p.Number != f.Run {
		return fmt.Errorf("%w: run %d failed its check", ErrOrder, f.Run)
	}
	p.Failed = &f
	return nil
}

// Register writes down the next run before any work is done for it, so that a run that dies is repeated with the same
// cut. cut must reach further than the last run's. every says in how many runs each hash range gets a fresh base, 1 to
// MaxEvery, or 0 for never; with the run's number it decides the kind. Errors: ErrOrder, ErrTaken, or the file system's.
func (j *Generation) Register(cut position.Cut, every int64) (*Run, error) {
	r := Run{Number: int64(len(j.Runs)) + 1, From: j.LastCut(), Cut: cut}
	if r.Kind = kindOf(r.Number, every); r.Kind == Compact {
		r.Every = every
	}
	if !ValidEvery(every) {
		return nil, fmt.Errorf("%w: a base each %d runs", ErrOrder, every)
	}
	before := len(j.Runs)
	if err := j.registered(r); err != nil {
		return nil, err
	}
	if err := j.log.append(entryRegistered, r); err != nil {
		j.Runs = j.Runs[:before]
		return nil, err
	}
	return &j.Runs[before], nil
}

// Check writes down that the pending run is right: from here on it is published and never computed again.
func (j *Generation) Check(c Checked) error {
	p := j.Pending()
	if p == nil || p.Number != c.Run {
		return fmt.Errorf("%w: run %d checked", ErrOrder, c.Run)
	}
	before := *p
	if err := j.checked(c); err != nil {
		return err
	}
	if err := j.log.append(entryChecked, c); err != nil {
		*p = before
		return err
	}
	return nil
}

// Fail writes down that the pending run did not pass its check. It stays pending: once the cause is repaired it may be
// repeated.
func (j *Generation) Fail(f Failed) error {
	p := j.Pending()
	if p == nil || p.Number != f.Run {
		return fmt.Errorf("%w: run %d failed", ErrOrder, f.Run)
	}
	if err := j.log.append(entryFailed, f); err != nil {
		return err
	}
	return j.failed(f)
}

// Pending returns the run that is registered and not checked; nil if there is none. Only the last run can be.
func (j *Generation) Pending() *Run {
	if n := len(j.Runs); n > 0 && j.Runs[n-1].Checked == nil {
		return &j.Runs[n-1]
	}
	return nil
}

// LastChecked returns the number of the last checked run, 0 for none.
func (j *Generation) LastChecked() int64 {
	n := int64(len(j.Runs))
	if j.Pending() != nil {
		n--
	}
	return n
}

// Run returns run k, which must be registered.
func (j *Generation) Run(k int64) *Run { return &j.Runs[k-1] }

// Cut returns cut k, of a registered run, or the origin for k = 0.
func (j *Generation) Cut(k int64) position.Cut {
	if k == 0 {
		return j.Origin
	}
	return j.Runs[k-1].Cut
}

// LastCut returns the cut of the last registered run, or the origin.
func (j *Generation) LastCut() position.Cut { return j.Cut(int64(len(j.Runs))) }

// Entries returns how many entries the journal has. It only grows.
func (j *Generation) Entries() int64 { return j.log.last }

// Moved tells whether somebody has written more to the journal than was read.
func (j *Generation) Moved() bool { return j.log.moved() }

// InheritGeneration returns what is left of a generation whose journal was lost: its genesis, and no runs. It is read
// only; nothing can be written to it.
func InheritGeneration(job, viewName string, g *manifest.Generation) *Generation {
	return &Generation{log: &log{kind: "generation"}, Genesis: Genesis{
		Identity: g.Identity, Job: job, View: viewName, Number: g.Number, Revision: g.Revision, Spec: g.Spec,
		Origin: g.Origin, Blocks: g.Blocks, Lanes: g.Lanes, Topics: g.Topics,
	}}
}
