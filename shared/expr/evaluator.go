package expr

import (
	"slices"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/invariant"
)

// chunkRows is how many rows a kernel works on at a time: vectors of this length stay in the processor's first caches. A
// multiple of 8, so that a chunk begins at a whole byte of a bitmap.
const chunkRows = 1024

// rows is the chunk under evaluation.
type rows struct {
	batch *column.Batch
	from  int // a multiple of chunkRows
	n     int // 1 to chunkRows
}

// The kernels form a tree, one type for each kind of vector. A returned vector has rows.n elements and is valid until
// the kernel is called again; it may be memory of the batch and must not be written to.
type (
	truthKernel interface{ truths(w rows) []truth }
	intKernel   interface{ ints(w rows) ints }
	textKernel  interface{ texts(w rows) texts }
)

// Evaluator runs a program over batches. It owns the vectors in between, so it is not safe for concurrent use; make one
// for each goroutine.
type Evaluator struct {
	truth truthKernel // one of the three is set
	int   intKernel
	text  textKernel
	begin []func(*column.Batch) // what kernels prepare once a batch
	state [chunkRows]state
	errs  int64
	plain bool // one kernel for each operator, as the tables of kernels for several are made from
}

// NewEvaluator returns an evaluator with memory of its own.
func (p *Program) NewEvaluator() *Evaluator {
	e := &Evaluator{}
	switch p.root.kind {
	case kindTruth:
		e.truth = e.buildTruth(p.root)
	case kindInt:
		e.int = e.buildInt(p.root)
	default:
		e.text = e.buildText(p.root)
	}
	return e
}

// Errors returns the number of accepted rows, over all batches so far, that are null because an integer overflowed or
// was divided by zero.
func (e *Evaluator) Errors() int64 { return e.errs }

// Eval fills out with one value a row of the batch, rejected rows included (their fields are all null). Columns of the
// batch beyond the source's fields are the computed ones, in the order they were added to the Env. What out held is
// dropped, its memory is used again. It must be a column of bytes for a String, JSON or Enum, and one of fixed width
// for all else; ints of whatever meaning share one form, so a column declared as Decimal can take an Int64's values.
func (e *Evaluator) Eval(b *column.Batch, out *column.Column) {
	invariant.Check(out.Type.IsBytes() == (e.text != nil), "evaluating into a column of type %s", out.Type)
	out.Reset()
	for _, f := range e.begin {
		f(b)
	}
	for from := 0; from < b.N; from += chunkRows {
		w := rows{batch: b, from: from, n: min(chunkRows, b.N-from)}
		switch {
		case e.truth != nil:
			e.emitTruths(w, out)
		case e.int != nil:
			e.emitInts(w, out)
		default:
			e.emitTexts(w, out)
		}
	}
}

func (e *Evaluator) emitTruths(w rows, out *column.Column) {
	in := e.truth.truths(w)
	base := len(out.Ints)
	out.Ints = slices.Grow(out.Ints, len(in))[:base+len(in)]
	values := out.Ints[base:][:len(in)]
	var seen truth
	for i, t := range in {
		values[i] = int64(t & isTrue)
		seen |= t
	}
	if seen <= isTrue {
		finishPresent(w, out)
		return
	}
	states := e.state[:len(in)]
	for i, t := range in {
		states[i], values[i] = t.state(), t.value()
	}
	e.finish(w, states, out)
}

func (e *Evaluator) emitInts(w rows, out *column.Column) {
	in := e.int.ints(w)
	base := len(out.Ints)
	out.Ints = append(out.Ints, in.v...)
	if in.state == nil {
		finishPresent(w, out)
		return
	}
	values := out.Ints[base:][:len(in.state)]
	for i, s := range in.state {
		values[i] &= int64(s.absent()) - 1
	}
	e.finish(w, in.state, out)
}

func (e *Evaluator) emitTexts(w rows, out *column.Column) {
	in := e.text.texts(w)
	for i, v := range in.v {
		if in.at(i) == present {
			out.AppendBytes(v)
		} else {
			out.AppendNull()
		}
	}
	if in.state != nil {
		e.count(w, in.state)
	}
}

// finishPresent writes that all rows of a chunk are present.
func finishPresent(w rows, out *column.Column) {
	out.N += w.n
	for range w.n / 8 {
		out.Valid = append(out.Valid, 0xff)
	}
	if rest := w.n & 7; rest != 0 {
		out.Valid = append(out.Valid, 1<<rest-1)
	}
}

// finish writes the presence of a chunk of fixed-width values and counts its errors.
func (e *Evaluator) finish(w rows, states []state, out *column.Column) {
	out.N += w.n
	all := states
	var failures uint64
	for ; len(states) >= 8; states = states[8:] {
		eight := newStateWord(states)
		out.Valid, failures = append(out.Valid, eight.valid()), failures|eight.failures()
	}
	if len(states) > 0 {
		last := [8]state{null, null, null, null, null, null, null, null} // the bits behind the last row are 0
		copy(last[:], states)
		eight := newStateWord(last[:])
		out.Valid, failures = append(out.Valid, eight.valid()), failures|eight.failures()
	}
	if failures != 0 {
		e.count(w, all)
	}
}

func (e *Evaluator) count(w rows, states []state) {
	var seen state
	for _, s := range states {
		seen |= s
	}
	if seen < failed { // failed is 3, and missing|null too: then the loop below decides
		return
	}
	reject := w.batch.Reject[w.from : w.from+w.n]
	for i, s := range states {
		if s == failed && reject[i] == 0 {
			e.errs++
		}
	}
}
