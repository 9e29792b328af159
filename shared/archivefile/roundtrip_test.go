package archivefile_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/record"
	"github.com/tidemark-io/tidemark/shared/schema"
)

func TestReadGivesBackWhatWasDecoded(t *testing.T) {
	t.Parallel()
	src := trips()
	for seed := range uint64(15) {
		g := newGenerator(seed)
		from := g.Int64N(1 << 20)
		records := g.log(g.IntN(600), from)
		path := write(t, t.TempDir(), src, 3, from, from+1000, records)
		t.Logf("seed %d: %d records", seed, len(records))
		same(t, rowsOf(t, path, src, archivefile.Everything(src)), lines(decoded(t, src, 3, records), archivefile.Everything(src)))
		some := archivefile.Want{Fields: []int{6, 1}}
		same(t, rowsOf(t, path, src, some), lines(decoded(t, src, 3, records), some))
	}
}

// TestReadFillsOnlyWhatIsWanted shows that other columns have no rows.
func TestReadFillsOnlyWhatIsWanted(t *testing.T) {
	t.Parallel()
	src := trips()
	r, err := archivefile.Open(write(t, t.TempDir(), src, 0, 0, 1000, newGenerator(1).log(100, 0)))
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, r)
	err = r.Read(t.Context(), src, archivefile.Want{Fields: []int{3}}, func(b *column.Batch) error {
		for i := range b.Cols {
			if wanted := i == 3 || i == src.EventTimeIndex(); (b.Cols[i].N == b.N) != wanted {
				t.Errorf("column %q has %d of %d rows", src.Fields[i].Name, b.Cols[i].N, b.N)
			}
		}
		if b.Archive != nil {
			t.Error("the archive's columns are there")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestSameRowsSameBytes is what lets two archivers write one file: however the rows came, the bytes are the same.
func TestSameRowsSameBytes(t *testing.T) {
	t.Parallel()
	src := trips()
	for seed := range uint64(4) {
		g := newGenerator(seed)
		records := g.log(500, 0)
		var first []byte
		for range 3 {
			w := archivefile.NewWriter(archivefile.OS{}, t.TempDir(), src, 0, 0)
			for rest := records; len(rest) > 0; {
				n := 1 + g.IntN(len(rest))
				if err := w.Append(decoded(t, src, 0, rest[:n])); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			path, err := w.Commit(1024)
			if err != nil {
				t.Fatal(err)
			}
			if b := contents(t, path); first == nil {
				first = b
			} else if !bytes.Equal(b, first) {
				t.Fatalf("seed %d: the bytes depend on how the rows were handed over", seed)
			}
		}
	}
}

// TestRowGroups passes both bounds of a row group by one and compares the rows; the way they came makes no difference.
func TestRowGroups(t *testing.T) {
	t.Parallel()
	src := &schema.Source{Name: "s", EventTime: "t", Fields: []schema.Field{
		{Name: "t", Type: schema.Time}, {Name: "v", Type: schema.String},
	}}
	src.SetDefaults()
	long := append(append([]byte(`{"t":1,"v":"`), bytes.Repeat([]byte("x"), archivefile.GroupBytes/3)...), `"}`...)
	for _, c := range []struct {
		name   string
		n      int
		value  []byte
		groups []int
	}{
		{"no rows", 0, nil, nil},
		{"one group", archivefile.GroupRows, []byte(`{"t":1,"v":"a"}`), []int{archivefile.GroupRows}},
		{"one row more", archivefile.GroupRows + 1, []byte(`{"t":1,"v":"a"}`), []int{archivefile.GroupRows, 1}},
		{"many bytes", 4, long, []int{3, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var bytesOf [][]byte
			for _, step := range []int{c.n + 1, 2} {
				if c.n > 10 {
					step = min(step, 4099+step/2)
				}
				w := archivefile.NewWriter(archivefile.OS{}, t.TempDir(), src, 0, 0)
				for at := 0; at < c.n; at += step {
					var records []record.Record
					for i := at; i < min(at+step, c.n); i++ {
						records = append(records, record.Record{Offset: int64(i), Append: 5, Value: c.value})
					}
					if err := w.Append(decoded(t, src, 0, records)); err != nil {
						t.Fatal(err)
					}
				}
				path, err := w.Commit(1 << 17)
				if err != nil {
					t.Fatal(err)
				}
				checkGroups(t, path, src, c.groups)
				bytesOf = append(bytesOf, contents(t, path))
			}
			if !bytes.Equal(bytesOf[0], bytesOf[1]) {
				t.Error("the bytes depend on how the rows were handed over")
			}
		})
	}
}

func checkGroups(t *testing.T, path string, src *schema.Source, want []int) {
	t.Helper()
	r, err := archivefile.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, r)
	if err := r.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	at, next := 0, int64(0)
	err = r.Read(t.Context(), src, archivefile.Everything(src), func(b *column.Batch) error {
		if at >= len(want) || b.N != want[at] || b.Offset[0] != next {
			t.Errorf("group %d has %d rows from %d on, want %v", at, b.N, b.Offset[0], want)
		}
		at++
		next += int64(b.N)
		return nil
	})
	if err != nil || at != len(want) {
		t.Errorf("%d groups, error %v", at, err)
	}
}

func TestReadStopsWhenToldTo(t *testing.T) {
	t.Parallel()
	src := trips()
	r, err := archivefile.Open(write(t, t.TempDir(), src, 0, 0, 1000, newGenerator(1).log(100, 0)))
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, r)
	enough := errors.New("enough")
	if err := r.Read(t.Context(), src, archivefile.Want{}, func(*column.Batch) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Read(ctx, src, archivefile.Want{}, func(*column.Batch) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestWriterRefusesRows(t *testing.T) {
	t.Parallel()
	src := trips()
	records := newGenerator(2).log(10, 100)
	folded := column.NewBatch(src, 0, false)
	for name, b := range map[string]*column.Batch{
		"before the range":        decoded(t, src, 0, newGenerator(2).log(10, 0)),
		"of another partition":    decoded(t, src, 1, records),
		"without archive columns": folded,
		"past the last offset":    decoded(t, src, 0, []record.Record{{Offset: position.MaxOffset + 1}}),
		"out of order":            decoded(t, src, 0, []record.Record{records[1], records[0]}),
	} {
		w := archivefile.NewWriter(archivefile.OS{}, t.TempDir(), src, 0, 100)
		if err := w.Append(b); !errors.Is(err, archivefile.ErrRows) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	w := archivefile.NewWriter(archivefile.OS{}, t.TempDir(), src, 0, 100)
	if err := w.Append(decoded(t, src, 0, records)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(records[9].Offset); !errors.Is(err, archivefile.ErrRows) {
		t.Errorf("a range that ends before its last row: got %v", err)
	}
}

func TestScan(t *testing.T) {
	t.Parallel()
	src, dir := trips(), t.TempDir()
	records := newGenerator(3).log(600, 40)
	all := decoded(t, src, 0, records)
	cuts := []int{0, 100, 101, 350, 600}
	bounds := []int64{37}
	for i := range len(cuts) - 1 {
		next := records[cuts[i+1]-1].Offset + 1
		write(t, dir, src, 0, bounds[i], next, records[cuts[i]:cuts[i+1]])
		bounds = append(bounds, next)
	}
	want := archivefile.Everything(src)
	scan := func(r position.Range) ([]string, error) {
		var rows []string
		err := archivefile.Scan(t.Context(), dir, src, 0, r, want, func(b *column.Batch) error {
			rows = append(rows, lines(b, want)...)
			return nil
		})
		return rows, err
	}
	g := newGenerator(4)
	for range 60 {
		r := position.Range{From: 37 + g.Int64N(bounds[4]-37)}
		r.Next = r.From + g.Int64N(bounds[4]-r.From+1)
		got, err := scan(r)
		if err != nil {
			t.Fatal(err)
		}
		var expected []string
		for i, line := range lines(all, want) {
			if r.Contains(all.Offset[i]) {
				expected = append(expected, line)
			}
		}
		same(t, got, expected)
	}
	for _, r := range []position.Range{{From: 36, Next: 40}, {From: 40, Next: bounds[4] + 1}} {
		if _, err := scan(r); !errors.Is(err, archivefile.ErrCoverage) {
			t.Errorf("%s: got %v", r, err)
		}
	}
}

// TestDirScan reads stretches of an archive as a consumer of the log does: batches with the offset after each.
func TestDirScan(t *testing.T) {
	t.Parallel()
	src, dir := trips(), t.TempDir()
	records := newGenerator(3).log(300, 40)
	all := decoded(t, src, 0, records)
	middle := records[150].Offset
	last := records[299].Offset
	write(t, dir, src, 0, 37, middle, records[:150])
	write(t, dir, src, 0, middle, last+1, records[150:])
	write(t, dir, src, 0, last+1, last+9, nil)
	want := archivefile.Want{Fields: archivefile.Everything(src).Fields}
	for _, c := range []struct{ from, to, reached int64 }{
		{37, last + 100, last + 9},
		{middle - 20, middle + 20, middle + 20},
		{last, last + 9, last + 9},
		{last + 3, last + 5, last + 5},
		{36, last, 36},
		{last + 9, last + 20, last + 9},
	} {
		var got, expected []string
		var kept []*column.Batch
		at := c.from
		reached, err := archivefile.Dir(dir).Scan(t.Context(), src, 0, c.from, c.to, func(b *column.Batch, next int64) error {
			if next <= at {
				t.Errorf("%v: batch ends at %d after %d", c, next, at)
			}
			at = next
			kept = append(kept, b)
			return nil
		})
		if err != nil || reached != c.reached || at != c.reached {
			t.Errorf("%v: reached %d, batches %d, %v", c, reached, at, err)
		}
		for _, b := range kept {
			got = append(got, lines(b, want)...)
		}
		for i, line := range lines(all, want) {
			if c.from <= all.Offset[i] && all.Offset[i] < c.reached {
				expected = append(expected, line)
			}
		}
		same(t, got, expected)
	}
}

// TestOpenedCounts shows the counter that tells how many files a run has read.
func TestOpenedCounts(t *testing.T) {
	src, dir := trips(), t.TempDir()
	path := write(t, dir, src, 0, 0, 1000, newGenerator(1).log(10, 0))
	before := archivefile.Opened()
	rowsOf(t, path, src, archivefile.Want{})
	if _, err := archivefile.Cut(dir, src.Name, src.Block); err != nil {
		t.Fatal(err)
	}
	if n := archivefile.Opened() - before; n != 1 {
		t.Errorf("%d files opened, want the 1 that was read", n)
	}
}

// TestFrozenFile reads a file that the first release wrote. -rewrite is not offered: a format that changes gets a number.
func TestFrozenFile(t *testing.T) {
	t.Parallel()
	src := trips()
	records := newGenerator(1).log(200, 10)
	frozen := filepath.Join("testdata", "trips", "7", archivefile.Name(position.Range{From: 8, Next: 256}))
	if os.Getenv("TIDEMARK_FREEZE") != "" {
		write(t, "testdata", src, 7, 8, 256, records)
	}
	same(t, rowsOf(t, frozen, src, archivefile.Everything(src)), lines(decoded(t, src, 7, records), archivefile.Everything(src)))
	old, err := archivefile.Open(frozen)
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, old)
	if err := old.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	now, err := archivefile.Open(write(t, t.TempDir(), src, 7, 8, 256, records))
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, now)
	if !now.Footer().Equal(old.Footer()) {
		t.Errorf("the same rows have another footer today:\n%+v\n%+v", now.Footer(), old.Footer())
	}
}
