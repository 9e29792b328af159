package expr

import (
	"bytes"
	"slices"
)

// order is a comparison, made of two base loops: swap the operands, and negate the outcome.
type order struct {
	equality     bool // ==, otherwise <
	swap, negate bool
}

var orders = map[op]order{
	opEq: {equality: true}, opNe: {equality: true, negate: true},
	opLt: {}, opGt: {swap: true}, opLe: {swap: true, negate: true}, opGe: {negate: true},
}

// fix replaces the outcome of rows that are not present in both operands. For == and !=, null is a value.
func (o order) fix(out []truth, a, b []state) {
	if a == nil && b == nil {
		return
	}
	at := func(s []state, i int) state {
		if s == nil {
			return present
		}
		return s[i]
	}
	for i := range out {
		x, y := at(a, i), at(b, i)
		worst := max(x, y)
		switch {
		case worst == present:
		case worst == null && o.equality:
			out[i] = truthOf((x == y) != o.negate)
		default:
			out[i] = without(worst.strict())
		}
	}
}

type compareInts struct {
	order
	a, b intKernel
	out  [chunkRows]truth
}

func (k *compareInts) truths(w rows) []truth {
	a, b := k.a.ints(w), k.b.ints(w)
	if k.swap {
		a, b = b, a
	}
	out := k.out[:len(a.v)]
	if k.equality {
		equalInts(out, a.v, b.v)
	} else {
		lessInts(out, a.v, b.v)
	}
	if k.negate {
		flip(out)
	}
	k.fix(out, a.state, b.state)
	return out
}

func equalInts(out []truth, a, b []int64) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		var t truth
		if a[i] == b[i] {
			t = isTrue
		}
		out[i] = t
	}
}

func lessInts(out []truth, a, b []int64) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		var t truth
		if a[i] < b[i] {
			t = isTrue
		}
		out[i] = t
	}
}

func flip(out []truth) {
	for i := range out {
		out[i] ^= isTrue
	}
}

type compareTexts struct {
	order
	a, b textKernel
	out  [chunkRows]truth
}

func (k *compareTexts) truths(w rows) []truth {
	a, b := k.a.texts(w), k.b.texts(w)
	if k.swap {
		a, b = b, a
	}
	out := k.out[:len(a.v)]
	for i := range out {
		if k.equality {
			out[i] = truthOf(bytes.Equal(a.v[i], b.v[i]))
		} else {
			out[i] = truthOf(bytes.Compare(a.v[i], b.v[i]) < 0)
		}
	}
	if k.negate {
		flip(out)
	}
	k.fix(out, a.state, b.state)
	return out
}

// affix is startsWith, endsWith and contains with an argument that is not a literal.
type affix struct {
	test func(s, part []byte) bool
	a, b textKernel
	out  [chunkRows]truth
}

func (k *affix) truths(w rows) []truth {
	a, b := k.a.texts(w), k.b.texts(w)
	out := k.out[:len(a.v)]
	for i := range out {
		out[i] = truthOf(k.test(a.v[i], b.v[i]))
	}
	order{}.fix(out, a.state, b.state)
	return out
}

// nullTest is x == null, and != null where negated.
type nullTest struct {
	of     func(w rows) []state // states of x, nil if all are present
	negate bool
	out    [chunkRows]truth
}

func (k *nullTest) truths(w rows) []truth {
	out := k.out[:w.n]
	states := k.of(w)
	for i := range out {
		s := present
		if states != nil {
			s = states[i]
		}
		if s > null {
			out[i] = without(s)
			continue
		}
		out[i] = truthOf((s == null) != k.negate)
	}
	return out
}

// inInts is a search in sorted literals.
type inInts struct {
	in  intKernel
	set []int64
	out [chunkRows]truth
}

func (k *inInts) truths(w rows) []truth {
	in := k.in.ints(w)
	out := k.out[:len(in.v)]
	for i, v := range in.v {
		_, found := slices.BinarySearch(k.set, v)
		out[i] = truthOf(found)
	}
	for i, s := range in.state {
		out[i] = inState(out[i], s)
	}
	return out
}

// inState corrects a search's outcome by the subject's state: null is in no list.
func inState(found truth, s state) truth {
	switch s {
	case present:
		return found
	case null:
		return isFalse
	default:
		return without(s)
	}
}
