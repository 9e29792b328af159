package column

import "github.com/tidemark-io/tidemark/shared/schema"

// TimeType says what a record's append time is.
type TimeType uint8

// The kinds of append time. With CreateTime the bound on an event's time means nothing: the producer said both.
const (
	CreateTime    TimeType = 0
	LogAppendTime TimeType = 1
)

// Batch is a run of records of one partition of one source, in order of offsets, one row a record: accepted and
// rejected ones alike. Offsets may have gaps (transaction markers, aborted records).
type Batch struct {
	Source    *schema.Source
	Partition int32
	N         int

	Offset []int64
	// Time is the event time, ms: min(what the record says, append time + tolerance). 0 in a rejected row.
	Time []int64
	// Append is the broker's append time, ms, and AppendType what it is.
	Append     []int64
	AppendType []TimeType
	// Reject is the reason a row was rejected for (package decode names them), 0 for an accepted row. A rejected row has
	// nulls in all Cols; no fold sees it.
	Reject []uint8
	// Cols holds the declared fields in order of Source.Fields.
	Cols []Column
	// Faults counts, by field, the accepted rows in which the field was present but did not decode and became null.
	Faults []int64

	// Archive holds what only the archive and people need, nil in a batch that is only folded.
	Archive *ArchiveColumns
}

// ArchiveColumns is what the archive keeps beside the declared fields, so that nothing of a record is lost.
type ArchiveColumns struct {
	Key     Column // record key, null for none
	Headers Column // headers in their canonical form (package decode), null for none
	Rest    Column // undeclared members of an accepted record as a JSON object, null for none
	Raw     Column // the record's bytes, of a rejected record or one with a field at fault; null otherwise (a tombstone: null)
}

// NewBatch returns an empty batch for src. With archive it also keeps what the archive needs.
func NewBatch(src *schema.Source, partition int32, archive bool) *Batch {
	b := &Batch{Source: src, Partition: partition, Cols: make([]Column, len(src.Fields)), Faults: make([]int64, len(src.Fields))}
	for i, f := range src.Fields {
		b.Cols[i] = NewColumn(f.Type, f.Scale)
	}
	if archive {
		b.Archive = &ArchiveColumns{}
		for _, c := range b.Archive.columns() {
			*c = NewColumn(schema.String, 0)
		}
	}
	return b
}

func (a *ArchiveColumns) columns() []*Column { return []*Column{&a.Key, &a.Headers, &a.Rest, &a.Raw} }

// Reset empties the batch and keeps its memory; it becomes one of partition.
func (b *Batch) Reset(partition int32) {
	b.Partition, b.N = partition, 0
	b.Offset, b.Time, b.Append = b.Offset[:0], b.Time[:0], b.Append[:0]
	b.AppendType, b.Reject = b.AppendType[:0], b.Reject[:0]
	for i := range b.Cols {
		b.Cols[i].Reset()
	}
	clear(b.Faults)
	if b.Archive != nil {
		for _, c := range b.Archive.columns() {
			c.Reset()
		}
	}
}
