package journal_test

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/batch/journal"
)

// addRun registers and checks a run.
func addRun(t *testing.T, g *journal.Generation, every int64) *journal.Run {
	t.Helper()
	k := int64(len(g.Runs)) + 1
	r, err := g.Register(cut(8*k), every)
	must(t, err)
	must(t, g.Check(journal.Checked{Run: k, Lanes: make([]journal.LaneFile, 2)}))
	return r
}

// TestBases compares where bases are with a look at every run, in journals whose runs give bases in random numbers of
// runs, and shows that what is needed never goes back.
func TestBases(t *testing.T) {
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 1))
		dir := filepath.Join(t.TempDir(), "j")
		g, err := journal.CreateGeneration(dir, genesis("aaaaaaaaaa"))
		must(t, err)
		if g.BasesFrom() != 1 {
			t.Fatalf("without a run, bases are from run %d on", g.BasesFrom())
		}
		before := int64(1)
		for range 60 {
			r := addRun(t, g, []int64{0, 1, 2, 3, 32, 256, 300, 4096}[rng.IntN(8)])
			if some := hasAny(r); (r.Kind == journal.Delta) == some || (r.Number == 1) != (r.Kind == journal.Full) {
				t.Fatalf("seed %d: %+v has bases: %v", seed, r, some)
			}
			oldest := g.LastChecked()
			bases := g.Bases(g.LastChecked())
			for hashRange, got := range bases {
				want := int64(0)
				for k := range g.Runs {
					if g.Runs[k].HasBases(hashRange) {
						want = g.Runs[k].Number
					}
				}
				if got != want {
					t.Fatalf("seed %d, run %d: bases of range %d are said to be in run %d, want %d", seed, r.Number, hashRange, got, want)
				}
				oldest = min(oldest, got)
			}
			if g.BasesFrom() != oldest || oldest < before {
				t.Fatalf("seed %d, run %d: bases from run %d on, want %d; before %d", seed, r.Number, g.BasesFrom(), oldest, before)
			}
			before = oldest
		}
		back, err := journal.OpenGeneration(dir)
		must(t, err)
		if !reflect.DeepEqual(back.Runs, g.Runs) {
			t.Fatalf("seed %d: %+v\n%+v", seed, back.Runs, g.Runs)
		}
	}
}

func hasAny(r *journal.Run) bool {
	for hashRange := range journal.Ranges {
		if r.HasBases(hashRange) {
			return true
		}
	}
	return false
}

// TestEveryRangeOnce shows that with one base in N runs each range has exactly one in any N runs on end, and no run has
// more than its share of ranges.
func TestEveryRangeOnce(t *testing.T) {
	for _, every := range []int64{1, 2, 3, 5, 32, 255, 256, 300} {
		var last [journal.Ranges]int64
		for k := int64(2); k < 2*every+2; k++ {
			r := journal.Run{Number: k, Kind: journal.Compact, Every: every}
			n := int64(0)
			for hashRange := range journal.Ranges {
				if !r.HasBases(hashRange) {
					continue
				}
				n++
				if last[hashRange] > 0 && k-last[hashRange] != every {
					t.Fatalf("every %d: range %d has bases in runs %d and %d", every, hashRange, last[hashRange], k)
				}
				last[hashRange] = k
			}
			if n > (journal.Ranges+every-1)/every {
				t.Fatalf("every %d: %d ranges in run %d", every, n, k)
			}
		}
		for hashRange, k := range last {
			if k <= every {
				t.Fatalf("every %d: range %d has no base in the last runs, but in run %d", every, hashRange, k)
			}
		}
	}
}

// TestRunKindsAreHeld refuses entries whose kind is not what number and every make it.
func TestRunKindsAreHeld(t *testing.T) {
	for name, body := range map[string]string{
		"a delta with bases":          `{"run":2,"kind":"delta","from":{"events/0":8},"cut":{"events/0":16},"every":2}`,
		"compact without bases":       `{"run":2,"kind":"compact","from":{"events/0":8},"cut":{"events/0":16}}`,
		"compact without a range":     `{"run":2,"kind":"compact","from":{"events/0":8},"cut":{"events/0":16},"every":4096}`,
		"too seldom":                  `{"run":2,"kind":"compact","from":{"events/0":8},"cut":{"events/0":16},"every":4097}`,
		"negative":                    `{"run":2,"kind":"compact","from":{"events/0":8},"cut":{"events/0":16},"every":-2}`,
		"a second full one":           `{"run":2,"kind":"full","from":{"events/0":8},"cut":{"events/0":16}}`,
		"an unknown kind":             `{"run":2,"kind":"other","from":{"events/0":8},"cut":{"events/0":16}}`,
		"right":                       `{"run":2,"kind":"compact","from":{"events/0":8},"cut":{"events/0":16},"every":256}`,
		"right, as it was in the old": `{"run":2,"kind":"delta","from":{"events/0":8},"cut":{"events/0":16}}`,
	} {
		dir := filepath.Join(t.TempDir(), "j")
		g, err := journal.CreateGeneration(dir, genesis("aaaaaaaaaa"))
		must(t, err)
		addRun(t, g, 0)
		must(t, write(dir, 4, head("generation", 4, "run registered"), body))
		_, err = journal.OpenGeneration(dir)
		if right := strings.HasPrefix(name, "right"); (err == nil) != right || (!right && !errors.Is(err, journal.ErrDamaged)) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
