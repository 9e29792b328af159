package view

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidemark-io/tidemark/shared/expr"
	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// binding is a plan bound to one declaration of one source: which columns of a wide batch are keys and inputs, and which
// programs fill the computed ones. A wide batch has the fields, then the computed columns, then the inputs that are
// expressions. A binding is immutable.
type binding struct {
	src       *schema.Source
	rank      int
	canonical string  // what the plan takes from the source
	keys      [][]int // by kind: columns of its tuple
	fields    []int   // columns that are fields and read by anything
	columns   []boundColumn
	fails     bool          // whether a program can fail
	late      []int         // indices in columns: needed of few rows only
	lateReads []int         // columns of the wide batch that the programs of these read
	width     int           // columns of the wide batch
	filters   []boundFilter // distinct
	coded     []codeTable   // of those filters that are functions of an enum
	states    []boundState
	whole     class // all states
	classes   [2]class
}

// class is some states and what they read. The first of a view's classes are the states of all rows, and those that read
// no more than these, by whatever filter; the second are the others, for which rows that pass none of their filters need
// not be at hand: most columns are read of few rows.
type class struct {
	columns []int      // of the wide batch
	some    []passWord // by filter/passBits: the bits of its filters
	states  []int      // indices in states
	every   uint64     // the states of every row, as Fold.held has them
	needs   []need     // of the second class: its columns, by who reads them
}

// boundFilter is a filter: a program, or a column.
type boundFilter struct {
	program *expr.Program // nil for a column
	column  int           // -1 for a program
	coded   *codedFilter  // nil unless a function of an enum: then neither of the two is looked at
	holds   uint64        // the states of its rows, as Fold.held has them
}

// boundColumn is a column of the wide batch that a program fills, or one that shows another as of its own type.
type boundColumn struct {
	at      int
	program *expr.Program // nil for a column that shows another
	shows   int           // that column
	typ     schema.Type
	scale   int
}

// boundState is a state that folds rows of the source.
type boundState struct {
	state  int
	filter int   // index in filters; -1 = every row
	in     []int // columns of the inputs
}

// newBinding binds a plan whose every term compiles in the scope.
func newBinding(p *Plan, s *scope) *binding {
	b := &binding{src: s.src, rank: s.rank, canonical: p.sourceText(s), width: len(s.src.Fields) + len(s.columns)}
	for i := range p.spec.Entity {
		var at []int
		for _, name := range p.spec.Entity[i].Fields {
			at = append(at, s.src.Index(name))
		}
		b.keys = append(b.keys, at)
	}
	used := p.usedIn(s)
	for i := range s.src.Fields {
		if used[s.src.Fields[i].Name] {
			b.fields = append(b.fields, i)
		}
	}
	evaluated := p.evaluatedIn(s)
	for i, c := range s.columns {
		if evaluated[c.spec.Name] {
			b.columns = append(b.columns, boundColumn{len(s.src.Fields) + i, c.term.program, c.term.field, c.spec.Type, c.spec.Scale})
		}
	}
	filters, inputs := map[string]int{}, map[string]int{}
	for i := range p.states {
		if st := &p.states[i]; st.From == "" || st.From == s.src.Name {
			b.states = append(b.states, b.bindState(s, i, st, filters, inputs))
		}
	}
	b.coded = codeTables(b.filters)
	for i := range b.filters {
		b.filters[i].holds = b.holdsOf(i)
	}
	b.fails = b.canFail()
	b.divide()
	b.markLate(s)
	return b
}

// canFail tells whether a row can be counted as an error.
func (b *binding) canFail() bool {
	return slices.ContainsFunc(b.columns, func(c boundColumn) bool { return c.program != nil && c.program.CanFail() }) ||
		slices.ContainsFunc(b.filters, func(f boundFilter) bool { return f.coded == nil && f.program != nil && f.program.CanFail() })
}

// divide divides the states into classes.
func (b *binding) divide() {
	all, some := &b.classes[0], &b.classes[1]
	for i := range b.states {
		b.whole.add(b, i)
		if b.states[i].filter < 0 {
			all.add(b, i)
		}
	}
	columns := all.columns
	further := map[int]bool{} // filters of states that read what those of all rows do not
	for i := range b.states {
		if st := &b.states[i]; slices.ContainsFunc(st.in, func(at int) bool { return !slices.Contains(columns, at) }) {
			further[st.filter] = true
		}
	}
	for i := range b.states {
		switch st := &b.states[i]; {
		case st.filter < 0:
		case further[st.filter]:
			some.add(b, i)
		default:
			all.add(b, i)
		}
	}
	some.needs = b.needsOf(some)
}

// add makes a state one of the class.
func (c *class) add(b *binding, i int) {
	st := &b.states[i]
	c.states = append(c.states, i)
	for _, at := range st.in {
		if !slices.Contains(c.columns, at) {
			c.columns = append(c.columns, at)
		}
	}
	if st.filter < 0 {
		c.every |= heldBit(st.state)
		return
	}
	for len(c.some)*passBits < len(b.filters) {
		c.some = append(c.some, 0)
	}
	c.some[st.filter/passBits] |= 1 << (st.filter % passBits)
}

// evaluatedIn returns the fields and computed columns that must be in a wide batch: not those that nothing reads but
// filters which are tables of codes.
func (p *Plan) evaluatedIn(s *scope) map[string]bool {
	var names []string
	for i := range p.states {
		for at, t := range s.termsOf(&p.states[i]) {
			if filter := at == 0 && p.states[i].Where != ""; !filter || s.coded(t) == nil {
				names = append(names, t.reads...)
			}
		}
	}
	return s.used(names)
}

// bindState finds or adds the filter and the inputs of a state among those of the states before it.
func (b *binding) bindState(s *scope, i int, st *StatePlan, filters, inputs map[string]int) boundState {
	bound := boundState{state: i, filter: -1}
	if st.Where != "" {
		t := s.terms[st.Where]
		at, ok := filters[t.canonical]
		if !ok {
			at = len(b.filters)
			filters[t.canonical] = at
			b.filters = append(b.filters, boundFilter{program: t.program, column: t.field, coded: s.coded(t)})
		}
		bound.filter = at
	}
	for _, text := range st.Inputs {
		t := s.terms[text]
		at, ok := t.field, t.field >= 0
		if !ok {
			at, ok = inputs[t.canonical]
		}
		if !ok {
			at = b.width
			b.width++
			inputs[t.canonical] = at
			b.columns = append(b.columns, boundColumn{at, t.program, -1, t.input.Type, t.input.Scale})
		}
		bound.in = append(bound.in, at)
	}
	return bound
}

// bind returns the plan's binding to a declaration, which need not be the one it was compiled with: a field added later
// changes no view that does not use it. Errors are of class ErrSpec.
func (p *Plan) bind(src *schema.Source) (*binding, error) {
	rank := p.SourceRank(src.Name)
	if rank < 0 {
		return nil, &Fault{Where: src.Name, Part: "sources", Msg: fmt.Sprintf("view %q does not read source %q", p.spec.Name, src.Name)}
	}
	compiled := p.bindings[rank]
	if src == compiled.src {
		return compiled, nil
	}
	if b := p.latest[rank].Load(); b != nil && src == b.src {
		return b, nil
	}
	s := newScope(src, rank)
	for i := range p.spec.Columns {
		_ = s.addColumn(&p.spec.Columns[i]) // one that fails here is missed below if anything uses it
	}
	for i := range p.states {
		if err := s.compileState(&p.states[i]); err != nil {
			return nil, &Fault{Where: src.Name, Part: "sources", Msg: err.Error(), Cure: "declare what the view uses as when it was made"}
		}
	}
	b := newBinding(p, s)
	if b.canonical != compiled.canonical {
		return nil, &Fault{
			Where: src.Name, Part: "sources", Msg: "the source is declared otherwise than when the view was made: " + difference(compiled.canonical, b.canonical),
			Cure: "a source's fields keep their types; declare a new field",
		}
	}
	invariant.Check(p.deferred == nil || b.defers(p.deferred), "states of %q divided otherwise of another declaration of %s", p.spec.Name, src.Name)
	p.latest[rank].Store(b)
	return b, nil
}

// compileState compiles the terms of a state that reads this source.
func (s *scope) compileState(st *StatePlan) error {
	if st.From != "" && st.From != s.src.Name {
		return nil
	}
	texts := st.Inputs
	if st.Where != "" {
		texts = append([]string{st.Where}, texts...)
	}
	for _, text := range texts {
		if _, err := s.term(text); err != nil {
			return err
		}
	}
	return nil
}

// termsOf returns the compiled terms of a state; none if it does not read this source.
func (s *scope) termsOf(st *StatePlan) []*term {
	if st.From != "" && st.From != s.src.Name {
		return nil
	}
	var all []*term
	if st.Where != "" {
		all = append(all, s.terms[st.Where])
	}
	for _, text := range st.Inputs {
		all = append(all, s.terms[text])
	}
	return all
}

// difference lists the lines that only one of two canonical texts has.
func difference(want, have string) string {
	var lines []string
	for _, side := range []struct{ word, from, other string }{{"without", want, have}, {"with", have, want}} {
		for line := range strings.Lines(side.from) {
			if !strings.Contains("\n"+side.other, "\n"+line) {
				lines = append(lines, side.word+" "+strings.TrimSuffix(line, "\n"))
			}
		}
	}
	return strings.Join(lines, ", ")
}
