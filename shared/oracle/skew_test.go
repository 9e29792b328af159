package oracle_test

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/oracle"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/shared/window"
)

// skewed is a view of users and their items.
func skewed(t *testing.T, features ...view.FeatureSpec) *view.Plan {
	t.Helper()
	p, err := view.Compile(view.Spec{
		Name: "user",
		Sources: []schema.Source{{
			Name: "clicks", EventTime: "at", Block: 1 << 14,
			Fields: []schema.Field{{Name: "at", Type: schema.Time, Required: true}, {Name: "user", Type: schema.String}, {Name: "item", Type: schema.Int64}},
		}},
		Entity:   []view.KeySpec{{Kind: "user", Fields: []string{"user"}}},
		Features: features,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// clicks makes a log, a batch for each block, of so many events, ten seconds apart.
func clicks(p *view.Plan, n int, user func(i int) string, item func(i int) int64) []*column.Batch {
	src := &p.Spec().Sources[0]
	var log []*column.Batch
	var b *column.Batch
	for i := range n {
		if int64(i)%src.Block == 0 {
			b = column.NewBatch(src, 0, false)
			log = append(log, b)
		}
		at := 1_700_000_000_000 + int64(i)*10*window.Second
		b.N++
		b.Offset, b.Time, b.Reject = append(b.Offset, int64(i)), append(b.Time, at), append(b.Reject, 0)
		b.Append, b.AppendType = append(b.Append, at), append(b.AppendType, column.LogAppendTime)
		b.Cols[0].AppendInt(at)
		b.Cols[1].AppendBytes([]byte(user(i)))
		b.Cols[2].AppendInt(item(i))
	}
	return log
}

// blocks folds each block alone, as the speed layer does.
func blocks(p *view.Plan, log []*column.Batch) []*view.Fold {
	folds := make([]*view.Fold, 0, len(log))
	for _, b := range log {
		folds = append(folds, fold(p, []*column.Batch{b}))
	}
	return folds
}

// tilesOf returns the block tiles of one entity.
func tilesOf(folds []*view.Fold, log []*column.Batch, key string) [][]byte {
	var tiles [][]byte
	for i, f := range folds {
		if slot, ok := f.Lookup([]byte(key)); ok {
			tiles = append(tiles, f.AppendBody(tile.Header{Kind: tile.KindBlock, Block: log[i].Offset[0]}.Append(nil), slot))
		}
	}
	return tiles
}

func mergedBody(t *testing.T, p *view.Plan, tiles [][]byte) (*view.Merger, []byte) {
	t.Helper()
	m := p.NewMerger()
	m.Reset()
	for _, enc := range tiles {
		if _, err := m.AddTile(enc); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Finish(); err != nil {
		t.Fatal(err)
	}
	return m, m.AppendBody(nil)
}

// TestHotKey: one user has half of all events. Its tiles and everybody's are what the plain fold says, and grow with what
// they hold, not with the events.
func TestHotKey(t *testing.T) {
	t.Parallel()
	p := skewed(t,
		view.FeatureSpec{Name: "n", Op: "count", Window: window.Window{Length: 30 * window.Day, Hop: window.Day}},
		view.FeatureSpec{Name: "top", Op: "top_k", Key: []string{"item"}, Limit: 10},
		view.FeatureSpec{Name: "latest", Op: "last_n", Value: []string{"item"}, N: 50})
	r := rand.New(rand.NewPCG(1, 1))
	log := clicks(p, 40_000, func(int) string {
		if r.IntN(2) == 0 {
			return "hot"
		}
		return strconv.Itoa(r.IntN(5_000))
	}, func(int) int64 { return r.Int64N(200) })
	o, err := oracle.New(p)
	if err != nil {
		t.Fatal(err)
	}
	entities := o.Group(log)
	if hot := len(entities["user:hot"]); hot < 19_000 || len(entities) < 4_000 {
		t.Fatalf("%d of the events are of one key, of %d", hot, len(entities))
	}
	checked, folds := 0, blocks(p, log)
	for key, events := range entities {
		if checked++; checked > 200 && key != "user:hot" {
			continue
		}
		want, err := o.Body(events)
		if err != nil {
			t.Fatal(err)
		}
		if _, got := mergedBody(t, p, tilesOf(folds, log, key)); !bytes.Equal(got, want) {
			t.Fatalf("%s: %x, the oracle has %x", key, got, want)
		}
		if len(want) > 8<<10 {
			t.Errorf("the tile of %s has %d bytes", key, len(want))
		}
	}
}

// TestMillionDistinctValues: of an entity with a million different values, distinct and last_n keep what their bounds
// say; in whatever tiles the log is cut, the merged row is one fold's, byte for byte. top_k, which keeps every key, is
// what such an entity must not be given: its tile has some bytes for each, and is still read and merged.
func TestMillionDistinctValues(t *testing.T) {
	t.Parallel()
	const values, most = 1_000_000, 32 << 10
	count := view.FeatureSpec{Name: "n", Op: "count"}
	bounded := []view.FeatureSpec{
		count,
		{Name: "items", Op: "distinct", Key: []string{"item"}},
		{Name: "latest", Op: "last_n", Value: []string{"item"}, N: 1_024},
	}
	for name, c := range map[string]struct {
		features    []view.FeatureSpec
		values      int
		atMostBytes int
	}{
		"bounded": {bounded, values, most},
		"top_k":   {[]view.FeatureSpec{count, {Name: "top", Op: "top_k", Key: []string{"item"}, Limit: 10}}, values / 10, values / 10 * 16},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := skewed(t, c.features...)
			log := clicks(p, c.values, func(int) string { return "u" }, func(i int) int64 { return int64(i) * 7_919 })
			whole := fold(p, log)
			want := whole.AppendBody(nil, 0)
			m, got := mergedBody(t, p, tilesOf(blocks(p, log), log, "user:u"))
			if !bytes.Equal(got, want) {
				t.Fatal("the merged tiles are not the fold of the whole log")
			}
			if len(got) > c.atMostBytes {
				t.Errorf("the tile has %d bytes, want at most %d", len(got), c.atMostBytes)
			}
			if n := m.Value(0, m.Newest()).Lo; n != uint64(c.values) {
				t.Errorf("%d events are counted", n)
			}
			if n := m.Value(1, m.Newest()); name == "bounded" && (n.Lo < values*95/100 || n.Lo > values*105/100) {
				t.Errorf("%s distinct values, of %d", n, values)
			}
			t.Logf("%s: %d values in %d bytes", name, c.values, len(got))
		})
	}
}
