package view_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/shared/view/viewtest"
	"github.com/tidemark-io/tidemark/shared/window"
)

// benchSpec is a view of 20 features in 16 states, of the kind that a shop has for its visitors.
func benchSpec() view.Spec {
	spec := viewtest.Spec()
	spec.Sources = spec.Sources[:1]
	spec.Entity = spec.Entity[:1]
	day := func(n int64) window.Window {
		return window.Window{Length: n * window.Day, Hop: window.DefaultHop(n * window.Day)}
	}
	decay := func(life int64) window.Window {
		return window.Window{Length: 60 * window.Day, Hop: window.DecayHop(life)}
	}
	spec.Features = []view.FeatureSpec{
		{Name: "view_1h", Op: "count", Where: "kind == 'view'", Window: window.Window{Length: window.Hour, Hop: 5 * window.Minute}},
		{Name: "view_24h", Op: "count", Where: "kind == 'view'", Window: day(1)},
		{Name: "view_30d", Op: "count", Where: "kind == 'view'", Window: day(30)},
		{Name: "view_all", Op: "count", Where: "kind == 'view'"},
		{Name: "fav_7d", Op: "count", Where: "kind == 'fav'", Window: day(7)},
		{Name: "call_30d", Op: "count", Where: "kind == 'call'", Window: day(30)},
		{Name: "high_7d", Op: "count", Where: "band == 'high'", Window: day(7)},
		{Name: "secs_30d", Op: "sum", Value: []string{"secs"}, Where: "kind == 'call'", Window: day(30)},
		{Name: "secs_avg", Op: "avg", Value: []string{"secs"}, Where: "kind == 'call'", Window: day(30)},
		{Name: "price_avg", Op: "avg", Value: []string{"price"}, Window: day(30)},
		{Name: "price_min", Op: "min", Value: []string{"price"}, Where: "kind == 'fav'", Window: day(90)},
		{Name: "price_max", Op: "max", Value: []string{"price"}, Where: "kind == 'fav'", Window: day(90)},
		{Name: "cost", Op: "sum", Value: []string{"cost"}, Window: day(30)},
		{Name: "first_seen", Op: "first", Value: []string{"at"}},
		{Name: "last_call", Op: "last", Value: []string{"item", "secs"}, Where: "kind == 'call'", Window: day(30)},
		{Name: "last_items", Op: "last_n", Key: []string{"item"}, Where: "kind == 'view'", N: 50, Window: day(30)},
		{Name: "pref", Op: "top_k", Key: []string{"item", "band"}, Where: "kind != 'view'", Weight: "kind == 'call' ? 8 : 3", Window: decay(7 * window.Day), HalfLife: 7 * window.Day, Limit: 20},
		{Name: "long", Op: "top_k", Key: []string{"item"}, Where: "kind != 'view'", Window: decay(30 * window.Day), HalfLife: 30 * window.Day, Limit: 20},
		{Name: "kinds", Op: "top_k", Key: []string{"kind"}, Window: day(30), Limit: 3},
		{Name: "call_rate", Ratio: &view.RatioSpec{Num: "call_30d", Den: "view_30d", Alpha: 1, Prior: 0.1}},
	}
	return spec
}

const (
	benchEntities = 200_000
	benchRows     = 4_096 // in a batch
)

// traffic makes batches whose rows are of users drawn from most: a few users have many of the rows.
func traffic(src *schema.Source, batches, users int) []*column.Batch {
	r := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(r, 1.1, 50, uint64(users-1))
	items := rand.NewZipf(r, 1.05, 3, 799)
	all := make([]*column.Batch, batches)
	row := int64(0)
	for i := range all {
		b := column.NewBatch(src, 0, false)
		for range benchRows {
			at := viewtest.Begin + row*20 // 50 events a second
			if r.IntN(50) == 0 {
				at -= r.Int64N(2 * window.Hour)
			}
			b.N++
			b.Offset, b.Time, b.Reject = append(b.Offset, row), append(b.Time, at), append(b.Reject, 0)
			b.Append, b.AppendType = append(b.Append, at), append(b.AppendType, column.LogAppendTime)
			b.Cols[viewtest.User].AppendBytes(fmt.Appendf(nil, "user-%07d", zipf.Uint64()))
			b.Cols[viewtest.Device].AppendInt(1)
			b.Cols[viewtest.Kind].AppendInt([]int64{0, 0, 0, 0, 0, 0, 0, 1, 1, 2}[r.IntN(10)])
			b.Cols[viewtest.Item].AppendInt(int64(items.Uint64()))
			b.Cols[viewtest.Price].AppendInt(r.Int64N(2_000))
			b.Cols[viewtest.Secs].AppendInt(r.Int64N(300))
			b.Cols[viewtest.At].AppendInt(at)
			b.Cols[viewtest.Note].AppendNull()
			row++
		}
		all[i] = b
	}
	return all
}

// everybody returns batches in which every user has one row.
func everybody(src *schema.Source) []*column.Batch {
	all := traffic(src, benchEntities/benchRows+1, benchEntities)
	user := 0
	for _, b := range all {
		c := &b.Cols[viewtest.User]
		c.Reset()
		for range b.N {
			c.AppendBytes(fmt.Appendf(nil, "user-%07d", user%benchEntities))
			user++
		}
	}
	return all
}

// live returns a fold in which every user lives, and batches of later traffic.
func live(t testing.TB) (*view.Fold, []*column.Batch) {
	t.Helper()
	p := compile(t, benchSpec())
	src := &p.Spec().Sources[0]
	f := p.NewFold()
	for _, b := range everybody(src) {
		f.Add(b, 0, b.N)
	}
	if f.Len() != benchEntities {
		t.Fatalf("%d entities", f.Len())
	}
	return f, traffic(src, 24, benchEntities)
}

// BenchmarkFold folds one batch of 4,096 events into 200,000 live entities; ns/event is what counts.
func BenchmarkFold(b *testing.B) {
	f, batches := live(b)
	for _, batch := range batches {
		f.Add(batch, 0, batch.N)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		batch := batches[i%len(batches)]
		f.Add(batch, 0, batch.N)
		i++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(i*benchRows), "ns/event")
}

// BenchmarkAppendBody writes the tiles of entities in turn.
func BenchmarkAppendBody(b *testing.B) {
	f, batches := live(b)
	for _, batch := range batches {
		f.Add(batch, 0, batch.N)
	}
	b.ReportAllocs()
	var buf []byte
	n, bytes := 0, 0
	for b.Loop() {
		buf = f.AppendBody(buf[:0], n%f.Len())
		n++
		bytes += len(buf)
	}
	b.ReportMetric(float64(bytes)/float64(n), "bytes/tile")
}

// ordinary returns the tiles of an ordinary row: a base of a month at 20 events a day, two deltas, two block tiles.
func ordinary(t testing.TB, p *view.Plan) [][]byte {
	t.Helper()
	src := &p.Spec().Sources[0]
	batch := traffic(src, 1, 2)[0]
	for i := range batch.N {
		// All rows are of one user, an hour and a bit apart.
		batch.Time[i] = viewtest.Begin + int64(i)*70*window.Minute
		batch.Offset[i] = int64(i)
	}
	user := &batch.Cols[viewtest.User]
	user.Reset()
	for range batch.N {
		user.AppendBytes([]byte("user-1"))
	}
	f := p.NewFold()
	tileOf := func(h tile.Header, from, to int) []byte {
		f.Reset()
		f.Add(batch, from, to)
		return f.AppendBody(h.Append(nil), 0)
	}
	return [][]byte{
		tileOf(tile.Header{Kind: tile.KindBase, Run: 1}, 0, 600),
		tileOf(tile.Header{Kind: tile.KindDelta, Run: 2}, 600, 608),
		tileOf(tile.Header{Kind: tile.KindDelta, Run: 3}, 608, 616),
		tileOf(tile.Header{Kind: tile.KindBlock, Block: 616}, 616, 624),
		tileOf(tile.Header{Kind: tile.KindBlock, Block: 624}, 624, 626),
	}
}

// parseAll takes a tile apart and steps over every varint of its states: what any reading has to do at least.
func parseAll(b *testing.B, enc []byte, body *tile.Body) (sum uint64) {
	b.Helper()
	_, rest, err := tile.ParseHeader(enc)
	if err == nil {
		err = body.ParseBody(rest)
	}
	if err != nil {
		b.Fatal(err)
	}
	for _, state := range body.States {
		for len(state) > 0 {
			v, n := binary.Uvarint(state)
			sum, state = sum+v, state[max(n, 1):]
		}
	}
	return sum
}

// BenchmarkMerger reads an ordinary row: a bare parse as yardstick, all features as values and as JSON, a few, and only the
// merge.
func BenchmarkMerger(b *testing.B) {
	p := compile(b, benchSpec())
	tiles := ordinary(b, p)
	size := 0
	for _, enc := range tiles {
		size += len(enc)
	}
	all := make([]int, len(p.Features()))
	for i := range all {
		all[i] = i
	}
	few := []int{p.Feature("view_24h"), p.Feature("call_rate"), p.Feature("price_avg")}
	b.Run("json", func(b *testing.B) {
		m := p.NewMerger()
		m.Want(all)
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			if err := read(m, tiles...); err != nil {
				b.Fatal(err)
			}
			buf = buf[:0]
			for _, i := range all {
				buf = m.AppendAnswer(buf, i, m.Newest())
			}
		}
		b.ReportMetric(float64(len(buf)), "bytes/answer")
	})
	b.Run("parse", func(b *testing.B) {
		var body tile.Body
		for b.Loop() {
			for _, enc := range tiles {
				parseAll(b, enc, &body)
			}
		}
	})
	for _, c := range []struct {
		name string
		want []int
		read []int
	}{{"all", all, all}, {"few", few, few}, {"merge", all, nil}} {
		b.Run(c.name, func(b *testing.B) {
			m := p.NewMerger()
			m.Want(c.want)
			b.ReportAllocs()
			for b.Loop() {
				if err := read(m, tiles...); err != nil {
					b.Fatal(err)
				}
				for _, i := range c.read {
					m.Value(i, m.Newest())
				}
			}
			b.ReportMetric(float64(size), "bytes/row")
		})
	}
}

// TestSteadyStateDoesNotAllocate folds later traffic into 200,000 live entities until their states have found their
// sizes, then counts.
func TestSteadyStateDoesNotAllocate(t *testing.T) {
	f, batches := live(t)
	for range 3 {
		for _, b := range batches {
			f.Add(b, 0, b.N)
		}
	}
	i := 0
	allocs := testing.AllocsPerRun(len(batches)-1, func() {
		b := batches[i%len(batches)]
		f.Add(b, 0, b.N/2)
		f.Add(b, b.N/2, b.N)
		i++
	})
	if allocs != 0 {
		t.Errorf("%v allocations a batch", allocs)
	}
}
