package recompute

import (
	"slices"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/oracle"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// kept holds the events of all samples of a task, one batch for each partition of each source: a batch for each sample
// costs more to grow than all else that a sample needs.
type kept struct {
	batches []*column.Batch
}

// keptRow is one event of a sample.
type keptRow struct {
	batch, row int32
}

// copying says how rows of a batch become rows of the view's own declaration of the source, which is what the oracle
// wants: for each of its fields that was read, where it is in the batch.
type copying struct {
	src  *schema.Source
	from []int // by field of src; -1 for one that was not read
}

// copyingTo prepares to copy rows from batches that are read as w says.
func (g *generation) copyingTo(source string, w *work) copying {
	c := copying{src: &g.Plan.Spec().Sources[g.Plan.SourceRank(source)]}
	for i := range c.src.Fields {
		at := w.src.Index(c.src.Fields[i].Name)
		if !slices.Contains(w.fields, at) {
			at = -1
		}
		c.from = append(c.from, at)
	}
	return c
}

// bytes returns how many bytes the strings of rows have that would be copied.
func (c *copying) bytes(b *column.Batch, rows []int32) (n int64) {
	for _, from := range c.from {
		if from < 0 || !b.Cols[from].Type.IsBytes() {
			continue
		}
		for _, row := range rows {
			n += int64(len(b.Cols[from].BytesAt(int(row))))
		}
	}
	return n
}

// next returns where the next row goes that is copied from a batch of this partition.
func (k *kept) next(c *copying, partition int32) keptRow {
	at := slices.IndexFunc(k.batches, func(own *column.Batch) bool { return own.Source == c.src && own.Partition == partition })
	if at < 0 {
		at = len(k.batches)
		k.batches = append(k.batches, column.NewBatch(c.src, partition, false))
	}
	return keptRow{int32(at), int32(k.batches[at].N)}
}

// add copies rows. Fields that were not read, because the view does not use them, become nulls.
func (k *kept) add(c *copying, b *column.Batch, rows []int32) {
	to := k.batches[k.next(c, b.Partition).batch]
	to.N += len(rows)
	for _, row := range rows {
		to.Offset = append(to.Offset, b.Offset[row])
		to.Time = append(to.Time, b.Time[row])
		to.Append = append(to.Append, b.Append[row])
		to.AppendType = append(to.AppendType, b.AppendType[row])
		to.Reject = append(to.Reject, b.Reject[row])
	}
	for i, from := range c.from {
		for _, row := range rows {
			if from < 0 {
				to.Cols[i].AppendNull()
			} else {
				to.Cols[i].AppendFrom(&b.Cols[from], int(row))
			}
		}
	}
}

// compact drops the rows that none of the samples has.
func (k *kept) compact(samples map[string]*sample) {
	old := k.batches
	k.batches = make([]*column.Batch, len(old))
	for i, b := range old {
		k.batches[i] = column.NewBatch(b.Source, b.Partition, false)
	}
	for _, s := range samples {
		for i, r := range s.kept {
			to := k.batches[r.batch]
			to.AppendRow(old[r.batch], int(r.row))
			s.kept[i].row = int32(to.N - 1)
		}
	}
}

// events returns a sample's events.
func (k *kept) events(s *sample) []oracle.Event {
	events := make([]oracle.Event, len(s.kept))
	for i, r := range s.kept {
		events[i] = oracle.Event{Batch: k.batches[r.batch], Row: int(r.row)}
	}
	return events
}
