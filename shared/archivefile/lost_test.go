package archivefile_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/position"
)

// TestLost: a file that says that its range is lost stands in the archive like one without rows, and says what it is by its
// name and by itself.
func TestLost(t *testing.T) {
	t.Parallel()
	dir, src := t.TempDir(), trips()
	p := position.Partition{Source: src.Name}
	records := newGenerator(1).log(60, 100)
	end := records[len(records)-1].Offset + 1
	write(t, dir, src, 0, 100, end, records)
	lost := position.Range{From: end, Next: end + 1000}
	var paths []string
	for range 2 { // saying it again changes nothing
		path, err := archivefile.WriteLost(archivefile.OS{}, dir, src, 0, lost)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	if paths[0] != paths[1] || filepath.Base(paths[0]) != archivefile.LostName(lost) {
		t.Fatalf("written to %v", paths)
	}
	more := newGenerator(2).log(20, lost.Next)
	write(t, dir, src, 0, lost.Next, lost.Next+100, more)

	c, err := archivefile.List(dir, p)
	if err != nil || !slices.Equal(c.Lost(), []position.Range{lost}) || c.Range() != (position.Range{From: 100, Next: lost.Next + 100}) {
		t.Fatalf("%+v, %v", c, err)
	}
	f, err := archivefile.Open(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if !f.Footer().Lost || f.Footer().Rows != 0 || f.Verify(t.Context()) != nil {
		t.Fatalf("%+v", f.Footer())
	}
	rows := 0
	next, err := archivefile.Dir(dir).Scan(t.Context(), src, 0, end-1, lost.Next+1, func(b *column.Batch, _ int64) error {
		rows += b.N
		return nil
	})
	if err != nil || next != lost.Next+1 || rows < 1 || rows > 2 {
		t.Errorf("read on to %d with %d rows, %v", next, rows, err)
	}

	// A file is what its name says, or it is damaged.
	for from, to := range map[string]string{paths[0]: archivefile.Name(lost), c.Files[0].Path: archivefile.LostName(c.Files[0].Range)} {
		renamed := filepath.Join(t.TempDir(), src.Name, "0", to)
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(renamed), 0o700); err != nil {
			t.Fatal(err)
		}
		replace(t, renamed, b)
		if _, err := archivefile.Open(renamed); !errors.Is(err, archivefile.ErrDamaged) {
			t.Errorf("renamed to %s: %v", to, err)
		}
	}
}

// TestLostAndFound: records that turn up for what was said to be lost count, whole; in part they stop everybody, for the rest
// would be lost without a word.
func TestLostAndFound(t *testing.T) {
	t.Parallel()
	p := position.Partition{Source: "trips"}
	lost := position.Range{From: 128, Next: 256}
	for _, c := range []struct {
		file position.Range
		ok   bool
	}{
		{position.Range{From: 128, Next: 256}, true},
		{position.Range{From: 128, Next: 384}, true},
		{position.Range{From: 0, Next: 256}, true},
		{position.Range{From: 128, Next: 200}, false},
		{position.Range{From: 130, Next: 256}, false},
		{position.Range{From: 200, Next: 384}, false},
	} {
		dir := t.TempDir()
		touch(t, dir, p, c.file)
		replace(t, filepath.Join(archivefile.Folder(dir, p), archivefile.LostName(lost)), nil)
		got, err := archivefile.List(dir, p)
		if !c.ok {
			if !errors.Is(err, archivefile.ErrCoverage) {
				t.Errorf("%s: %v", c.file, err)
			}
			continue
		}
		if err != nil || len(got.Files) != 1 || got.Files[0].Lost || len(got.Superseded) != 1 {
			t.Errorf("%s: %+v, %v", c.file, got, err)
		}
	}
}
