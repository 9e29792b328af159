package expr

import (
	mathbits "math/bits"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// maxByCode bounds the codes for which a table is made.
const maxByCode = 1024

// enumOf returns the one field that n reads if that is an enum, and says whether there is such a field.
func (n *node) enumOf() (field *node, ok bool) {
	for _, a := range n.args {
		f, ok := a.enumOf()
		switch {
		case ok && (field == nil || field.field == f.field):
			field = f
		case ok || !a.isClosed():
			return nil, false
		}
	}
	if n.isEnum() {
		field = n
	}
	return field, field != nil
}

// isClosed tells whether n reads no field.
func (n *node) isClosed() bool {
	if n.op == opField {
		return false
	}
	for _, a := range n.args {
		if !a.isClosed() {
			return false
		}
	}
	return true
}

// byCode is a function of an enum: what an expression that reads one such field, and nothing else, yields for each of its
// codes, and last for null. It is asked of the ordinary kernels when the evaluator is made, whatever the expression is.
type byCode struct {
	col    int
	values []int64
	truths []truth
	states []state
	plain  bool // no code but null has a state other than present
	codes  [chunkRows]int64
}

// newByCode returns the table of a node that yields truths or ints, nil if it is no function of one enum.
func (e *Evaluator) newByCode(n *node) *byCode {
	field, ok := n.enumOf()
	if e.plain || !ok || n.op == opField || len(field.enum) >= maxByCode {
		return nil
	}
	t := &byCode{col: field.field, plain: true}
	batch := &column.Batch{Cols: make([]column.Column, field.field+1), N: len(field.enum) + 1}
	c := &batch.Cols[field.field]
	*c = column.NewColumn(schema.Enum, 0)
	for code := range field.enum {
		c.AppendInt(int64(code))
	}
	c.AppendNull()
	w, plain := rows{batch: batch, n: batch.N}, &Evaluator{plain: true}
	if n.kind == kindTruth {
		t.truths = append(t.truths, plain.buildTruth(n).truths(w)...)
		return t
	}
	v := plain.buildInt(n).ints(w)
	t.values = append(t.values, v.v...)
	for code := range t.values {
		t.states = append(t.states, v.at(code))
		t.plain = t.plain && (code == len(field.enum) || v.at(code) == present)
	}
	return t
}

// load returns the codes of the chunk, that of null for rows without one.
func (t *byCode) load(w rows, codes int) (of []int64, nulls bool) {
	c := &w.batch.Cols[t.col]
	in := c.Ints[w.from : w.from+w.n]
	bitmap := c.Valid[w.from/8 : (w.from+w.n+7)/8]
	if allSet(bitmap, w.n) {
		return in, false
	}
	of = t.codes[:len(in)]
	copy(of, in)
	for at, bits := range bitmap {
		for lacks := ^bits; lacks != 0; lacks &= lacks - 1 { // mostly none
			if i := 8*at + mathbits.TrailingZeros8(lacks); i < len(of) {
				of[i] = int64(codes - 1)
			}
		}
	}
	return of, true
}

type truthByCode struct {
	byCode
	out [chunkRows]truth
}

func (k *truthByCode) truths(w rows) []truth {
	codes, _ := k.load(w, len(k.byCode.truths))
	out := k.out[:len(codes)]
	for i, code := range codes {
		out[i] = k.byCode.truths[code]
	}
	return out
}

type intByCode struct {
	byCode
	out    [chunkRows]int64
	states [chunkRows]state
}

func (k *intByCode) ints(w rows) ints {
	codes, nulls := k.load(w, len(k.values))
	out := ints{v: k.out[:len(codes)]}
	for i, code := range codes {
		out.v[i] = k.values[code]
	}
	if k.plain && !nulls {
		return out
	}
	out.state = k.states[:len(codes)]
	for i, code := range codes {
		out.state[i] = k.byCode.states[code]
	}
	return out
}
