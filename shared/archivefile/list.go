package archivefile

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidemark-io/tidemark/shared/position"
)

// Entry is a file of a partition.
type Entry struct {
	Path  string
	Range position.Range
	// Lost says that nobody has the records of the range, which was accepted: the file has no rows.
	Lost bool
}

// Coverage is what the archive holds of one partition.
type Coverage struct {
	Partition position.Partition
	// Files are in order and without a gap: each begins where the one before ends. Empty if nothing is archived.
	Files []Entry
	// Superseded are files that lie inside of one in Files: tails that were closed by age. Nobody reads them.
	Superseded []Entry
}

// Range returns the interval that the files cover, from the partition's origin on; empty if there are none.
func (c *Coverage) Range() position.Range {
	if len(c.Files) == 0 {
		return position.Range{}
	}
	return position.Range{From: c.Files[0].Range.From, Next: c.Files[len(c.Files)-1].Range.Next}
}

// Lost returns the ranges that were accepted as lost, in order.
func (c *Coverage) Lost() []position.Range {
	var lost []position.Range
	for _, e := range c.Files {
		if e.Lost {
			lost = append(lost, e.Range)
		}
	}
	return lost
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// Cut returns the label of the first block of size block that the coverage does not hold to its end. A block whose head
// lies before the origin counts as held: the log never had it, or has lost it before the archive began.
func (c *Coverage) Cut(block int64) int64 { return position.Block(c.Range().Next, block) }

// Overlapping returns the files that hold offsets of r, in order. It does not say whether they hold all of them.
func (c *Coverage) Overlapping(r position.Range) []Entry {
	from, _ := slices.BinarySearchFunc(c.Files, r.From, func(e Entry, offset int64) int { return cmp.Compare(e.Range.Next-1, offset) })
	to, _ := slices.BinarySearchFunc(c.Files, r.Next, func(e Entry, offset int64) int { return cmp.Compare(e.Range.From, offset) })
	return c.Files[from:max(from, to)]
}

// List says what the archive below dir holds of partition p, from file names alone: no file is opened. Names that begin
// with a dot or do not end with .parquet are none of ours and ignored. Two files that overlap without one containing the
// other, and a gap between two files, are an error of class ErrCoverage that names them.
func List(dir string, p position.Partition) (Coverage, error) {
	c := Coverage{Partition: p}
	folder := Folder(dir, p)
	names, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return c, fmt.Errorf("listing archive of %s: %w", p, err)
	}
	var entries []Entry
	for _, e := range names {
		if strings.HasPrefix(e.Name(), ".") || !strings.HasSuffix(e.Name(), extension) {
			continue
		}
		path := filepath.Join(folder, e.Name())
		r, lost, ok := parseName(e.Name())
		if !ok {
			return c, fmt.Errorf("listing archive of %s: %w: %s is no name of an archive file; move it away", p, ErrCoverage, path)
		}
		entries = append(entries, Entry{Path: path, Range: r, Lost: lost})
	}
	if err := c.resolve(entries); err != nil {
		return c, fmt.Errorf("listing archive of %s: %w", p, err)
	}
	return c, nil
}

// resolve puts the entries in order and the superseded ones aside.
func (c *Coverage) resolve(entries []Entry) error {
	// Of two files that begin at one offset the longer comes first: it contains the other. Of the same range, records come
	// before the word that there are none.
	slices.SortFunc(entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Range.From, b.Range.From), cmp.Compare(b.Range.Next, a.Range.Next), boolCompare(a.Lost, b.Lost))
	})
	for _, e := range entries {
		if len(c.Files) == 0 {
			c.Files = append(c.Files, e)
			continue
		}
		switch last := c.Files[len(c.Files)-1]; {
		case e.Range.Next <= last.Range.Next && last.Lost && !e.Lost:
			return fmt.Errorf("%w: %s holds records that %s says are lost; move the latter away, and accept as lost what is lost",
				ErrCoverage, e.Path, last.Path)
		case e.Range.Next <= last.Range.Next:
			c.Superseded = append(c.Superseded, e)
		case e.Range.From == last.Range.Next:
			c.Files = append(c.Files, e)
		case e.Range.From < last.Range.Next:
			return fmt.Errorf("%w: %s and %s overlap; move away the one that does not belong", ErrCoverage, last.Path, e.Path)
		default:
			return fmt.Errorf("%w: offsets [%d,%d) are missing between %s and %s; restore the file that held them",
				ErrCoverage, last.Range.Next, e.Range.From, last.Path, e.Path)
		}
	}
	return nil
}

// Partitions returns the numbers of the partitions of a source that have a folder below dir, in order.
func Partitions(dir, source string) ([]int32, error) {
	entries, err := os.ReadDir(filepath.Join(dir, source))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing archive of %s: %w", source, err)
	}
	var ids []int32
	for _, e := range entries {
		id, err := strconv.ParseInt(e.Name(), 10, 32)
		if err == nil && e.IsDir() && id >= 0 && strconv.FormatInt(id, 10) == e.Name() {
			ids = append(ids, int32(id))
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// Cut returns the cut that the archive of a source with the given block size allows: for every partition with a file the
// first block that is not held whole. Errors are those of List.
func Cut(dir, source string, block int64) (position.Cut, error) {
	return each(dir, source, func(c *Coverage) int64 { return c.Cut(block) })
}

// Origin returns, for every partition of a source with a file, the first offset that the archive holds. Errors are those
// of List.
func Origin(dir, source string) (map[position.Partition]int64, error) {
	return each(dir, source, func(c *Coverage) int64 { return c.Range().From })
}

func each(dir, source string, value func(*Coverage) int64) (map[position.Partition]int64, error) {
	ids, err := Partitions(dir, source)
	if err != nil {
		return nil, err
	}
	values := make(map[position.Partition]int64, len(ids))
	for _, id := range ids {
		p := position.Partition{Source: source, ID: id}
		c, err := List(dir, p)
		if err != nil {
			return nil, err
		}
		if len(c.Files) > 0 {
			values[p] = value(&c)
		}
	}
	return values, nil
}

// RemoveAbandoned removes the temporary files of partition p, and of its source, that were last written before the given
// time: what a writer that was killed has left. A live writer's must be younger. It returns how many there were.
func RemoveAbandoned(dir string, p position.Partition, before time.Time) (int, error) {
	removed := 0
	for _, folder := range []string{Folder(dir, p), filepath.Dir(Folder(dir, p))} {
		n, err := removeAbandoned(folder, before)
		if removed += n; err != nil {
			return removed, fmt.Errorf("removing abandoned files of %s: %w", p, err)
		}
	}
	return removed, nil
}

func removeAbandoned(folder string, before time.Time) (int, error) {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	removed := 0
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") || !strings.HasSuffix(e.Name(), temporaryExtension) {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.ModTime().Before(before) {
			continue
		}
		if err == nil {
			err = os.Remove(filepath.Join(folder, e.Name()))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, err
		}
		removed++
	}
	return removed, nil
}
