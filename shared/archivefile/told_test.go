package archivefile_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/column"
)

// TestColumnsThatTheFooterTells: offsets without gaps, and types and reasons that are all the same, are not decoded, but by
// those who want everything; the rows are the same. Damage is found all the same.
func TestColumnsThatTheFooterTells(t *testing.T) {
	t.Parallel()
	src := trips()
	everything := archivefile.Everything(src)
	few := archivefile.Want{Fields: everything.Fields}
	for _, gaps := range []bool{false, true} {
		for _, rejects := range []int{0, 1, 300} { // none, some, all
			for _, types := range []int{0, 1, 2} { // all the one, all the other, both
				t.Run(fmt.Sprintf("gaps=%t,rejects=%d,types=%d", gaps, rejects, types), func(t *testing.T) {
					t.Parallel()
					records := newGenerator(7).log(300, 1000)
					for i := range records {
						r := &records[i]
						if r.Value = fmt.Appendf(nil, `{"at":%d,"user":"u%d"}`, r.Append, i%7); i < rejects {
							r.Value = []byte("{")
						}
						if !gaps {
							r.Offset = 1000 + int64(i)
						}
						if types < 2 {
							r.AppendType = column.TimeType(types)
						}
					}
					path := write(t, t.TempDir(), src, 0, 1000, 2000, records)
					stored := linesOf(t, path, everything, few)
					same(t, linesOf(t, path, few, few), stored)
					told := map[string]bool{"_offset": !gaps, "_append": false, "_append_type": types < 2, "_reject": rejects != 1}
					good := contents(t, path)
					for name, told := range told {
						bad := append([]byte(nil), good...)
						bad[chunkAt(t, path, name)] ^= 1
						replace(t, path, bad)
						for _, want := range []archivefile.Want{everything, few} {
							if _, err := linesOfErr(path, want, few); !errors.Is(err, archivefile.ErrDamaged) {
								t.Errorf("%s damaged: got %v", name, err)
							}
						}
						sealed, ok := archivefile.Reseal(bad)
						if !ok {
							t.Fatal("the file has no seal")
						}
						replace(t, path, sealed) // no checksum tells now: who decodes it fails
						switch got, err := linesOfErr(path, few, few); {
						case !told && !errors.Is(err, archivefile.ErrDamaged):
							t.Errorf("%s damaged, with its checksum: got %v", name, err)
						case told && err != nil:
							t.Errorf("%s is decoded though its footer tells it: %v", name, err)
						case told:
							same(t, got, stored)
						}
					}
				})
			}
		}
	}
}

func chunkAt(t *testing.T, path, column string) int64 {
	t.Helper()
	r, err := archivefile.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, r)
	return r.ChunkAt(column)
}

func linesOf(t *testing.T, path string, read, show archivefile.Want) []string {
	t.Helper()
	rows, err := linesOfErr(path, read, show)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// linesOfErr reads a file of trips with the columns of read, and returns its rows with those of show.
func linesOfErr(path string, read, show archivefile.Want) (rows []string, err error) {
	r, err := archivefile.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	err = r.Read(context.Background(), trips(), read, func(b *column.Batch) error {
		rows = append(rows, lines(b, show)...)
		return nil
	})
	return rows, err
}
