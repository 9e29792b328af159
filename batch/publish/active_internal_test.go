package publish

import (
	"errors"
	"testing"

	"github.com/tidemark-io/tidemark/shared/lane"
)

// TestFurthestBehindFirst: lanes to be begun come first, then those that are most runs behind, whatever their numbers and
// generations; a lane that somebody has to mend takes nobody's place.
func TestFurthestBehindFirst(t *testing.T) {
	far, near := &Generation{Runs: make([]Run, 9)}, &Generation{Runs: make([]Run, 2)}
	one := func(g *Generation, n int, action Action, run int64, err error) *work {
		return &work{Follower: Follower{Of: g, N: n, Step: Step{Action: action, Mark: lane.BatchMark{Run: run}}, Err: err}}
	}
	works := []*work{
		one(far, 0, Bring, 9, nil), one(far, 1, Bring, 3, nil), one(far, 2, Nothing, 10, nil), one(far, 3, Bring, 1, errors.New("damaged")),
		one(near, 4, Bring, 1, nil), one(near, 5, Begin, 0, nil), one(far, 6, Bring, 3, nil),
	}
	for most, want := range map[int][]int{0: {}, 1: {5}, 3: {5, 1, 6}, 5: {5, 1, 6, 4, 0}, 9: {5, 1, 6, 4, 0}} {
		got := active(works, most)
		if len(got) != len(want) {
			t.Fatalf("%d of %d lanes", len(got), len(want))
		}
		for i, w := range got {
			if w.N != want[i] {
				t.Errorf("of at most %d lanes number %d is lane %d, want %d", most, i, w.N, want[i])
			}
		}
	}
}

// TestUnbegunLaneKeepsFiles: a process that knows of fewer runs may be beginning the lane, at bases that this one no longer
// needs. Were their files deleted, the lane would be begun once more, and what it held go back.
func TestUnbegunLaneKeepsFiles(t *testing.T) {
	g := &Generation{Lanes: 1, BasesFrom: 3, Lowest: 1, Runs: []Run{{Rows: []int64{5}}, {Rows: []int64{5}}, {Rows: []int64{5}}}}
	w := &work{Follower: Follower{Of: g}}
	w.Observe(lane.Marks{})
	s := Status{Run: g.Last() + 1}
	s.add(g, 0, w)
	if s.Run != 1 || s.RowsLeft != 5 || s.Empty != 1 {
		t.Errorf("%+v: want files from run 1 on kept, and the rows of run 3 to come", s)
	}
}
