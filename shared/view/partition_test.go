package view_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/shared/view/viewtest"
)

// bare returns the batch without the columns that the plan does not use, as a reader of columns gives it.
func bare(t *rapid.T, p *view.Plan, b *column.Batch) *column.Batch {
	fields, err := p.Uses(b.Source)
	if err != nil {
		t.Fatal(err)
	}
	c := *b
	c.Cols = make([]column.Column, len(b.Cols))
	for _, i := range fields {
		c.Cols[i] = b.Cols[i]
	}
	return &c
}

// withDictionaries gives the columns of bytes dictionaries, as an archive's have. Nulls have the code of the empty value.
func withDictionaries(b *column.Batch) {
	for i := range b.Cols {
		c := &b.Cols[i]
		if !c.Type.IsBytes() || c.N == 0 {
			continue
		}
		d := column.NewColumn(c.Type, c.Scale)
		d.Offsets, d.Valid, d.N = append(d.Offsets, 0), c.Valid, c.N
		codes := map[string]int32{"": 0}
		for row := range c.N {
			v := string(c.BytesAt(row))
			if _, seen := codes[v]; !seen {
				codes[v] = int32(len(codes))
				d.Bytes = append(d.Bytes, v...)
				d.Offsets = append(d.Offsets, int32(len(d.Bytes)))
			}
			d.Index = append(d.Index, codes[v])
		}
		*c = d
	}
}

// TestSplitterIsAFold shows that folds of shards together hold what one fold of all rows holds, whatever the ranges, and
// with the columns that the plan uses alone, dictionaries or not.
func TestSplitterIsAFold(t *testing.T) {
	p := compile(t, viewtest.Spec())
	rapid.Check(t, func(t *rapid.T) {
		r := genRand(t)
		batches := small.Batches(r, p.Spec().Sources)
		one := whole(p, batches)
		shards := 1 << rapid.IntRange(0, 8).Draw(t, "shards")
		s := p.NewSplitter(shards)
		folds := make([]*view.Fold, shards)
		for i := range folds {
			folds[i] = p.NewFold()
			if rapid.Bool().Draw(t, "defers") {
				folds[i].Defer()
			}
		}
		keys := choice{left: map[string]bool{}}
		for _, b := range batches {
			b, from := bare(t, p, b), 0
			if rapid.Bool().Draw(t, "dictionaries") {
				withDictionaries(b)
			}
			collected := 0
			for _, to := range viewtest.Split(r, b.N, 60) {
				collected += split(t, s, b, from, to, &keys)
				if from = to; from == b.N || rapid.Bool().Draw(t, "fold") {
					addTo(t, s, folds, collected)
					collected = 0
				}
			}
		}
		got, w := map[string]string{}, p.NewBodies()
		for shard, f := range folds {
			for key, body := range written(t, r, w, f) {
				if lane.Of(view.Hash([]byte(key)), shards) != shard {
					t.Fatalf("%s in shard %d of %d", key, shard, shards)
				}
				got[key] = body
			}
		}
		sameBodies(t, "in shards", got, bodies(one))
	})
}

// TestSplitterOfOtherFolds adds the rows of a partition to one fold or another, some of which are reset or new meanwhile: what
// the splitter knows of keys that come again holds for the fold that it was found in, and no other.
func TestSplitterOfOtherFolds(t *testing.T) {
	p := compile(t, viewtest.Spec())
	rapid.Check(t, func(t *rapid.T) {
		r := genRand(t)
		s := p.NewSplitter(1)
		var folds, want [2]*view.Fold
		for i := range folds {
			folds[i], want[i] = p.NewFold(), p.NewFold()
		}
		for _, b := range small.Batches(r, p.Spec().Sources) {
			from := 0
			for _, to := range viewtest.Split(r, b.N, 20) {
				i := r.IntN(2)
				switch r.IntN(4) {
				case 0:
					folds[i].Reset()
					want[i].Reset()
				case 1:
					folds[i], want[i] = p.NewFold(), p.NewFold()
				}
				if s.Split(b, from, to) > 0 {
					s.AddTo(folds[i], 0)
				}
				want[i].Add(b, from, to)
				s.Drop()
				from = to
			}
		}
		for i := range folds {
			sameBodies(t, fmt.Sprintf("in fold %d", i), bodies(folds[i]), bodies(want[i]))
		}
	})
}

// TestKeysThatAreKept checks whose keys a splitter knows: those of the partition at hand, since there were more of them than
// rows at a Drop.
func TestKeysThatAreKept(t *testing.T) {
	p := compile(t, viewtest.Spec())
	kept, even, forgotten := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		r := genRand(t)
		s, known := p.NewSplitter(1), map[string]bool{}
		for _, b := range small.Batches(r, p.Spec().Sources) {
			clear(known)
			from := 0
			for _, to := range viewtest.Split(r, b.N, 20) {
				rows := s.Split(b, from, to)
				for ; from < to; from++ {
					if key := keyOf(b, from); b.Reject[from] == 0 && key != "" {
						known[key] = true
					}
				}
				if s.Keys() != len(known) {
					t.Fatalf("%d keys are known, want %d", s.Keys(), len(known))
				}
				switch {
				case len(known) > rows:
					forgotten++
					clear(known)
				case len(known) == rows:
					even++
				default:
					kept++
				}
				if s.Drop(); s.Keys() != len(known) {
					t.Fatalf("%d keys are kept, want %d", s.Keys(), len(known))
				}
			}
		}
	})
	if kept == 0 || even == 0 || forgotten == 0 {
		t.Errorf("kept %d times, %d of them with as many keys as rows, forgotten %d times: the test has lost its point", kept+even, even, forgotten)
	}
}

// TestDeferredBytes compares what a fold says that rows take which it has put by, few or many of them a time, with what the
// heap grows by.
func TestDeferredBytes(t *testing.T) {
	p := compile(t, viewtest.Spec())
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	for _, rows := range []int{8, 40, 4000} {
		s, f := p.NewSplitter(1), p.NewFold()
		f.Defer()
		b := viewtest.Log{Partitions: [2]int{1, 0}, Rows: rows, Users: 4}.Batches(rand.New(rand.NewPCG(1, 2)), p.Spec().Sources)[0]
		again := func(rounds int) {
			for range rounds {
				s.Split(b, 0, b.N)
				s.AddTo(f, 0)
				s.Drop()
			}
		}
		again(10) // now its entities, and what is not put by, have all the memory that they take
		before, said := heap(), f.Deferred()
		again(200_000 / rows)
		grown, says := heap()-before, f.Deferred()-said
		runtime.KeepAlive(s)
		t.Logf("%d rows a time: it says %d bytes, the heap grew by %d", rows, says, grown)
		if says < grown*85/100 || says > grown*115/100 {
			t.Errorf("%d rows a time: it says %d bytes, the heap grew by %d", rows, says, grown)
		}
	}
}

// written returns the bodies of a fold as bodies does, or as w writes them in some order.
func written(t *rapid.T, r *rand.Rand, w *view.Bodies, f *view.Fold) map[string]string {
	if rapid.IntRange(0, 3).Draw(t, "settled") == 0 {
		f.Settle()
	}
	if rapid.IntRange(0, 3).Draw(t, "by slot") == 0 {
		return bodies(f)
	}
	all := map[string]string{}
	var slots []int32
	for _, slot := range r.Perm(f.Len()) {
		slots = append(slots, int32(slot))
	}
	if r.IntN(3) == 0 {
		w.SetGroup(1+r.IntN(30), 1+r.IntN(200))
	}
	w.Begin(f, slots)
	for _, slot := range slots {
		all[string(f.Key(int(slot)))] = string(w.Append(nil))
	}
	return all
}

// choice is which keys are wanted of a splitter: all or half of them, less those that were left by the caller.
type choice struct {
	half bool
	left map[string]bool
}

// split collects rows and returns how many they are. Half of the keys are wanted, at the latest once they were; some of these
// until they came once, and may come again.
func split(t *rapid.T, s *view.Splitter, b *column.Batch, from, to int, c *choice) int {
	n, seen, wanted := s.Split(b, from, to), 0, 0
	last := map[string]int32{}
	c.half = c.half || rapid.Bool().Draw(t, "half of the keys")
	leave := rapid.Bool().Draw(t, "leave keys")
	want := func(hash uint64) bool { return !c.half || hash%2 == 0 }
	rows := map[string]int{}
	for row := from; row < to; row++ {
		if key := keyOf(b, row); b.Reject[row] == 0 && key != "" && want(view.Hash([]byte(key))) {
			rows[key]++
		}
	}
	s.Each(want, func(hash uint64, key []byte, of []int32) bool {
		if _, again := last[string(key)]; again || !want(hash) || hash != view.Hash(key) || len(of) != rows[string(key)] {
			t.Fatalf("key %s: again: %t, %d rows of %d", key, again, len(of), rows[string(key)])
		}
		seen += len(of)
		before := int32(from) - 1
		for _, row := range of {
			if row <= before || int(row) >= to {
				t.Fatalf("row %d of [%d,%d) after %d, key %s", row, from, to, before, key)
			}
			before = row
		}
		last[string(key)] = before
		if leave && hash%3 == 0 {
			c.left[string(key)] = true
		}
		return !c.left[string(key)]
	})
	for key, n := range rows {
		if _, came := last[key]; came || !c.left[key] {
			wanted += n
		}
	}
	if seen != wanted || !c.half && len(c.left) == 0 && seen != n {
		t.Fatalf("%d rows split, %d of them wanted, %d yielded", n, wanted, seen)
	}
	return n
}

// addTo adds to each fold its rows of those collected.
func addTo(t *rapid.T, s *view.Splitter, folds []*view.Fold, collected int) {
	added := 0
	for shard, f := range folds {
		rows, entities := s.AddTo(f, shard)
		from, seen := int32(0), map[int32]bool{}
		for _, e := range entities {
			if e.To <= from || seen[e.Slot] {
				t.Fatalf("stretches %v: one is empty, or not all there is of its entity", entities)
			}
			from, seen[e.Slot] = e.To, true
		}
		if added += len(rows); len(rows) != int(from) || len(rows) != s.Len(shard) {
			t.Fatalf("%d rows in stretches of %d, want %d", len(rows), from, s.Len(shard))
		}
	}
	if added != collected || collected > 0 && s.Size() == 0 {
		t.Fatalf("%d rows collected, %d added, %d bytes", collected, added, s.Size())
	}
	with := s.Size()
	if s.Drop(); collected > 0 && s.Size() >= with {
		t.Fatalf("%d bytes with rows, %d without", with, s.Size())
	}
	if rapid.IntRange(0, 3).Draw(t, "drop keys") == 0 {
		kept, keys := s.Size(), s.Keys()
		if s.DropKeys(); s.Keys() != 0 || keys > 0 && s.Size() >= kept {
			t.Fatalf("%d bytes with %d keys, %d with %d", kept, keys, s.Size(), s.Keys())
		}
	}
}
