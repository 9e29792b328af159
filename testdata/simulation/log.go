package simulation

import (
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/tile"
)

// invariantFail stops the simulator: it cannot be built.
func invariantFail(err error) { invariant.Fail("building the simulator: %v", err) }

// event is one record of a partition.
type event struct {
	offset int64
	entity int
	bit    uint64
}

// partition is one partition of the log and of the archive.
type partition struct {
	name     position.Partition
	source   int
	block    int64
	origin   int64 // its first offset
	end      int64 // the log's
	trimmed  int64 // the log has nothing below; the archive has
	archived int64 // the archive reaches so far, in whole blocks
	events   []event
	batch    *column.Batch // the same
}

// baseTime is the event time of bit 0, ms; each bit is one later.
const baseTime = 1_700_000_000_000

// newPartition is partition i of the world: the first and the third are of the first source.
func (w *World) newPartition(i int) *partition {
	source := i % len(sourceNames)
	src := &w.plan.Spec().Sources[source]
	id := int32(i / len(sourceNames))
	p := &partition{
		name: position.Partition{Source: src.Name, ID: id}, source: source, block: src.Block,
		batch: column.NewBatch(src, id, false),
	}
	if id == 0 {
		p.origin = w.cfg.Start[source]
	}
	p.end, p.trimmed, p.archived = p.origin, p.origin, p.origin
	return p
}

// append adds a record of an entity after so many offsets that hold none.
func (p *partition) append(entity int, gap int64, n int) {
	e := event{offset: p.end + gap, entity: entity, bit: 1 << n}
	p.events = append(p.events, e)
	p.end = e.offset + 1
	b := p.batch
	b.N++
	at := int64(baseTime + n)
	b.Offset, b.Time, b.Append = append(b.Offset, e.offset), append(b.Time, at), append(b.Append, at)
	b.AppendType, b.Reject = append(b.AppendType, column.LogAppendTime), append(b.Reject, 0)
	b.Cols[fieldAt].AppendInt(at)
	b.Cols[fieldUser].AppendBytes(keys[entity][len("user:"):])
	b.Cols[fieldBit].AppendInt(int64(e.bit))
}

// bits returns the bits of an entity's events in [from, to).
func (p *partition) bits(entity int, from, to int64) (bits uint64) {
	for i := range p.events {
		if e := &p.events[i]; e.entity == entity && e.offset >= from && e.offset < to {
			bits |= e.bit
		}
	}
	return bits
}

// rows appends the records in [from, to) to a batch.
func (p *partition) rows(b *column.Batch, from, to int64) {
	b.Reset(p.name.ID)
	for i := range p.events {
		if o := p.events[i].offset; o >= from && o < to {
			b.AppendRow(p.batch, i)
		}
	}
}

// archive moves the archive to the complete blocks of the log, or n blocks further if that is less.
func (p *partition) archive(n int64) bool {
	to := min(position.Block(p.end, p.block), position.Block(p.archived, p.block)+n*p.block)
	if to <= p.archived {
		return false
	}
	p.archived = to
	return true
}

// tile encodes the tile of an entity's events in [from, to) of all partitions, nil if there are none.
func (w *World) tile(h tile.Header, entity int, from, to position.Cut) []byte {
	f := w.sim.fold
	f.Reset()
	n := 0
	for _, p := range w.parts {
		first, next := from.Next(p.name), to.Next(p.name)
		if first >= next {
			continue
		}
		b := w.sim.batch(p)
		b.Reset(p.name.ID)
		for i := range p.events {
			if e := &p.events[i]; e.entity == entity && e.offset >= first && e.offset < next {
				b.AppendRow(p.batch, i)
			}
		}
		if b.N > 0 {
			f.Add(b, 0, b.N)
			n += b.N
		}
	}
	if n == 0 {
		return nil
	}
	return f.AppendBody(h.Append(nil), 0)
}
