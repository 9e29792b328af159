package expr

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidemark-io/tidemark/shared/column"
)

// TestStatesTogether compares what is asked of eight states at once, and of one without a jump, with asking each in turn.
func TestStatesTogether(t *testing.T) {
	for code := range 1 << 16 { // two bits a state: all there are
		var eight [8]state
		valid, fails := byte(0), false
		for i := range eight {
			s := state(code >> (2 * i) & 3)
			eight[i] = s
			if s == present {
				valid |= 1 << i
			}
			if fails = fails || s == failed; (s.absent() == 0) != (s == present) {
				t.Fatalf("state %d: absent %d", s, s.absent())
			}
		}
		w := newStateWord(eight[:])
		if w.valid() != valid || w.failures() != 0 != fails {
			t.Fatalf("%v: bits %08b, want %08b; failures %x, want any: %t", eight, w.valid(), valid, w.failures(), fails)
		}
	}
}

// TestFinish compares the bitmap and the count of chunks of any length, also of rejected rows, with asking row by row.
func TestFinish(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for n := range 70 {
		w := rows{batch: &column.Batch{Reject: make([]uint8, n+1)}, n: n + 1}
		states, want := make([]state, n+1), int64(0)
		for i := range states {
			states[i], w.batch.Reject[i] = state(r.IntN(4)), uint8(r.IntN(2))
			if states[i] == failed && w.batch.Reject[i] == 0 {
				want++
			}
		}
		e, out := &Evaluator{}, column.Column{}
		e.finish(w, states, &out)
		if e.errs != want || len(out.Valid) != n/8+1 {
			t.Fatalf("%d rows: %d errors, want %d; %d bytes of bits", n+1, e.errs, want, len(out.Valid))
		}
		for i := range 8 * len(out.Valid) {
			if got := out.Valid[i/8]>>(i%8)&1 == 1; got != (i <= n && states[i] == present) {
				t.Fatalf("%d rows: bit %d is %t", n+1, i, got)
			}
		}
	}
}

// TestSteps compares ladders of all lengths, with edges that repeat and are the largest int, with counting edges.
func TestSteps(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	ends := []int64{math.MinInt64, math.MaxInt64 - 1, math.MaxInt64}
	number := func() int64 {
		if r.IntN(8) == 0 {
			return ends[r.IntN(len(ends))]
		}
		return r.Int64N(40)
	}
	x := &node{op: opField, kind: kindInt, name: "x"}
	literal := func(v int64) *node { return &node{op: opConst, kind: kindInt, num: v} }
	for length := minSteps; length < 40; length++ {
		edges := make([]int64, length)
		for i := range edges {
			edges[i] = number()
		}
		slices.Sort(edges)
		ladder := literal(int64(length))
		for i, edge := range slices.Backward(edges) {
			less := &node{op: opLt, kind: kindTruth, args: []*node{x, literal(edge)}}
			ladder = &node{op: opPick, kind: kindInt, args: []*node{less, literal(int64(i)), ladder}}
		}
		k := (&Evaluator{}).newSteps(ladder)
		if k == nil {
			t.Fatalf("%d comparisons are no ladder", length)
		}
		c := column.Column{N: 100}
		for range c.N {
			c.Ints = append(c.Ints, number())
		}
		c.Valid = slices.Repeat([]byte{0xff}, c.N/8+1)
		c.Valid[c.N/8] = 1<<(c.N%8) - 1
		got := k.ints(rows{batch: &column.Batch{N: c.N, Cols: []column.Column{c}}, n: c.N}).v
		for i, v := range c.Ints {
			want := int64(0)
			for _, edge := range edges {
				if v >= edge {
					want++
				}
			}
			if got[i] != want {
				t.Fatalf("%d of %v: step %d, want %d", v, edges, got[i], want)
			}
		}
	}
}
