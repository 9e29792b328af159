package verify_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/serving/memstore"
	"github.com/tidemark-io/tidemark/serving/verify"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/history"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/shared/view/viewtest"
)

const (
	lanes       = 4
	incarnation = lane.Incarnation("aaaaaaaaaa")
)

// world is a store that holds exactly what a log says: a base and a delta below a cut, block tiles above it.
type world struct {
	t       *testing.T
	plan    *view.Plan
	log     fakeLog
	store   *memstore.Store
	gen     manifest.Generation
	rows    map[string][]lane.Field // as first written
	ns      string
	marks   map[string]string // of every lane
	cutsAt  [2]int            // rows of each batch in the base, and in base and delta
	reader  *lookup.Reader
	keysOf  map[int][]string
	someKey string // an entity with a base, a delta and block tiles
}

// fakeLog is a log of one batch a partition.
type fakeLog []*column.Batch

func (l fakeLog) end(b *column.Batch) int64 { return b.Offset[b.N-1] + 1 }

func (l fakeLog) Stretches(_ context.Context, src *schema.Source) ([]history.Stretch, error) {
	var out []history.Stretch
	for _, b := range l {
		if b.Source.Name == src.Name {
			out = append(out, history.Stretch{Partition: position.Partition{Source: src.Name, ID: b.Partition}, Topic: position.Range{Next: l.end(b)}})
		}
	}
	return out, nil
}

func (l fakeLog) Scan(_ context.Context, src *schema.Source, s history.Stretch, r position.Range, _ bool, yield func(*column.Batch) error) error {
	for _, b := range l {
		if b.Source.Name != src.Name || b.Partition != s.Partition.ID {
			continue
		}
		part := column.NewBatch(src, b.Partition, false)
		for i := range b.N {
			if r.Contains(b.Offset[i]) {
				part.AppendRow(b, i)
			}
		}
		return yield(part)
	}
	return fmt.Errorf("no partition %s", s.Partition)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	plan, err := view.Compile(viewtest.Spec())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, plan: plan, store: memstore.New(), rows: map[string][]lane.Field{}, marks: map[string]string{}, cutsAt: [2]int{40, 80}, keysOf: map[int][]string{},
		log: viewtest.Log{Partitions: [2]int{2, 1}, Rows: 120, Users: 5}.Batches(rand.New(rand.NewPCG(1, 2)), plan.Spec().Sources),
	}
	spec := plan.Spec()
	w.gen = manifest.Generation{
		Identity: "bbbbbbbbbb", Number: 1, Revision: plan.Revision(), State: manifest.Served, Spec: *spec, Lanes: lanes, Run: 2,
		Blocks: map[string]int64{}, Origin: position.Cut{}, Cut: position.Cut{},
	}
	for i := range spec.Sources {
		w.gen.Blocks[spec.Sources[i].Name] = spec.Sources[i].Block
	}
	m := &manifest.Manifest{Seq: 1, Job: spec.Job, View: spec.Name, Generations: []manifest.Generation{w.gen}}
	w.ns = m.Namespace(&w.gen)
	body, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.PutManifest(t.Context(), manifest.Key(m.Job, m.View), 1, body); err != nil {
		t.Fatal(err)
	}
	w.build()
	w.write()
	w.reader = lookup.NewReader(lookup.Config{Job: m.Job, Views: []string{m.View}, Store: w.store, Now: time.Now, Cache: time.Nanosecond})
	return w
}

// cut returns the first block that does not lie wholly below row n of a batch.
func (w *world) cut(b *column.Batch, n int) int64 {
	return position.Block(b.Offset[n], b.Source.Block)
}

// build makes every row's tiles.
func (w *world) build() {
	add := func(h tile.Header, pick func(b *column.Batch) (from, next int64)) {
		f := w.plan.NewFold()
		for _, b := range w.log {
			from, next := pick(b)
			for i := range b.N {
				if from <= b.Offset[i] && b.Offset[i] < next {
					f.Add(b, i, i+1)
				}
			}
		}
		for slot := range f.Len() {
			key := string(f.Key(slot))
			w.rows[key] = append(w.rows[key], lane.Field{Name: h.Name(), Value: f.AppendBody(h.Append(nil), slot)})
		}
	}
	add(tile.Header{Kind: tile.KindBase, Run: 1}, func(b *column.Batch) (int64, int64) { return 0, w.cut(b, w.cutsAt[0]) })
	add(tile.Header{Kind: tile.KindDelta, Run: 2}, func(b *column.Batch) (int64, int64) { return w.cut(b, w.cutsAt[0]), w.cut(b, w.cutsAt[1]) })
	for _, own := range w.log {
		end := w.log.end(own)
		for at := w.cut(own, w.cutsAt[1]); at < end; at += own.Source.Block {
			h := tile.Header{Kind: tile.KindBlock, Source: w.plan.SourceRank(own.Source.Name), Partition: own.Partition, Block: at}
			add(h, func(b *column.Batch) (int64, int64) {
				if b != own {
					return 0, 0
				}
				return at, at + own.Source.Block
			})
		}
		p := position.Partition{Source: own.Source.Name, ID: own.Partition}
		w.marks[p.String()] = lane.Mark{Incarnation: incarnation, Low: lane.Joined, Next: end}.Wire()
	}
	for key, fields := range w.rows {
		n := lane.Of(view.Hash([]byte(key)), lanes)
		w.keysOf[n] = append(w.keysOf[n], key)
		if len(fields) > 3 && strings.HasPrefix(fields[0].Name, "b") && strings.HasPrefix(fields[1].Name, "d") && (w.someKey == "" || key < w.someKey) {
			w.someKey = key
		}
	}
}

func (w *world) id(n int) lane.ID { return lane.ID{Namespace: w.ns, N: n} }

// change applies one call to a lane, whatever its marks.
func (w *world) change(n int, rows []lane.RowChange, marks map[string]string) {
	w.t.Helper()
	set := lane.BatchMark{Incarnation: incarnation, Run: 3, WholeFrom: 1}.Wire()
	c := lane.Call{Lane: w.id(n), Name: lane.BatchName, AnyMark: true, RowsOf: incarnation, Rows: rows, Set: set, Replace: marks}
	if o := w.store.Apply(w.t.Context(), []lane.Call{c})[0]; o.Err != nil || !o.Applied {
		w.t.Fatalf("call: %+v", o)
	}
}

func (w *world) write() {
	for n := range lanes {
		var rows []lane.RowChange
		for _, key := range w.keysOf[n] {
			rows = append(rows, lane.RowChange{Key: []byte(key), Set: w.rows[key]})
		}
		w.change(n, rows, w.marks)
	}
}

// verify verifies in one pass, and in so many that most have an entity or none, which must find the same.
func (w *world) verify() *verify.Report {
	w.t.Helper()
	r, err := verify.Run(w.t.Context(), verify.Config{Reader: w.reader, Store: w.store, Log: w.log})
	if err != nil {
		w.t.Fatal(err)
	}
	passes := 0
	again, err := verify.Run(w.t.Context(), verify.Config{
		Reader: w.reader, Store: w.store, Log: w.log, RecordsAtOnce: 150,
		Progress: func(_, what string, done, _ int) {
			if what == "entities compared" && done == 0 {
				passes++
			}
		},
	})
	if err != nil || passes < 2 {
		w.t.Fatalf("%v in %d passes", err, passes)
	}
	if again.Entities != r.Entities || again.Wrong != r.Wrong || again.Events != r.Events || again.Tiles != r.Tiles || !slices.Equal(again.Faults, r.Faults) {
		w.t.Fatalf("in one pass %+v, in %d %+v", r, passes, again)
	}
	return r
}

// TestRight: nothing is wrong with a store that holds what the log says.
func TestRight(t *testing.T) {
	w := newWorld(t)
	if w.someKey == "" {
		t.Fatal("no entity has a base, a delta and block tiles: the log is too small to test with")
	}
	r := w.verify()
	if r.Wrong != 0 || r.Entities != len(w.rows) {
		t.Fatalf("%d entities of %d, %d wrong: %+v", r.Entities, len(w.rows), r.Wrong, r.Faults)
	}
}

// TestDamageIsFound: each way to damage a store makes verify name the place.
func TestDamageIsFound(t *testing.T) {
	field := func(w *world, prefix string) lane.Field {
		i := slices.IndexFunc(w.rows[w.someKey], func(f lane.Field) bool { return strings.HasPrefix(f.Name, prefix) })
		return w.rows[w.someKey][i]
	}
	row := func(w *world, r lane.RowChange) {
		if r.Key == nil {
			r.Key = []byte(w.someKey)
		}
		w.change(lane.Of(view.Hash(r.Key), lanes), []lane.RowChange{r}, nil)
	}
	cases := map[string]func(w *world){
		"a block tile deleted": func(w *world) { row(w, lane.RowChange{Del: []string{field(w, "e").Name}}) },
		"the delta deleted":    func(w *world) { row(w, lane.RowChange{Del: []string{field(w, "d").Name}}) },
		"the base deleted":     func(w *world) { row(w, lane.RowChange{Del: []string{field(w, "b").Name}}) },
		"the row deleted": func(w *world) {
			var names []string
			for _, f := range w.rows[w.someKey] {
				names = append(names, f.Name)
			}
			row(w, lane.RowChange{Del: names})
		},
		"a byte changed": func(w *world) {
			f := field(w, "d")
			v := bytes.Clone(f.Value)
			v[len(v)-1] ^= 1
			row(w, lane.RowChange{Set: []lane.Field{{Name: f.Name, Value: v}}})
		},
		"a tile under another's name": func(w *world) {
			row(w, lane.RowChange{Set: []lane.Field{{Name: "d1", Value: field(w, "d").Value}}, Del: []string{"d2"}})
		},
		"a row too many": func(w *world) {
			row(w, lane.RowChange{Key: []byte("user:nobody"), Set: []lane.Field{field(w, "b")}})
		},
		"the base of another run kept": func(w *world) {
			h := tile.Header{Kind: tile.KindDelta, Run: 3}
			_, body, err := tile.ParseHeader(field(w, "d").Value)
			if err != nil {
				w.t.Fatal(err)
			}
			row(w, lane.RowChange{Set: []lane.Field{{Name: h.Name(), Value: append(h.Append(nil), body...)}}})
		},
		"a mark pushed forward": func(w *world) {
			// As if the mark had been at the entity's last event in this partition, its tile ending before it, and were then
			// pushed to where it is now.
			h, body, err := tile.ParseHeader(field(w, "e").Value)
			if err != nil {
				w.t.Fatal(err)
			}
			f := w.plan.NewFold()
			var parsed tile.Body
			if err := parsed.ParseBody(body); err != nil {
				w.t.Fatal(err)
			}
			last := parsed.Last(h.Source, h.Partition)
			for _, b := range w.log {
				if b.Partition == h.Partition && w.plan.SourceRank(b.Source.Name) == h.Source {
					for i := range b.N {
						if h.Block <= b.Offset[i] && b.Offset[i] < last {
							f.Add(b, i, i+1)
						}
					}
				}
			}
			name := h.Name()
			if slot, ok := f.Lookup([]byte(w.someKey)); ok {
				row(w, lane.RowChange{Set: []lane.Field{{Name: name, Value: f.AppendBody(h.Append(nil), slot)}}})
			} else {
				row(w, lane.RowChange{Del: []string{name}})
			}
		},
	}
	for name, damage := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			damage(w)
			r := w.verify()
			if r.Wrong != 1 || len(r.Faults) != 1 {
				t.Fatalf("%d wrong: %+v", r.Wrong, r.Faults)
			}
			f := r.Faults[0]
			want := w.someKey
			if name == "a row too many" {
				want = "user:nobody"
			}
			if f.Entity != want || f.View == "" || f.Lane == "" || f.What == "" || f.Positions == "" && !strings.Contains(f.What, "verified") {
				t.Errorf("the fault does not name the place: %+v", f)
			}
		})
	}
}

// TestMarkPastTheEnd: a mark further than the log cannot be verified, so the lane's entities are wrong.
func TestMarkPastTheEnd(t *testing.T) {
	w := newWorld(t)
	n := lane.Of(view.Hash([]byte(w.someKey)), lanes)
	marks := map[string]string{}
	for name, wire := range w.marks {
		m, err := lane.ParseMark(wire)
		if err != nil {
			t.Fatal(err)
		}
		m.Next += 5
		marks[name] = m.Wire()
	}
	w.change(n, nil, marks)
	r := w.verify()
	if r.Wrong != len(w.keysOf[n]) || r.Degraded != 0 || !strings.Contains(r.Faults[0].What, "the log ends at") {
		t.Fatalf("%d wrong of %d in the lane: %+v", r.Wrong, len(w.keysOf[n]), r.Faults)
	}
}

// filling returns the marks of a lane that batch still fills.
func (w *world) filling() map[string]string {
	w.t.Helper()
	marks := map[string]string{}
	for name, wire := range w.marks {
		m, err := lane.ParseMark(wire)
		if err != nil {
			w.t.Fatal(err)
		}
		m.Low = 0
		marks[name] = m.Wire()
	}
	return marks
}

// TestLaneNotWhole: what a lane that batch still fills holds cannot be verified, and counts as wrong.
func TestLaneNotWhole(t *testing.T) {
	w := newWorld(t)
	n := lane.Of(view.Hash([]byte(w.someKey)), lanes)
	w.change(n, nil, w.filling())
	r := w.verify()
	if r.Wrong != len(w.keysOf[n]) || r.Degraded != r.Wrong || !r.Faults[0].Degraded || !strings.Contains(r.Faults[0].What, lookup.ReasonFilling) {
		t.Fatalf("%d wrong of %d in the lane: %+v", r.Wrong, len(w.keysOf[n]), r.Faults)
	}
}

// TestLaneNotWholeMeanwhile: of a lane that was whole and is not while its rows are read, as it is while a run is published to it
// that is ahead of the speed layer, nothing is wrong if it is whole again in time. It is waited for once.
func TestLaneNotWholeMeanwhile(t *testing.T) {
	for _, again := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			n := lane.Of(view.Hash([]byte(w.someKey)), lanes)
			waited := 0
			cfg := verify.Config{Reader: w.reader, Store: w.store, Log: w.log, Wait: time.Hour, Progress: func(_, what string, done, _ int) {
				switch {
				case what == "rows read" && done == 0 && waited == 0:
					w.change(n, nil, w.filling())
				case strings.HasPrefix(what, "rows in lanes"):
					if waited++; again {
						w.change(n, nil, w.marks)
					}
				}
			}}
			begun := time.Now()
			r, err := verify.Run(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			took := time.Since(begun)
			if again && (r.Wrong != 0 || r.Entities != len(w.rows) || waited != 1) {
				t.Errorf("%d of %d wrong, waited %d times: %+v", r.Wrong, r.Entities, waited, r.Faults)
			}
			if !again && (r.Wrong != len(w.keysOf[n]) || r.Degraded != r.Wrong || took < cfg.Wait || took > cfg.Wait+time.Minute) {
				t.Errorf("%d of %d wrong, %d by their lane, after %v: %+v", r.Wrong, r.Entities, r.Degraded, took, r.Faults)
			}
		})
	}
}

// TestSample verifies some entities only.
func TestSample(t *testing.T) {
	w := newWorld(t)
	r, err := verify.Run(t.Context(), verify.Config{Reader: w.reader, Store: w.store, Log: w.log, Sample: 2})
	if err != nil || r.Wrong != 0 || r.Entities >= len(w.rows) {
		t.Fatalf("%v: %+v of %d entities", err, r, len(w.rows))
	}
}

// TestDroppedMeanwhile: a generation that is dropped while it is verified is none any more, and nothing of it is wrong. One
// whose lanes say so while the manifest has it yet is wrong altogether.
func TestDroppedMeanwhile(t *testing.T) {
	for listed, wrong := range map[bool]bool{false: false, true: true} {
		w := newWorld(t)
		asked := 0
		generations := func(ctx context.Context, name string) ([]*lookup.Generation, error) {
			if asked++; asked > 1 && !listed {
				return nil, nil
			}
			g, err := w.reader.Served(ctx, name)
			for n := range lanes {
				c := lane.Call{Lane: w.id(n), Name: lane.BatchName, AnyMark: true, Set: lane.Dropped, Replace: map[string]string{}}
				if o := w.store.Apply(ctx, []lane.Call{c})[0]; o.Err != nil {
					return nil, o.Err
				}
			}
			return []*lookup.Generation{g}, err
		}
		r, err := verify.Run(t.Context(), verify.Config{Reader: w.reader, Store: w.store, Log: w.log, Generations: generations, Wait: time.Hour})
		if err != nil || (r.Wrong > 0) != wrong || (r.Entities > 0) != wrong || asked < 2 {
			t.Errorf("listed %v: %v, asked %d times, %d of %d wrong", listed, err, asked, r.Wrong, r.Entities)
		}
	}
}
