package main

import (
	"context"
	"errors"
	"flag"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark-io/tidemark/serving/memstore"
	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/record"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/shared/view/viewtest"
)

// The size of random worlds. What is hard lies in the order of things, not in their number.
const (
	randomWorlds = 80 // checked; RAPID_CHECKS and -rapid.checks say otherwise
	mostSteps    = 40
	mostRounds   = 6 // that a world may take to settle once nothing fails any more
	randomRows   = 40
	randomUsers  = 4
)

var workerNames = []string{"a", "b"}

// TestRandomWorlds lets random logs, of two sources with blocks of different sizes, go through random sequences of
// archiving, trimming, batch runs that are killed, workers that crash, go blind, get everything twice and late, and a store that
// loses. Whatever is claimed on the way is right; and when nothing fails any more everything settles by itself: every
// entity verified, nothing wrong, batch's files equal to a recompute.
//
// A failure prints its seed: go test ./cmd/tidemark -run TestRandomWorlds -rapid.seed=N repeats it.
func TestRandomWorlds(t *testing.T) {
	t.Parallel()
	fewerChecks(t, randomWorlds)
	dir := quickDir(t)
	worlds := 0
	rapid.Check(t, func(t *rapid.T) {
		worlds++
		own := filepath.Join(dir, strconv.Itoa(worlds))
		defer func() {
			if err := os.RemoveAll(own); err != nil {
				t.Fatal(err)
			}
		}()
		w := newRandomWorld(t, own)
		for range rapid.IntRange(mostSteps/4, mostSteps).Draw(t, "steps") {
			w.step(t)
			w.look(t, false)
		}
		w.settle(t)
	})
}

// fewerChecks lowers rapid's number of checks for a test whose worlds are large, unless it was asked for otherwise.
func fewerChecks(t *testing.T, n int) {
	t.Helper()
	checks := flag.Lookup("rapid.checks")
	if before := checks.Value.String(); before == checks.DefValue && os.Getenv("RAPID_CHECKS") == "" {
		if err := checks.Value.Set(strconv.Itoa(n)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := checks.Value.Set(before); err != nil {
				t.Error(err)
			}
		})
	}
}

// randomWorld is a world whose log grows out of one that was made beforehand.
type randomWorld struct {
	*world
	claims *claims
	coming map[position.Partition][]record.Record
	left   bool // leftovers were put into rows
}

func newRandomWorld(t *rapid.T, dir string) *randomWorld {
	w := &randomWorld{world: newWorld(context.Background(), dir), coming: map[position.Partition][]record.Record{}}
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "log"), 0))
	spec := viewtest.Spec()
	for i := range spec.Sources {
		spec.Sources[i].Block = 4 << rapid.IntRange(0, 3).Draw(t, "block of "+spec.Sources[i].Name)
	}
	spec.Lanes = 1 << rapid.IntRange(0, 2).Draw(t, "lanes")
	items := view.Spec{
		Job: spec.Job, Name: "item", Sources: spec.Sources[:1], Lanes: 2,
		Entity:   []view.KeySpec{{Kind: "item", Fields: []string{"item"}}},
		Features: []view.FeatureSpec{{Name: "seen", Op: "count"}, {Name: "last", Op: "last_n", Value: []string{"user"}, N: 2}},
	}
	j := &job.Job{Name: spec.Job, Sources: spec.Sources, Views: []view.Spec{spec, items}}
	for i := range j.Views {
		plan, err := view.Compile(j.Views[i])
		if err != nil {
			t.Fatal(err)
		}
		j.Plans = append(j.Plans, plan)
	}
	w.declare(j)
	w.claims = newClaims(w.world)
	log := viewtest.Log{Partitions: [2]int{2, 1}, Rows: randomRows, Users: randomUsers}
	for _, b := range log.Batches(r, spec.Sources) {
		w.coming[position.Partition{Source: b.Source.Name, ID: b.Partition}] = recordsOf(b)
	}
	w.produce(t)
	return w
}

// recordsOf writes the rows of a batch as the records that they could have come from.
func recordsOf(b *column.Batch) []record.Record {
	told := column.NewBatch(b.Source, b.Partition, true)
	var records []record.Record
	for i := range b.N {
		rec := record.Record{Offset: b.Offset[i], Append: b.Append[i], AppendType: b.AppendType[i], Value: []byte("{")}
		if b.Reject[i] == 0 {
			told.Reset(b.Partition)
			told.AppendRow(b, i)
			for _, c := range []*column.Column{&told.Archive.Key, &told.Archive.Headers, &told.Archive.Rest, &told.Archive.Raw} {
				c.AppendNull()
			}
			rec.Value = archivefile.AppendJSON(nil, told, 0)
		}
		records = append(records, rec)
	}
	return records
}

// step does one random thing.
func (w *randomWorld) step(t *rapid.T) {
	switch what := rapid.IntRange(0, 99).Draw(t, "step"); {
	case what < 20:
		w.produce(t)
	case what < 45:
		w.archiveSome(t)
		w.batchSome(t)
	case what < 75:
		w.speedSome(t, rapid.IntRange(0, 2).Draw(t, "looks"))
	case what < 78:
		w.crash(w.someWorker(t))
	case what < 81:
		w.leaveSome(t)
	case what < 83:
		w.trimSome(t)
	case what < 90:
		if n := w.store.Held(); n > 0 {
			w.store.Release(rapid.IntRange(0, n-1).Draw(t, "held"))
		}
	default:
		w.loseSome(t)
		w.look(t, true)
		// Whoever believes that the store still is as it was is best seen at once, with something to write.
		w.produce(t)
		w.speedSome(t, looksLate)
	}
}

// look holds the world to what its lanes claim.
func (w *randomWorld) look(t *rapid.T, lost bool) {
	if err := w.claims.hold(lost); err != nil {
		t.Fatal(err)
	}
}

// produce appends some records to each partition; a partition may stay empty for a while.
func (w *randomWorld) produce(t *rapid.T) {
	for _, p := range []position.Partition{{Source: "clicks", ID: 0}, {Source: "clicks", ID: 1}, {Source: "orders", ID: 0}} {
		n := min(rapid.IntRange(0, 12).Draw(t, "records of "+p.String()), len(w.coming[p]))
		w.append(t, p, n)
	}
}

// append takes the next n records of a partition into the log. What lies below its first record is a gap, and no head
// that was trimmed.
func (w *randomWorld) append(t *rapid.T, p position.Partition, n int) {
	for _, rec := range w.coming[p][:n] {
		begun := w.log[p] != nil
		if err := w.log.add(p, rec); err != nil {
			t.Fatal(err)
		}
		if !begun {
			w.log[p].first, w.log[p].start = 0, 0
		}
	}
	w.coming[p] = w.coming[p][n:]
}

// trimSome lets Kafka forget some of what is archived.
func (w *randomWorld) trimSome(t *rapid.T) {
	for _, p := range w.log.partitions("") {
		have, err := archivefile.List(w.archiveDir(), p)
		if err == nil {
			err = w.trim(p, rapid.Int64Range(0, have.Range().Next).Draw(t, "trim "+p.String()+" to"))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (w *randomWorld) archiveSome(t *rapid.T) {
	for _, p := range w.log.partitions("") {
		to := w.log[p].end - rapid.Int64Range(0, w.log[p].end).Draw(t, "not archived of "+p.String())
		if _, err := w.archive(w.archiveDir(), p, to, rapid.Bool().Draw(t, "tail")); err != nil {
			t.Fatal(err)
		}
	}
}

// batchSome runs a batch process, which may be killed.
func (w *randomWorld) batchSome(t *rapid.T) {
	o := batchOptions{rows: rapid.IntRange(1, 4).Draw(t, "rows"), calls: -1, every: rapid.SampledFrom([]int64{1, 2, 3, 5, 32}).Draw(t, "every")}
	switch rapid.IntRange(0, 3).Draw(t, "killed") {
	case 0:
		o.calls, o.held = rapid.IntRange(0, 12).Draw(t, "calls"), rapid.Bool().Draw(t, "call held")
	case 1:
		o.registered = true
	}
	if _, err := w.batch(o); err != nil && !errors.Is(err, errKilled) {
		t.Fatalf("running batch: %v", err)
	}
}

func (w *randomWorld) someWorker(t *rapid.T) string {
	return rapid.SampledFrom(workerNames).Draw(t, "worker")
}

// leaveSome puts leftovers into the row of some entity.
func (w *randomWorld) leaveSome(t *rapid.T) {
	name := rapid.SampledFrom(w.views("")).Draw(t, "view")
	if v := w.claims.views[name]; v != nil && len(v.events) > 0 {
		key := rapid.SampledFrom(slices.Sorted(maps.Keys(v.events))).Draw(t, "entity")
		err := w.leave(name, key)
		if err != nil && !errors.Is(err, errNotIn) {
			t.Fatal(err)
		}
		w.left = w.left || err == nil
	}
}

// When a worker looks at the marks.
const (
	looksFirst = iota
	looksLate
	looksNever
)

func (w *randomWorld) speedSome(t *rapid.T, looks int) {
	o := speedOptions{
		blind: looks == looksNever, late: looks == looksLate, overlap: rapid.Int64Range(0, 5).Draw(t, "overlap"),
		hold: rapid.IntRange(0, 3).Draw(t, "hold") == 0, drain: rapid.Bool().Draw(t, "drain"),
	}
	if rapid.IntRange(0, 2).Draw(t, "fails") == 0 {
		o.fate = rapid.SampledFrom([]memstore.Fate{memstore.LoseCall, memstore.LoseReply, memstore.Twice, memstore.Hold}).Draw(t, "fate")
	}
	if rapid.Bool().Draw(t, "some") {
		o.to = position.Cut{}
		for _, p := range w.log.partitions("") {
			o.to[p] = rapid.Int64Range(0, w.log[p].end).Draw(t, "speed "+p.String()+" to")
		}
	}
	if _, err := w.worker(w.someWorker(t)).step(o); err != nil {
		t.Fatal(err)
	}
}

// loseSome lets the store lose its last changes, those of one lane, a lane, or everything.
func (w *randomWorld) loseSome(t *rapid.T) {
	all := rapid.IntRange(0, 9).Draw(t, "lose") == 0
	if all {
		w.store.Empty()
		return
	}
	gens, err := w.generations(rapid.SampledFrom(w.views("")).Draw(t, "view"))
	if err != nil {
		t.Fatal(err)
	}
	if len(gens) == 0 {
		w.store.LoseSuffix(rapid.IntRange(0, w.store.History()).Draw(t, "changes"))
		return
	}
	id := rapid.SampledFrom(gens[0].ids()).Draw(t, "lane")
	switch rapid.IntRange(0, 2).Draw(t, "how") {
	case 0:
		w.store.LoseSuffix(rapid.IntRange(0, min(8, w.store.History())).Draw(t, "changes"))
	case 1:
		w.store.LoseLaneSuffix(id, rapid.IntRange(1, 6).Draw(t, "changes"))
	default:
		w.store.EmptyLane(id)
	}
}

// settle lets all that is left of the log come, calls in flight arrive, and every role do its work without being
// disturbed, and holds the world to what it must be then.
func (w *randomWorld) settle(t *rapid.T) {
	for p, left := range w.coming {
		w.append(t, p, len(left))
	}
	for w.store.Held() > 0 {
		w.store.Release(0)
	}
	for range mostRounds {
		for _, p := range w.log.partitions("") {
			if _, err := w.archive(w.archiveDir(), p, w.log[p].end, false); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.batch(batchOptions{rows: 4, calls: -1}); err != nil {
			t.Fatalf("settling: %v", err)
		}
		for _, name := range workerNames {
			if _, err := w.worker(name).step(speedOptions{}); err != nil {
				t.Fatalf("settling: %v", err)
			}
		}
		if w.atRest(t) {
			w.look(t, false)
			w.judge(t)
			return
		}
	}
	marks, err := w.showMarks("")
	t.Fatalf("it does not settle: the log ends at %s, the marks are\n%s%v", w.log.ends(w.job.Sources), marks, err)
}

// atRest tells whether every lane is whole and joined, and at the log's end in every partition of its sources.
func (w *randomWorld) atRest(t *rapid.T) bool {
	for _, name := range w.views("") {
		gens, err := w.generations(name)
		if err != nil || len(gens) != 1 {
			t.Fatalf("%d generations of %s: %v", len(gens), name, err)
		}
		all, err := w.store.Marks(w.ctx, gens[0].ids())
		if err != nil {
			t.Fatal(err)
		}
		ends := w.log.ends(gens[0].Spec.Sources)
		for _, marks := range all {
			if degraded(marks) {
				return false
			}
			for p, end := range ends {
				if m, ok, err := marks.Partition(p); err != nil || !ok || m.Next != end {
					return false
				}
			}
		}
	}
	return true
}

// judge holds a world at rest to the plain fold, and batch's files to a recompute.
func (w *randomWorld) judge(t *rapid.T) {
	r, err := w.verify()
	if err != nil || r.Wrong > 0 || r.Entities == 0 {
		t.Fatalf("at rest: %s%v", showReport(r), err)
	}
	if n := w.claims.leftovers; n > 0 && !w.left {
		t.Fatalf("at rest: rows have %d leftovers, which batch should have deleted", n)
	}
	c, err := w.check()
	if err != nil || c.Wrong() > 0 {
		t.Fatalf("at rest: %s%v", showCheck(c), err)
	}
	for i := range c.Views {
		if c.Views[i].Files != c.Views[i].Recompute {
			t.Fatalf("at rest: %s", showCheck(c))
		}
	}
}
