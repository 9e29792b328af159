package expr

import "github.com/tidemark-io/tidemark/shared/column"

type textConst struct{ out [chunkRows][]byte }

func (k *textConst) texts(w rows) texts { return texts{v: k.out[:w.n]} }

// nullTexts is the literal null where a string may stand.
type nullTexts struct {
	out    [chunkRows][]byte
	states [chunkRows]state
}

func (k *nullTexts) texts(w rows) texts { return texts{v: k.out[:w.n], state: k.states[:w.n]} }

// textField lists the values of a String or JSON column.
type textField struct {
	col    int
	out    [chunkRows][]byte
	states [chunkRows]state
}

func (k *textField) texts(w rows) texts {
	c := &w.batch.Cols[k.col]
	out := texts{v: k.out[:w.n], state: loadStates(&k.states, c, w)}
	if out.state == nil {
		for i := range out.v {
			out.v[i] = c.BytesAt(w.from + i)
		}
		return out
	}
	for i := range out.v {
		out.v[i] = nil
		if out.state[i] == present { // the dictionary code of a null row may be anything
			out.v[i] = c.BytesAt(w.from + i)
		}
	}
	return out
}

// enumField spells the codes of an Enum column.
type enumField struct {
	col    int
	values [][]byte
	out    [chunkRows][]byte
	states [chunkRows]state
}

func (k *enumField) texts(w rows) texts {
	c := &w.batch.Cols[k.col]
	out := texts{v: k.out[:w.n], state: loadStates(&k.states, c, w)}
	for i, code := range c.Ints[w.from : w.from+w.n] {
		out.v[i] = k.values[code]
	}
	return out
}

type pickTexts struct {
	c      truthKernel
	a, b   textKernel
	out    [chunkRows][]byte
	states [chunkRows]state
}

func (k *pickTexts) texts(w rows) texts {
	c, a, b := k.c.truths(w), k.a.texts(w), k.b.texts(w)
	out := texts{v: k.out[:len(c)], state: k.states[:len(c)]}
	for i, t := range c {
		switch t {
		case isTrue:
			out.v[i], out.state[i] = a.v[i], a.at(i)
		case isFalse:
			out.v[i], out.state[i] = b.v[i], b.at(i)
		default:
			out.v[i], out.state[i] = nil, t.state().strict()
		}
	}
	return out
}

// A predicate is a test of a string against literals. Where the string is a field with codes (an Enum, or a String held
// as a dictionary), it is asked once for each code and not for each row.
type predicate struct {
	holds func(v []byte) bool
	null  truth // the outcome for null
}

func (p *predicate) missing(s state) truth {
	if s == null {
		return p.null
	}
	return without(s)
}

// matchTexts asks a predicate for each row of any string vector.
type matchTexts struct {
	predicate
	in  textKernel
	out [chunkRows]truth
}

func (k *matchTexts) truths(w rows) []truth {
	in := k.in.texts(w)
	out := k.out[:len(in.v)]
	for i, v := range in.v {
		if s := in.at(i); s != present {
			out[i] = k.missing(s)
			continue
		}
		out[i] = truthOf(k.holds(v))
	}
	return out
}

// matchEnum looks up codes in a table made when the expression was.
type matchEnum struct {
	predicate
	col    int
	table  []truth
	out    [chunkRows]truth
	states [chunkRows]state
}

func (k *matchEnum) truths(w rows) []truth {
	c := &w.batch.Cols[k.col]
	out := k.out[:w.n]
	for i, code := range c.Ints[w.from : w.from+w.n] {
		out[i] = k.table[code]
	}
	for i, s := range loadStates(&k.states, c, w) {
		if s != present {
			out[i] = k.null
		}
	}
	return out
}

// matchField asks a predicate of a String column: by code if the column has a dictionary not larger than the batch.
type matchField struct {
	predicate
	col    int
	table  []truth // by code; empty if this batch has no dictionary
	out    [chunkRows]truth
	states [chunkRows]state
}

// begin prepares the table for a batch.
func (k *matchField) begin(b *column.Batch) {
	c := &b.Cols[k.col]
	k.table = k.table[:0]
	if values := len(c.Offsets) - 1; c.Index != nil && values <= b.N {
		for i := range values {
			k.table = append(k.table, truthOf(k.holds(c.Bytes[c.Offsets[i]:c.Offsets[i+1]])))
		}
	}
}

func (k *matchField) truths(w rows) []truth {
	c := &w.batch.Cols[k.col]
	out := k.out[:w.n]
	states := loadStates(&k.states, c, w)
	for i := range out {
		switch {
		case states != nil && states[i] != present:
			out[i] = k.null
		case len(k.table) > 0:
			out[i] = k.table[c.Index[w.from+i]]
		default:
			out[i] = truthOf(k.holds(c.BytesAt(w.from + i)))
		}
	}
	return out
}
