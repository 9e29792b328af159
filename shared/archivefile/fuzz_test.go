package archivefile_test

import (
	"errors"
	"os"
	"testing"

	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/testdata/fuzzing"
)

// FuzzRead shows the reader changed files, as they are and with checksums that fit the change: it may refuse them or give
// back rows that are in order, but neither panics nor asks for memory beyond reason.
func FuzzRead(f *testing.F) {
	src := trips()
	for seed, n := range []int{0, 3, 40} {
		f.Add(contents(f, write(f, f.TempDir(), src, 0, 0, 100, newGenerator(uint64(seed)).log(n, 0))), uint(0), byte(0))
	}
	fuzzing.Target(f, func(t *testing.T, b []byte, at uint, flip byte) {
		changed := append([]byte(nil), b...)
		if len(changed) > 0 {
			changed[at%uint(len(changed))] ^= flip
		}
		readAll(t, changed)
		if fitting, ok := archivefile.Reseal(changed); ok {
			readAll(t, fitting)
		}
	})
}

func readAll(t *testing.T, b []byte) {
	r, err := archivefile.OpenBytes(b)
	if err != nil {
		if !errors.Is(err, archivefile.ErrDamaged) && !errors.Is(err, archivefile.ErrVersion) {
			t.Fatalf("an error of no class: %v", err)
		}
		return
	}
	src := r.Footer().Source
	src.SetDefaults()
	last, rows := r.Footer().Range.From-1, int64(0)
	err = r.Read(t.Context(), &src, archivefile.Everything(&src), func(b *column.Batch) error {
		for _, offset := range b.Offset {
			if offset <= last || offset >= r.Footer().Range.Next {
				t.Fatalf("offset %d after %d in %s", offset, last, r.Footer().Range)
			}
			last = offset
		}
		lines(b, archivefile.Everything(&src))
		rows += int64(b.N)
		return nil
	})
	if err == nil && rows != r.Footer().Rows {
		t.Fatalf("%d rows, the footer says %d", rows, r.Footer().Rows)
	}
	if err != nil && !errors.Is(err, archivefile.ErrDamaged) {
		t.Fatalf("an error of no class: %v", err)
	}
}

// FuzzTopic reads any bytes as the file that says which topic a source's archive holds: they are refused with a class, or
// name a topic.
func FuzzTopic(f *testing.F) {
	frozen, err := os.ReadFile("testdata/trips/topic.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(frozen)
	fuzzing.Target(f, func(t *testing.T, b []byte) {
		topic, err := archivefile.DecodeTopic("trips", b)
		if err != nil && !errors.Is(err, archivefile.ErrDamaged) && !errors.Is(err, archivefile.ErrVersion) {
			t.Fatalf("an error of no class: %v", err)
		}
		if err == nil && !topic.Valid() {
			t.Fatalf("read %+v", topic)
		}
	})
}
