package recompute

import (
	"slices"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/oracle"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// kept holds the events of all samples of a task, one batch for each partition of each source: a batch for each sample
// costs more to grow than all else that a sample needs.
type kept struct {
	batches   []*column.Batch
	recopying []copying // by batch
}

// keptRow is one event of a sample.
type keptRow struct {
	batch, row int32
}

// copying says how rows of a batch become rows of the view's own declaration of the source, which is what the oracle
// wants: where the fields that the view uses are in the batch. The columns of the others stay without rows.
type copying struct {
	src    *schema.Source
	fields []copiedField
}

// copiedField is a field of copying.src, and the one that it is copied from.
type copiedField struct{ to, from int }

// copyingTo prepares to copy rows from batches that are read as w says.
func (g *generation) copyingTo(source string, w *work) copying {
	c := copying{src: &g.Plan.Spec().Sources[g.Plan.SourceRank(source)]}
	used, err := g.Plan.Uses(c.src)
	if err != nil {
		invariant.Fail("copying from a source that %s does not read as it is declared: %v", g.Task, err)
	}
	for _, i := range used {
		c.fields = append(c.fields, copiedField{i, w.src.Index(c.src.Fields[i].Name)})
	}
	return c
}

// again returns how rows that were copied are copied once more.
func (c copying) again() copying {
	c.fields = slices.Clone(c.fields)
	for i := range c.fields {
		c.fields[i].from = c.fields[i].to
	}
	return c
}

// bytes returns how many bytes the strings of rows have that would be copied.
func (c *copying) bytes(b *column.Batch, rows []int32) (n int64) {
	for _, f := range c.fields {
		if !b.Cols[f.from].Type.IsBytes() {
			continue
		}
		for _, row := range rows {
			n += int64(len(b.Cols[f.from].BytesAt(int(row))))
		}
	}
	return n
}

// next returns where the next row goes that is copied from a batch of this partition.
func (k *kept) next(c *copying, partition int32) keptRow {
	at := slices.IndexFunc(k.batches, func(own *column.Batch) bool { return own.Source == c.src && own.Partition == partition })
	if at < 0 {
		at = len(k.batches)
		k.batches, k.recopying = append(k.batches, column.NewBatch(c.src, partition, false)), append(k.recopying, c.again())
	}
	return keptRow{int32(at), int32(k.batches[at].N)}
}

// add copies rows.
func (k *kept) add(c *copying, b *column.Batch, rows []int32) {
	c.copy(k.batches[k.next(c, b.Partition).batch], b, rows)
}

// copy appends rows of a batch to another one, a column at a time.
func (c *copying) copy(to, from *column.Batch, rows []int32) {
	to.N += len(rows)
	for _, row := range rows {
		to.Offset = append(to.Offset, from.Offset[row])
		to.Time = append(to.Time, from.Time[row])
		to.Append = append(to.Append, from.Append[row])
		to.AppendType = append(to.AppendType, from.AppendType[row])
		to.Reject = append(to.Reject, from.Reject[row])
	}
	for _, f := range c.fields {
		to.Cols[f.to].AppendAll(&from.Cols[f.from], rows)
	}
}

// compact drops the rows that none of the samples has.
func (k *kept) compact(samples map[string]*sample) {
	left := make([][]int32, len(k.batches))
	for _, s := range samples {
		for i, r := range s.kept {
			s.kept[i].row = int32(len(left[r.batch]))
			left[r.batch] = append(left[r.batch], r.row)
		}
	}
	for i, b := range k.batches {
		k.batches[i] = column.NewBatch(b.Source, b.Partition, false)
		k.recopying[i].copy(k.batches[i], b, left[i])
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
