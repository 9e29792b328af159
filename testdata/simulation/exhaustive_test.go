package simulation

import (
	"flag"
	"testing"
)

var depth = flag.Int("depth", 7, "of how many choices TestExhaustive looks at every course")

// one is the smallest world: one lane, one partition, one entity.
var one = Config{Lanes: 1, Entities: 1, Partitions: 1, Period: 2}

// smalls are the small worlds.
var smalls = map[string]*Small{
	"two workers, a store that loses and repeats": {
		Config: one, First: withEvents(3), Menu: []Choice{
			{Do: Fetch, C: 1},
			{Do: Fetch, A: 1, C: 2},
			{Do: Flush},
			{Do: Flush, A: 1},
			{Do: Exchange},
			{Do: Exchange, A: 1},
			{Do: Exchange, C: uint8(Hold)},
			{Do: Exchange, A: 1, C: uint8(LoseReply)},
			{Do: ReadMarks},
			{Do: ReadMarks, A: 1},
			{Do: Late},
			{Do: LoseSuffix},
			{Do: Crash, C: 1},
		},
	},
	"a worker, a run, and lanes begun again": {
		Config: one, First: withEvents(3), Menu: []Choice{
			{Do: Fetch, C: 2},
			{Do: Flush},
			{Do: Exchange},
			{Do: ReadMarks},
			{Do: Archive, B: 2},
			{Do: Tick},
			{Do: Plan},
			{Do: Move},
			{Do: Move, C: uint8(Hold)},
			{Do: Late},
			{Do: EmptyOne},
			{Do: LoseSuffix},
			{Do: LookUp},
			{Do: Answer},
		},
	},
	"two processes of batch": {
		Config: one, First: append(withEvents(4), Choice{Do: Archive}, Choice{Do: Open, A: 1}), Menu: []Choice{
			{Do: Open},
			{Do: Open, A: 1},
			{Do: Tick},
			{Do: Tick, A: 1},
			{Do: Plan},
			{Do: Plan, A: 1},
			{Do: Move},
			{Do: Move, A: 1},
			{Do: Move, C: uint8(Hold)},
			{Do: Late},
			{Do: Archive},
			{Do: Clean},
			{Do: Clean, A: 1},
			{Do: Unmark},
			{Do: Die, C: 1},
		},
	},
}

// withEvents is a world at work in which so many events have come.
func withEvents(n int) []Choice {
	all := prelude(one, 0)
	for range n {
		all = append(all, Choice{Do: Append})
	}
	return all
}

// TestExhaustive looks at every course of the small worlds.
func TestExhaustive(t *testing.T) {
	t.Parallel()
	for name, small := range smalls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := New().Explore(small, *depth)
			t.Logf("all %d states of %d choices, in %d steps", e.States, *depth, e.Steps)
			if e.Broken != nil {
				t.Errorf("%s\n%s", e.Law, &Case{Config: small.Config, Choices: e.Broken})
			}
			if e.States < 100 {
				t.Errorf("it has only %d states: it looks at nothing", e.States)
			}
		})
	}
}

// TestExhaustiveFinds sees that looking at every course finds what a rule is for, and the shortest course to it.
func TestExhaustiveFinds(t *testing.T) {
	t.Parallel()
	small := *smalls["two workers, a store that loses and repeats"]
	for _, r := range []Rule{BlockFirst, UnknownReads, BehindRewrites} {
		small.Off = Without(r)
		e := New().Explore(&small, 10)
		if e.Broken == nil {
			t.Fatalf("without %s no law is broken in %d states", r, e.States)
		}
		t.Logf("without %s: %d states, %d choices: %s", r, e.States, len(e.Broken)-len(small.First), e.Law)
	}
}
