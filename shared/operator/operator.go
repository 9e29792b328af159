package operator

import (
	"errors"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/window"
)

// ErrState is the class of errors about bytes that are no canonical state of the operator that reads them.
var ErrState = errors.New("damaged state")

// ErrConfig is the class of errors about a configuration that an operator refuses.
var ErrConfig = errors.New("operator cannot be configured so")

// Role is what an input is to an operator.
type Role uint8

// The roles. Inputs come in this order: values, keys, weight, remove.
const (
	RoleValue  Role = iota + 1 // what is counted, summed, kept; several make a struct
	RoleKey                    // the category or element; several make a tuple
	RoleWeight                 // an integer
	RoleRemove                 // a bool: whether the event takes the element away
)

// Input is one column that an operator reads.
type Input struct {
	Role  Role
	Name  string // how the feature's author calls it: names the member of a struct
	Type  schema.Type
	Scale int      // digits after the point of a Decimal
	Enum  []string // values of an Enum: its column holds indices; results and keys show the strings
}

// Config decides one state. Features whose configurations are equal but for Windows share a state with the windows of
// all of them.
type Config struct {
	Inputs  []Input
	Windows []window.Window // what its readers need; at least one
	N       int             // bound on elements for operators that have one (last_n, set, map), else 0
	Edges   []int64         // between bins, ascending, in units of the value, for operators that have bins of numbers, else none
	Gap     int64           // ms between events of one session at most, for operators that have sessions, else 0
}

// Operator is one kind of state under one configuration. Safe for concurrent use.
type Operator interface {
	// NewStates returns room for states of many entities, none yet.
	NewStates() States
}

// Kind is a registered kind of operator, named in job files. The name Operator is the seed platform's; a kind is what
// makes one.
type Kind struct {
	Name string
	// Version is part of each state's canonical configuration: raise it when the bytes or the meaning of states change.
	Version int
	// Approx says that results are a deterministic approximation.
	Approx bool
	// Hop is that of windows that declare none, ms; 0 = it follows from their length.
	Hop int64
	// Results are what a feature may ask of a state, the usual one first; none if there is but one.
	Results []string
	// New checks the configuration, errors being of class ErrConfig or window.ErrInvalid and saying the cure.
	New func(Config) (Operator, error)
	// CheckQuery tells whether a feature's query fits (a limit, a half-life where one is needed, …).
	CheckQuery func(Config, Query) error
}

// Rows are the rows of one batch that are folded into the states of one operator. Row[i] is folded into slot Slot[i].
type Rows struct {
	Row  []int32 // indices into the batch's columns, ascending
	Slot []int32
	// Time and Offset are columns of the batch, indexed by Row[i].
	Time   []int64
	Offset []int64
	// Source is the rank of the batch's source in the view; ties break by (time, source, partition, offset).
	Source    int32
	Partition int32
	// Newest is by slot: the newest event time of the entity, these rows included.
	Newest []int64
	// In are the operator's inputs in the order of Config.Inputs, indexed by Row[i]. A row with a null input is skipped
	// by the operator (of a struct of values: only if all are null; of a tuple of keys: if one is).
	In []*column.Column
}

// States are the states of one operator for many entities, by slot: arenas, not one object per entity. Not safe for
// concurrent use. An operator may drop early what newest already puts out of reach, but need not: AppendState trims.
type States interface {
	// Grow makes sure that slots 0 to n-1 exist; new ones are empty.
	Grow(n int)
	// Fold adds rows. In steady state it does not allocate.
	Fold(r *Rows)
	// Merge adds a canonical state to slot; newest is that of the entity after the merge. Errors are of class ErrState;
	// after one the slot's state is undefined.
	Merge(slot int32, state []byte, newest int64) error
	// AppendState appends slot's canonical state at newest to dst. An empty state has no bytes.
	AppendState(dst []byte, slot int32, newest int64) []byte
	// Result reads slot. The value aliases nothing that a later call changes.
	Result(slot int32, q *Query) Value
	// Reset forgets all slots and keeps the memory.
	Reset()
}

// Query is what one feature asks of a state.
type Query struct {
	Window window.Window
	AsOf   int64 // ms, ≥ Newest
	Newest int64 // ms: newest event time of the entity
	// Limit bounds the elements of a list result; 0 = all there are.
	Limit int
	// HalfLife of decaying weights, ms; 0 = no decay.
	HalfLife int64
	// Result is one of the kind's Results; empty = the usual one.
	Result string
}
