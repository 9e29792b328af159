package archivefile

import (
	"context"
	"fmt"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/record"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// mend reads a file that was written with another source or decoder: each row's record is told again, from its bytes
// where they were kept and from its columns otherwise, and decoded by src. So one rule covers every change: fields that
// came, went or became required, values appended to an enum, a decoder that understands more.
func (r *Reader) mend(ctx context.Context, src *schema.Source, want Want, yield func(*column.Batch) error) error {
	d, err := decode.Compile(src)
	if err != nil {
		return fmt.Errorf("reading archive file %s: %w", r.path, err)
	}
	old := &r.footer.Source
	m := mender{decoder: d, teller: NewTeller(old), out: column.NewBatch(src, r.footer.Partition.ID, want.Archive)}
	fields := make([]int, len(old.Fields))
	for i := range fields {
		fields[i] = i
	}
	return r.readGroups(ctx, old, fields, Everything(old), func(b *column.Batch) error {
		if err := m.group(b); err != nil {
			return r.wrap("a record cannot be told again", err)
		}
		return yield(m.out)
	})
}

type mender struct {
	decoder *decode.Decoder
	teller  *Teller
	out     *column.Batch
	text    []byte
}

// group decodes the rows of b again, into out.
func (m *mender) group(b *column.Batch) error {
	m.out.Reset(b.Partition)
	for i := range b.N {
		rec, err := m.record(b, i)
		if err != nil {
			return fmt.Errorf("row at offset %d: %w", b.Offset[i], err)
		}
		m.decoder.Append(m.out, &rec)
	}
	clear(m.out.Faults)
	return nil
}

func (m *mender) record(b *column.Batch, i int) (record.Record, error) {
	rec := record.Record{Offset: b.Offset[i], Append: b.Append[i], AppendType: b.AppendType[i]}
	if b.Archive.Key.Present(i) {
		rec.Key = present(b.Archive.Key.BytesAt(i))
	}
	if b.Reject[i] == 0 || b.Archive.Raw.Present(i) {
		m.text = m.teller.Append(m.text[:0], b, i)
		rec.Value = present(m.text)
	}
	if !b.Archive.Headers.Present(i) {
		return rec, nil
	}
	var err error
	rec.Headers, err = decode.Headers(b.Archive.Headers.BytesAt(i))
	return rec, err
}

// present makes an empty value differ from none.
func present(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
