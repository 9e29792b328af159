package view

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestSubsets compares which rows have a need, and where they stand among those that have, with a walk over all rows.
func TestSubsets(t *testing.T) {
	some, all := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		n := need{mask: make([]passWord, rapid.IntRange(1, 3).Draw(t, "words"))}
		rows := rapid.SliceOfN(rapid.Int32(), 1, 300).Draw(t, "rows")
		passes := make([][]passWord, len(n.mask))
		word := rapid.SampledFrom([]passWord{0, 0, 0, 1, 2, 3})
		for i := range passes {
			n.mask[i] = word.Draw(t, "mask")
			passes[i] = rapid.SliceOfN(word, len(rows), len(rows)).Draw(t, "passes")
		}
		var wanted, places []int32
		for row := range rows {
			has := false
			for i, words := range passes {
				has = has || words[row]&n.mask[i] != 0
			}
			if has {
				wanted, places = append(wanted, rows[row]), append(places, int32(row))
			}
		}
		before := []int32{7}
		words, mask := n.words(passes, len(rows), new([]passWord))
		s, needed, list := subsetOf(words, mask, rows, before)
		if !slices.Equal(list[:1], before) {
			t.Fatalf("what was listed before is %v", list[:1])
		}
		if 2*len(wanted) > len(rows) {
			all++
			if s.words != nil || &needed[0] != &rows[0] || len(list) != 1 {
				t.Fatalf("%d of %d rows need it, and %d are packed", len(wanted), len(rows), len(needed))
			}
			return
		}
		some++
		if !slices.Equal(needed, wanted) || !slices.Equal(list[1:], wanted) {
			t.Fatalf("%v need it, not %v; listed are %v", wanted, needed, list)
		}
		for i, row := range places {
			if s.at(row) != int32(i) {
				t.Fatalf("row %d is the %d. that needs it, not the %d.", row, i, s.at(row))
			}
		}
	})
	if some == 0 || all == 0 {
		t.Errorf("%d subsets, %d of all rows: the test has lost its point", some, all)
	}
}

// TestNeeds checks which columns of the second class belong together: those that the same filters' states read.
func TestNeeds(t *testing.T) {
	b := &binding{states: []boundState{{filter: 0, in: []int{4, 5}}, {filter: passBits + 1, in: []int{5, 6, 7}}, {filter: 0, in: []int{8}}}, filters: make([]boundFilter, passBits+2)}
	c := &class{}
	for i := range b.states {
		c.add(b, i)
	}
	want := []struct {
		columns []int
		mask    []passWord
	}{{[]int{4, 8}, []passWord{1, 0}}, {[]int{5}, []passWord{1, 2}}, {[]int{6, 7}, []passWord{0, 2}}}
	needs := b.needsOf(c)
	if len(needs) != len(want) {
		t.Fatalf("%d needs: %+v", len(needs), needs)
	}
	for i, n := range needs {
		var columns []int
		for _, at := range n.columns {
			columns = append(columns, c.columns[at])
		}
		if !slices.Equal(columns, want[i].columns) || !slices.Equal(n.mask, want[i].mask) {
			t.Errorf("columns %v of filters %b, want %v of %b", columns, n.mask, want[i].columns, want[i].mask)
		}
	}
}
