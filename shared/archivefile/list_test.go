package archivefile_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/position"
)

// touch makes empty files of the given ranges: List opens none.
func touch(t *testing.T, dir string, p position.Partition, ranges ...position.Range) {
	t.Helper()
	folder := archivefile.Folder(dir, p)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, r := range ranges {
		replace(t, filepath.Join(folder, archivefile.Name(r)), nil)
	}
}

func ranges(entries []archivefile.Entry) string {
	var s []string
	for _, e := range entries {
		s = append(s, e.Range.String())
	}
	return strings.Join(s, " ")
}

func TestList(t *testing.T) {
	t.Parallel()
	p := position.Partition{Source: "trips", ID: 4}
	for _, c := range []struct {
		name              string
		files             []position.Range
		want, superseded  string
		cut               int64 // of blocks of 100... of 128
		missing, overlaps string
	}{
		{name: "nothing"},
		{name: "one block", files: []position.Range{{From: 0, Next: 128}}, want: "[0,128)", cut: 128},
		{name: "an origin inside of a block", files: []position.Range{{From: 50, Next: 128}, {From: 128, Next: 256}}, want: "[50,128) [128,256)", cut: 256},
		{name: "less than a block", files: []position.Range{{From: 50, Next: 100}}, want: "[50,100)"},
		{
			name: "a tail", files: []position.Range{{From: 0, Next: 128}, {From: 128, Next: 255}}, want: "[0,128) [128,255)", cut: 128,
		},
		{
			name: "tails superseded", files: []position.Range{{From: 0, Next: 128}, {From: 0, Next: 9}, {From: 0, Next: 100}, {From: 128, Next: 130}, {From: 128, Next: 200}},
			want: "[0,128) [128,200)", superseded: "[0,100) [0,9) [128,130)", cut: 128,
		},
		{name: "a file of many blocks", files: []position.Range{{From: 0, Next: 1024}, {From: 128, Next: 256}}, want: "[0,1024)", superseded: "[128,256)", cut: 1024},
		{name: "a gap", files: []position.Range{{From: 0, Next: 128}, {From: 256, Next: 384}}, missing: "[128,256)"},
		{name: "an overlap", files: []position.Range{{From: 0, Next: 128}, {From: 100, Next: 256}}, overlaps: "overlap"},
	} {
		dir := t.TempDir()
		touch(t, dir, p, c.files...)
		got, err := archivefile.List(dir, p)
		if text := c.missing + c.overlaps; text != "" {
			if !errors.Is(err, archivefile.ErrCoverage) || !strings.Contains(fmt.Sprint(err), text) || !strings.Contains(fmt.Sprint(err), archivefile.Name(c.files[1])) {
				t.Errorf("%s: got %v", c.name, err)
			}
			continue
		}
		if err != nil || ranges(got.Files) != c.want || ranges(got.Superseded) != c.superseded || got.Cut(128) != c.cut {
			t.Errorf("%s: got %s, superseded %s, cut %d, %v", c.name, ranges(got.Files), ranges(got.Superseded), got.Cut(128), err)
		}
	}
}

func TestListOverlooksAndRefusesNames(t *testing.T) {
	t.Parallel()
	p := position.Partition{Source: "trips", ID: 0}
	dir := t.TempDir()
	touch(t, dir, p, position.Range{From: 0, Next: 128})
	folder := archivefile.Folder(dir, p)
	for _, name := range []string{".123.tmp", ".DS_Store", ".0000000000000128-0000000000000256.parquet", "README"} {
		replace(t, filepath.Join(folder, name), nil)
	}
	if c, err := archivefile.List(dir, p); err != nil || ranges(c.Files) != "[0,128)" {
		t.Errorf("got %s, %v", ranges(c.Files), err)
	}
	for _, name := range []string{
		"128-256.parquet", "0000000000000256-0000000000000128.parquet", "0000000000000128-0000000000000128.parquet",
		"0000000000000128_0000000000000256.parquet", "9007199254740992-9007199254740993.parquet", "x.parquet",
		"000000000000+128-0000000000000256.parquet",
	} {
		path := filepath.Join(folder, name)
		replace(t, path, nil)
		if _, err := archivefile.List(dir, p); !errors.Is(err, archivefile.ErrCoverage) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v", name, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	last := position.Range{From: position.MaxOffset, Next: position.MaxOffset + 1}
	dir = t.TempDir()
	touch(t, dir, p, last)
	if c, err := archivefile.List(dir, p); err != nil || c.Range() != last {
		t.Errorf("the last offset of all: got %s, %v", c.Range(), err)
	}
}

func TestCutAndOrigin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if cut, err := archivefile.Cut(dir, "trips", 128); err != nil || len(cut) != 0 {
		t.Errorf("no archive: got %s, %v", cut, err)
	}
	for id, r := range map[int32]position.Range{0: {From: 0, Next: 300}, 2: {From: 70, Next: 100}, 10: {From: 1000, Next: 1280}} {
		touch(t, dir, position.Partition{Source: "trips", ID: id}, r)
	}
	touch(t, dir, position.Partition{Source: "trips", ID: 3}) // a folder without files
	for _, stray := range []string{"x", "01", "-1"} {
		if err := os.Mkdir(filepath.Join(dir, "trips", stray), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	ids, err := archivefile.Partitions(dir, "trips")
	if err != nil || fmt.Sprint(ids) != "[0 2 3 10]" {
		t.Errorf("partitions %v, %v", ids, err)
	}
	if cut, err := archivefile.Cut(dir, "trips", 128); err != nil || cut.String() != "trips/0:256 trips/2:0 trips/10:1280" {
		t.Errorf("cut %s, %v", cut, err)
	}
	origin, err := archivefile.Origin(dir, "trips")
	if err != nil || position.Cut(origin).String() != "trips/0:0 trips/2:70 trips/10:1000" {
		t.Errorf("origin %s, %v", position.Cut(origin), err)
	}
}
