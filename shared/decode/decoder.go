package decode

import (
	"math"
	"unicode/utf8"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/record"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// NoAppendTime is the append time of a record that has none: its event time has no bound.
const NoAppendTime = -1

// Append appends exactly one row for rec to b: of an accepted record its values, of a rejected one nulls and the reason.
// It never fails. b must be a batch of the source that the decoder was compiled from. Nothing of rec is referenced
// afterwards, and nothing is allocated but the growth of b's columns.
//
// The caller bounds the batch: no arena of a column may pass column.MaxBytes, which holds as long as the records of a
// batch have less than that many bytes together (keys and headers included).
func (d *Decoder) Append(b *column.Batch, rec *record.Record) {
	if len(b.Cols) != len(d.cells) {
		invariant.Fail("decoding a record of %d fields into a batch of %d", len(d.cells), len(b.Cols))
	}
	if b.Archive != nil && !d.wantsAll() {
		invariant.Fail("archiving %d of %d fields", len(d.ints)+len(d.texts), len(d.fields))
	}
	d.keepRest = b.Archive != nil
	reason := d.read(rec.Value)
	b.N++
	b.Offset = append(b.Offset, rec.Offset)
	b.Append = append(b.Append, rec.Append)
	b.AppendType = append(b.AppendType, rec.AppendType)
	b.Reject = append(b.Reject, uint8(reason))
	faulty := false
	if reason == Accepted {
		b.Time = append(b.Time, bounded(d.cells[d.event].value, rec.Append, d.tolerance))
		faulty = d.commit(b, rec.Value)
	} else {
		b.Time = append(b.Time, 0)
		d.commitNulls(b)
	}
	if b.Archive != nil {
		d.archive(b.Archive, rec, reason, faulty)
	}
}

// bounded returns the event time min(said, append + tolerance), never before 1970. said is a valid Time.
func bounded(said, appended, tolerance int64) int64 {
	if appended == NoAppendTime || appended > math.MaxInt64-tolerance {
		return said
	}
	return max(0, min(said, appended+tolerance))
}

// read stages the record's fields and says whether it is accepted.
func (d *Decoder) read(s []byte) Reason {
	switch {
	case s == nil:
		return Tombstone
	case len(s) > MaxRecordBytes:
		return TooLarge
	case !ascii(s) && !utf8.Valid(s):
		return NotUTF8
	}
	if !d.document(s) {
		return whyMalformed(s)
	}
	return d.required()
}

// document stages the fields of s, if s is UTF-8 and one well-formed object.
func (d *Decoder) document(s []byte) bool {
	d.begin()
	i := skipSpace(s, 0)
	if i >= len(s) || s[i] != '{' {
		return false
	}
	end := d.object(d.root, s, i, 1)
	return end != malformed && skipSpace(s, end) == len(s)
}

// required looks for the first required field without a value.
func (d *Decoder) required() Reason {
	for _, i := range d.demanded {
		if d.cells[i].state == present {
			continue
		}
		switch st := d.cells[i].state; {
		case st == missing:
			return RequiredMissing
		case st == null:
			return RequiredNull
		case st == duplicate:
			return RequiredDuplicate
		case st == outOfRange && i == d.event:
			return EventTimeRange
		default:
			return RequiredFault
		}
	}
	return Accepted
}

// commit appends the staged values of an accepted record and tells whether a field was at fault.
func (d *Decoder) commit(b *column.Batch, s []byte) (faulty bool) {
	for _, i := range d.ints {
		c := &d.cells[i]
		b.Cols[i].AppendOptional(c.value, c.state == present)
		if c.state.isFault() {
			b.Faults[i]++
			faulty = true
		}
	}
	for _, i := range d.texts {
		c, col := &d.cells[i], &b.Cols[i]
		if c.state == present {
			c.commitText(col, s)
			continue
		}
		col.AppendNull()
		if c.state.isFault() {
			b.Faults[i]++
			faulty = true
		}
	}
	return faulty
}

// commitNulls appends the row of a rejected record.
func (d *Decoder) commitNulls(b *column.Batch) {
	for _, i := range d.ints {
		b.Cols[i].AppendNull()
	}
	for _, i := range d.texts {
		b.Cols[i].AppendNull()
	}
}

// commit appends the cell's value to the column.
func (c *cell) commit(col *column.Column, s []byte) {
	if col.Type.IsBytes() {
		c.commitText(col, s)
	} else {
		col.AppendInt(c.value)
	}
}

// commitText appends the bytes that the cell refers to.
func (c *cell) commitText(col *column.Column, s []byte) {
	switch {
	case col.Type == schema.JSON:
		col.Bytes = appendCompact(col.Bytes, s[c.from:c.to])
		col.EndBytes()
	case c.escaped:
		col.Bytes = appendUnescaped(col.Bytes, s[c.from:c.to])
		col.EndBytes()
	default:
		col.AppendBytes(s[c.from:c.to])
	}
}

// archive appends what only the archive keeps.
func (d *Decoder) archive(a *column.ArchiveColumns, rec *record.Record, reason Reason, faulty bool) {
	appendOrNull(&a.Key, rec.Key, rec.Key != nil)
	if len(rec.Headers) == 0 {
		a.Headers.AppendNull()
	} else {
		a.Headers.Bytes = AppendHeaders(a.Headers.Bytes, rec.Headers)
		a.Headers.EndBytes()
	}
	if reason == Accepted && len(d.rest) > len("{") {
		d.rest = append(d.rest, '}')
		a.Rest.AppendBytes(d.rest)
	} else {
		a.Rest.AppendNull()
	}
	appendOrNull(&a.Raw, rec.Value, rec.Value != nil && (reason != Accepted || faulty))
}

func appendOrNull(c *column.Column, v []byte, present bool) {
	if present {
		c.AppendBytes(v)
	} else {
		c.AppendNull()
	}
}
