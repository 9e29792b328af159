package page

import (
	"context"
	"errors"
)

// ErrNotFound is the class of a Source's errors about a view or key that there is not; the page says so with 404.
var ErrNotFound = errors.New("not found")

// Source gives the pages what they show, and bounds the time that it takes for that. Errors are shown as they are.
type Source interface {
	// Overview is called by one request at a time, at most once in OverviewAge; its context ends with no request.
	Overview(ctx context.Context) (*Overview, error)
	// Profile is called for each request, concurrently.
	Profile(ctx context.Context, view, key string) (*Profile, error)
}

// Overview is how far everything is.
type Overview struct {
	Job         string
	Role        string
	Trouble     []string // what needs an operator; none if all is well
	Batch       string   // how far batch is, in words
	Partitions  []Partition
	Generations []Generation
	Samples     []Sample // oldest first
	Audited     bool     // entities are verified all the time: Verified and Wrong of the samples mean something
}

// Partition is how far one partition of the log is known. Offsets are first ones that are not there yet.
type Partition struct {
	Name     string
	Start    int64 // first offset that the archive or the topic has
	Archived int64
	Next     int64 // what every lane of the served generations has taken in
	End      int64
	Through  int64  // ms: append time that every lane has reached, 0 if not known
	Note     string // why it stands still, if it does
}

// Lag is how many records are still to be taken in.
func (p Partition) Lag() int64 { return max(p.End-p.Next, 0) }

// Generation is one generation of a view.
type Generation struct {
	View     string
	Number   int64
	State    string
	Identity string
	Revision string
	Lanes    []Lane
	Runs     []Run    // oldest first, as far as the journal is at hand
	Names    []string // of the partitions that it reads
	KeyForm  string   // what a key looks like
}

// Whole is how many lanes can claim what they hold.
func (g Generation) Whole() int {
	n := 0
	for i := range g.Lanes {
		if g.Lanes[i].Why == "" {
			n++
		}
	}
	return n
}

// Run is one run of a generation.
type Run struct {
	Number    int64
	Kind      string
	State     string // registered, failed, checked
	Rows      int64
	Published int // lanes that have taken it in
	Cut       map[string]int64
}

// Lane is the state of one lane by its marks.
type Lane struct {
	Number      int
	Incarnation string
	Run, Rows   int64  // the batch mark: the first run not in whole, and its rows that are in
	Why         string // why it cannot claim its content, empty if it can
	Marks       []Mark // in the order of Generation.Names
}

// Mark is a partition's mark of a lane.
type Mark struct {
	Present bool
	Joined  bool
	Low     int64
	Next    int64
	Lag     int64
}

// Sample is what was measured in one second.
type Sample struct {
	At       int64   // ms
	Events   float64 // folded, per second
	FreshP50 float64 // ms from broker append to readable; negative if nothing became readable
	FreshP99 float64
	Lag      int64 // records, all partitions
	Verified int64 // entities compared with a plain fold so far
	Wrong    int64
}

// Profile is one profile and what it is made of.
type Profile struct {
	Job, View, Key string
	Generation     int64
	State          string
	Revision       string
	Lane           string
	Incarnation    string
	Found          bool
	AsOf           string
	Degraded       string
	Error          string // why the row does not read
	Parts          []Part
	Features       []Feature
	Tracks         []Track
	Left           Left // of the three above, that the page does not show; the handler fills it in
}

// Part is one tile of the row.
type Part struct {
	Field    string
	Kind     string // base, delta, block
	Stretch  string
	Bytes    int
	Events   int64
	Newest   string
	Leftover bool // not merged: base or deltas hold its events
	Error    string
}

// Feature is what a feature answers, and what each part alone would answer, in the order of Profile.Parts.
type Feature struct {
	Name   string
	Status string
	Value  string // JSON
	Alone  []string
}

// Track is one partition on the line of the log.
type Track struct {
	Partition string
	From, End int64   // the stretch that is drawn
	Next      int64   // the lane's mark
	Joined    bool    // the mark claims all below it
	Cut       int64   // end of what base and deltas hold; From if there is none
	Cuts      []int64 // of the runs, ascending
	Blocks    []Span  // block tiles
	Last      []Dot   // last event of each tile in the partition
}

// Span is the stretch of a block tile.
type Span struct {
	Field      string
	From, Next int64
	Leftover   bool
}

// Dot is one offset.
type Dot struct {
	Field  string
	Offset int64
}
