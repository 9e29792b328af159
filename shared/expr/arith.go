package expr

import (
	"math"
	"math/bits"
	"unicode/utf8"
)

type intConst struct{ out [chunkRows]int64 }

func (k *intConst) ints(w rows) ints { return ints{v: k.out[:w.n]} }

// nullInts is the literal null where an int may stand.
type nullInts struct {
	out    [chunkRows]int64
	states [chunkRows]state
}

func (k *nullInts) ints(w rows) ints { return ints{v: k.out[:w.n], state: k.states[:w.n]} }

type intField struct {
	col    int
	states [chunkRows]state
}

func (k *intField) ints(w rows) ints {
	c := &w.batch.Cols[k.col]
	return ints{v: c.Ints[w.from : w.from+w.n], state: loadStates(&k.states, c, w)}
}

// arith is an operator on two ints. It tries the whole chunk without checks first; fast fills out and tells whether no
// row can have overflowed. Only if one may have, checked works row by row.
type arith struct {
	fast    func(out, a, b []int64) bool
	checked func(a, b int64) (int64, bool)
	a, b    intKernel
	out     [chunkRows]int64
	states  [chunkRows]state
}

func (k *arith) ints(w rows) ints {
	a, b := k.a.ints(w), k.b.ints(w)
	out := ints{v: k.out[:w.n], state: strictStates(&k.states, a.state, b.state)}
	if k.fast(out.v, a.v, b.v) {
		return out
	}
	if out.state == nil {
		out.state = k.states[:w.n]
		clear(out.state)
	}
	for i := range out.v {
		if out.state[i] != present {
			continue
		}
		var ok bool
		if out.v[i], ok = k.checked(a.v[i], b.v[i]); !ok {
			out.state[i] = failed
		}
	}
	return out
}

// An overflow of + shows in the sign: both operands have one, the sum the other.
func addFast(out, a, b []int64) bool {
	a, b = a[:len(out)], b[:len(out)]
	var sign int64
	for i := range out {
		s := a[i] + b[i]
		sign |= (a[i] ^ s) & (b[i] ^ s)
		out[i] = s
	}
	return sign >= 0
}

func addChecked(a, b int64) (int64, bool) {
	s := a + b
	return s, (a^s)&(b^s) >= 0
}

func subFast(out, a, b []int64) bool {
	a, b = a[:len(out)], b[:len(out)]
	var sign int64
	for i := range out {
		s := a[i] - b[i]
		sign |= (a[i] ^ b[i]) & (a[i] ^ s)
		out[i] = s
	}
	return sign >= 0
}

func subChecked(a, b int64) (int64, bool) {
	s := a - b
	return s, (a^b)&(a^s) >= 0
}

// Where all factors fit in 32 bits, no product overflows.
func mulFast(out, a, b []int64) bool {
	a, b = a[:len(out)], b[:len(out)]
	var wide uint64
	for i := range out {
		wide |= uint64(a[i]+1<<31) | uint64(b[i]+1<<31)
		out[i] = a[i] * b[i]
	}
	return wide>>32 == 0
}

func mulChecked(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	// As signed numbers, the upper half must be the sign of the lower one.
	high := int64(hi) - (a>>63)&b - (b>>63)&a
	return int64(lo), high == int64(lo)>>63
}

// A division is slow enough that checking each row costs nothing.
func neverFast(_, _, _ []int64) bool { return false }

func divChecked(a, b int64) (int64, bool) {
	if b == 0 || a == math.MinInt64 && b == -1 {
		return 0, false
	}
	return a / b, true
}

func modChecked(a, b int64) (int64, bool) {
	if b == 0 || a == math.MinInt64 && b == -1 {
		return 0, false
	}
	return a % b, true
}

type pickInts struct {
	c      truthKernel
	a, b   intKernel
	out    [chunkRows]int64
	states [chunkRows]state
}

func (k *pickInts) ints(w rows) ints {
	c, a, b := k.c.truths(w), k.a.ints(w), k.b.ints(w)
	out := ints{v: k.out[:len(c)]}
	if a.state == nil && b.state == nil && pickPresent(out.v, c, a.v, b.v) {
		return out
	}
	out.state = k.states[:len(c)]
	for i, t := range c {
		switch t {
		case isTrue:
			out.v[i], out.state[i] = a.v[i], a.at(i)
		case isFalse:
			out.v[i], out.state[i] = b.v[i], b.at(i)
		default:
			out.v[i], out.state[i] = 0, t.state().strict()
		}
	}
	return out
}

// pickPresent fills out and tells whether every condition is true or false, so that every row has a value.
func pickPresent(out []int64, c []truth, a, b []int64) bool {
	a, b, out = a[:len(c)], b[:len(c)], out[:len(c)]
	var seen truth
	for i, t := range c {
		v := b[i]
		if t == isTrue {
			v = a[i]
		}
		out[i] = v
		seen |= t
	}
	return seen <= isTrue
}

// size counts code points.
type size struct {
	in     textKernel
	out    [chunkRows]int64
	states [chunkRows]state
}

func (k *size) ints(w rows) ints {
	in := k.in.texts(w)
	out := ints{v: k.out[:len(in.v)], state: strictStates(&k.states, in.state, nil)}
	for i, v := range in.v {
		out.v[i] = int64(utf8.RuneCount(v))
	}
	return out
}
