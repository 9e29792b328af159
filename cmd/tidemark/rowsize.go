package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/tidemark-io/tidemark/serving/redisstore"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/record"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
)

// maxSampleLines bounds the lines that plan folds into rows: all of them are in memory.
const maxSampleLines = 1_000_000

// sampleBatch is the number of lines folded at a time.
const sampleBatch = 4096

// rowSize is the size of one row.
type rowSize struct {
	Of     string `json:"of"` // which row: median, 90%, 99%, largest
	Events int64  `json:"events"`
	Bytes  int    `json:"bytes"` // of its tile
	Redis  int    `json:"redis"` // as MEMORY USAGE is predicted to say
}

// rowSizes is how large the rows of a view are that a file's lines make: each a base, as after a full run.
type rowSizes struct {
	Rows  int       `json:"rows"`
	Bytes int64     `json:"bytes"` // of all tiles
	Redis int64     `json:"redis"`
	Sizes []rowSize `json:"sizes"`
}

// sampleRows folds the first lines of a file as a run would, and returns the sizes of the rows of each view by its name.
func sampleRows(j *job.Job, src *schema.Source, in *lines) (sizes map[string]*rowSizes, read int, err error) {
	d, err := decode.Compile(src)
	if err != nil {
		return nil, 0, err
	}
	folds := map[string]*view.Fold{}
	for _, p := range j.Plans {
		if p.SourceRank(src.Name) >= 0 {
			folds[p.Spec().Name] = p.NewFold()
		}
	}
	b := column.NewBatch(src, 0, false)
	now := time.Now().UnixMilli()
	for more := true; more && read < maxSampleLines; {
		b.Reset(0)
		for b.N < sampleBatch && read < maxSampleLines {
			l, err := in.next()
			if errors.Is(err, io.EOF) {
				more = false
				break
			}
			if err != nil {
				return nil, read, err
			}
			if l.err != nil {
				continue // produce names it
			}
			d.Append(b, &record.Record{Offset: int64(read), Append: now, AppendType: column.LogAppendTime, Key: l.key, Value: l.value})
			read++
		}
		for _, f := range folds {
			f.Add(b, 0, b.N)
		}
	}
	sizes = map[string]*rowSizes{}
	for name, f := range folds {
		sizes[name] = sizesOf(manifest.Namespace(j.Name, name, manifest.NewIdentity([manifest.IdentityLength]byte{})), f)
	}
	return sizes, read, nil
}

// sizesOf measures the rows of a fold.
func sizesOf(namespace string, f *view.Fold) *rowSizes {
	s := &rowSizes{Rows: f.Len(), Sizes: []rowSize{}}
	all := make([]rowSize, f.Len())
	var value []byte
	for slot := range all {
		h := tile.Header{Kind: tile.KindBase, Run: 1}
		value = f.AppendBody(h.Append(value[:0]), slot)
		id := lane.RowID{
			Lane: lane.ID{Namespace: namespace}, Incarnation: lane.Incarnation(manifest.NewIdentity([manifest.IdentityLength]byte{})), Key: f.Key(slot),
		}
		fields := []lane.Field{{Name: h.Name(), Value: value}}
		all[slot] = rowSize{Events: f.Events(slot), Bytes: len(value), Redis: redisstore.RowBytes(id, fields)}
		s.Bytes += int64(len(value))
		s.Redis += int64(all[slot].Redis)
	}
	slices.SortFunc(all, func(a, b rowSize) int { return cmp.Compare(a.Bytes, b.Bytes) })
	if len(all) == 0 {
		return s
	}
	for _, q := range []struct {
		of string
		at int // in hundredths of the rows
	}{{"median", 50}, {"90%", 90}, {"99%", 99}, {"largest", 100}} {
		row := all[min(len(all)*q.at/100, len(all)-1)]
		row.Of = q.of
		s.Sizes = append(s.Sizes, row)
	}
	return s
}

// print writes the sizes for people.
func (s *rowSizes) print(w io.Writer) error {
	fmt.Fprintf(w, "  %s after a full run: %d bytes, and %d in Redis\n", counted(s.Rows, "row"), s.Bytes, s.Redis)
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "  ROW\tEVENTS\tBYTES\tIN REDIS\t")
	for _, r := range s.Sizes {
		fmt.Fprintf(t, "  %s\t%d\t%d\t%d\t\n", r.Of, r.Events, r.Bytes, r.Redis)
	}
	return t.Flush()
}
