package expr

import "github.com/tidemark-io/tidemark/shared/column"

// ints is a vector of ints. A nil state means that all rows are present: most columns have no nulls in a chunk, and
// then no kernel looks at states at all. Rows that are not present hold whatever.
type ints struct {
	v     []int64
	state []state
}

// texts is a vector of strings, like ints.
type texts struct {
	v     [][]byte
	state []state
}

func (x texts) at(i int) state {
	if x.state == nil {
		return present
	}
	return x.state[i]
}

func (x ints) at(i int) state {
	if x.state == nil {
		return present
	}
	return x.state[i]
}

// spread holds the eight states of each byte of a presence bitmap.
var spread = func() (out [256][8]state) {
	for bits := range out {
		for i := range 8 {
			if bits>>i&1 == 0 {
				out[bits][i] = null
			}
		}
	}
	return out
}()

// loadStates returns the states of a column's chunk, in buf, or nil if all rows are present.
func loadStates(buf *[chunkRows]state, c *column.Column, w rows) []state {
	bitmap := c.Valid[w.from/8 : (w.from+w.n+7)/8]
	if allSet(bitmap, w.n) {
		return nil
	}
	for i, bits := range bitmap {
		*(*[8]state)(buf[8*i:]) = spread[bits]
	}
	return buf[:w.n]
}

func allSet(bitmap []byte, n int) bool {
	for _, bits := range bitmap[:n/8] {
		if bits != 0xff {
			return false
		}
	}
	rest := byte(1)<<(n&7) - 1
	return rest == 0 || bitmap[n/8] == rest
}

// strictStates returns the states of an operator's result before it is computed, in buf; nil if both operands are all
// present.
func strictStates(buf *[chunkRows]state, a, b []state) []state {
	switch {
	case a == nil && b == nil:
		return nil
	case a == nil:
		a, b = b, nil
	}
	out := buf[:len(a)]
	if b == nil {
		for i, s := range a {
			out[i] = s.strict()
		}
		return out
	}
	b = b[:len(a)]
	for i := range a {
		out[i] = max(a[i], b[i]).strict()
	}
	return out
}
