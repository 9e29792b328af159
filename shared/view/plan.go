package view

import (
	"slices"
	"sync/atomic"

	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// Plan is a compiled Spec: immutable to all who use it, and safe for concurrent use.
type Plan struct {
	spec     Spec
	revision string
	keys     []keyKind
	features []Feature
	states   []StatePlan
	byName   map[string]int
	bindings []*binding // by source rank: the plan bound to the declaration in the spec
	// By source rank: the plan bound to the other declaration that was bound last. A process has one of a source, and many
	// folds: each would compile the expressions again.
	latest []atomic.Pointer[binding]
	// deferred says which states a fold may defer, see deferred.go; nil for none.
	deferred []bool
	// eras counts what Fold.era has been.
	eras atomic.Int64
}

// Feature is one feature of a plan.
type Feature struct {
	Spec *FeatureSpec
	// State is the index in States of what the feature reads, -1 for a ratio.
	State int
	// Num and Den are the indices of the features that a ratio reads; -1 for any other feature.
	Num, Den int
	// Query is what the feature asks of its state; AsOf and Newest are 0.
	Query operator.Query
	// Kind is the kind of the feature's values that are not null.
	Kind operator.ValueKind
	// Approx says that the values are a deterministic approximation.
	Approx bool

	scale int // of values of kind Dec
	frame answerFrame
}

// StatePlan is one state that tiles hold for every entity; a tile's states stand in the order of Plan.States.
type StatePlan struct {
	// Canonical is the text that decides the bytes of the state, and nothing else does but what the texts in it name.
	// States are in order of it.
	Canonical string
	Kind      *operator.Kind
	// Config is what Kind.New was given. Its windows are the longest of each hop that the features need.
	Config operator.Config
	// From is the source whose events are folded; empty = all of the view.
	From string
	// Where and Inputs are expressions as the first of the features wrote them, the inputs in the order of
	// Config.Inputs; Where may be empty.
	Where  string
	Inputs []string
	// Features are the indices of the features that read the state, ascending.
	Features []int

	op operator.Operator
}

// Spec returns what was compiled, with the hops of windows that declared none. The caller must not change it.
func (p *Plan) Spec() *Spec { return &p.spec }

// Revision returns the hash of everything that decides states, 64 characters of lower-case hex.
func (p *Plan) Revision() string { return p.revision }

// Features returns the features in the spec's order. The caller must not change them.
func (p *Plan) Features() []Feature { return p.features }

// States returns the states in the order in which tiles hold them. The caller must not change them.
func (p *Plan) States() []StatePlan { return p.states }

// Feature returns the index of the named feature, -1 if there is none.
func (p *Plan) Feature(name string) int {
	if i, ok := p.byName[name]; ok {
		return i
	}
	return -1
}

// SourceRank returns the number of a source in this view's tiles, -1 if the view does not read it.
func (p *Plan) SourceRank(name string) int {
	return slices.IndexFunc(p.spec.Sources, func(s schema.Source) bool { return s.Name == name })
}

// Reads tells whether batches decoded with src can be folded: the source is one of the view's and every field that the
// view uses is declared as when the plan was compiled. Fields of no use to the view may differ. The error, of class
// ErrSpec, names each field that does not fit.
func (p *Plan) Reads(src *schema.Source) error {
	_, err := p.bind(src)
	return err
}

// needs marks the states that some features read, ratios' operands included.
func (p *Plan) needs(features []int) []bool {
	need := make([]bool, len(p.states))
	for _, i := range features {
		f := &p.features[i]
		if f.State < 0 {
			need[p.features[f.Num].State], need[p.features[f.Den].State] = true, true
			continue
		}
		need[f.State] = true
	}
	return need
}
