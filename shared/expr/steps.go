package expr

import (
	"math"
	"slices"
)

// steps is a ladder of comparisons of one int with ascending literals, `x < 3 ? a : x < 5 ? b : c`, whose results are
// literals too: how many edges are not above x tells the result at once.
type steps struct {
	in     intKernel
	edges  []int64 // 1, 3, 7 … of them: repeated at the end are the largest int, which changes nothing
	values []int64 // one more; repeated at the end is the last
	out    [chunkRows]int64
	states [chunkRows]state
}

// minSteps is the number of comparisons from which on a ladder is worth a kernel of its own.
const minSteps = 2

// newSteps returns the kernel of a ladder, nil if n is none.
func (e *Evaluator) newSteps(n *node) intKernel {
	k := &steps{}
	var subject *node
	for ; n.op == opPick; n = n.args[2] {
		less, value := n.args[0], n.args[1]
		if less.op != opLt || less.args[0].op != opField || less.args[0].kind != kindInt || !less.args[1].isConst() || !value.isConst() {
			return nil
		}
		if subject != nil && subject.field != less.args[0].field {
			return nil
		}
		subject = less.args[0]
		k.edges, k.values = append(k.edges, less.args[1].num), append(k.values, value.num)
	}
	if e.plain || len(k.edges) < minSteps || !n.isConst() || n.kind != kindInt || !slices.IsSorted(k.edges) {
		return nil
	}
	k.values = append(k.values, n.num)
	for len(k.values)&(len(k.values)-1) != 0 {
		k.edges, k.values = append(k.edges, math.MaxInt64), append(k.values, n.num)
	}
	k.in = e.buildInt(subject)
	return k
}

func (k *steps) ints(w rows) ints {
	in := k.in.ints(w)
	out := ints{v: k.out[:len(in.v)], state: strictStates(&k.states, in.state, nil)}
	edges, values, v := k.edges, k.values, out.v[:len(in.v)]
	half := len(values) / 2
	for i, x := range in.v {
		at := 0
		// As many halvings for each x, none of which jumps: where x lies is beyond what a processor guesses.
		for step := half; step > 0; step >>= 1 {
			next := at + step
			if x >= edges[next-1] {
				at = next
			}
		}
		v[i] = values[at]
	}
	return out
}
