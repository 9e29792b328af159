package operator_test

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/window"
	"github.com/tidemark-io/tidemark/testdata/fuzzing"
)

// FuzzMerge gives every kind any bytes: it refuses them, or it has read a state, whose rewriting is written again as it
// is. With all time alone nothing can be re-tiered, and the bytes themselves must be that rewriting.
func FuzzMerge(f *testing.F) {
	names := slices.Sorted(maps.Keys(goldenStates))
	windowSets := func(name string) [2][]window.Window {
		if name == "sessions" {
			return [2][]window.Window{goldenWindows(name), {win(window.Day)}}
		}
		return [2][]window.Window{goldenWindows(name), {window.All}}
	}
	for i, name := range names {
		for j, ws := range windowSets(name) {
			cfg := goldenStates[name]
			cfg.Windows = ws
			s := newStates(f, name, &cfg, 1)
			s.Fold(goldenRows(&cfg))
			f.Add(uint8(2*i+j), s.AppendState(nil, 0, t0))
		}
	}
	fuzzing.Target(f, func(t *testing.T, which uint8, state []byte) {
		name := names[int(which)/2%len(names)]
		cfg := goldenStates[name]
		cfg.Windows = windowSets(name)[which%2]
		s := newStates(t, name, &cfg, 2)
		if err := s.Merge(0, state, t0); err != nil {
			if !errors.Is(err, operator.ErrState) {
				t.Fatalf("%s: an error of no class: %v", name, err)
			}
			return
		}
		written := s.AppendState(nil, 0, t0)
		if cfg.Windows[0] == window.All && !bytes.Equal(written, state) {
			t.Fatalf("%s: %x was read, but is written as %x", name, state, written)
		}
		if err := s.Merge(1, written, t0); err != nil {
			t.Fatalf("%s: %x was read and written as %x, which is refused: %v", name, state, written, err)
		}
		if again := s.AppendState(nil, 1, t0); !slices.Equal(again, written) {
			t.Fatalf("%s: %x is written again as %x", name, written, again)
		}
	})
}

// TestOperatorIsSafeForConcurrentUse makes states of one operator in many goroutines and asks for decayed scores, whose
// factors they share. It says something under -race.
func TestOperatorIsSafeForConcurrentUse(t *testing.T) {
	l := load[len(load)-1]
	if l.kind != "top_k" {
		t.Fatalf("the last load is of %s", l.kind)
	}
	kind, _ := operator.Lookup(l.kind)
	op, err := kind.New(l.cfg)
	if err != nil {
		t.Fatal(err)
	}
	answers := make([]operator.Value, 8)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			s := op.NewStates()
			s.Grow(3)
			s.Fold(newTraffic(&l.cfg, 3).next())
			q := l.query
			q.Newest = 1_700_000_000_000 + window.Day // after the only batch
			q.AsOf = q.Newest
			answers[i] = s.Result(0, &q)
		})
	}
	wg.Wait()
	for _, a := range answers {
		if len(a.Items) == 0 {
			t.Error("an answer is empty")
		}
		if !a.Equal(answers[0]) {
			t.Errorf("answers differ: %s, %s", a, answers[0])
		}
	}
}
