package viewtest

import (
	"fmt"
	"math/rand/v2"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/shared/window"
)

// Begin is about when the events of a random log happen: 2024-02-28T22:00:00Z, two hours before a day begins.
const Begin = 1_709_157_600_000

// Log says what a random log is like.
type Log struct {
	Partitions [2]int // of clicks and of orders
	Rows       int    // in each partition
	Users      int    // distinct users, and devices
}

// Batches returns a random log of the sources (those of Sources, in their order): one batch a partition.
func (l Log) Batches(r *rand.Rand, sources []schema.Source) []*column.Batch {
	var all []*column.Batch
	for i := range sources {
		for p := range l.Partitions[i] {
			all = append(all, l.batch(r, &sources[i], int32(p)))
		}
	}
	return all
}

func (l Log) batch(r *rand.Rand, src *schema.Source, partition int32) *column.Batch {
	b := column.NewBatch(src, partition, false)
	offset, now := int64(r.IntN(20)), int64(Begin)
	for range l.Rows {
		AppendRow(r, b, offset, eventTime(r, &now), l.Users)
		offset++
		if r.IntN(10) == 0 {
			offset += r.Int64N(12) // a gap, at times over a whole block
		}
	}
	return b
}

// eventTime moves the clock of a partition and returns a time near it: most lie on a coarse grid, so that there are
// ties; some are late by minutes to months, a few are 0.
func eventTime(r *rand.Rand, now *int64) int64 {
	*now += r.Int64N(2 * window.Hour)
	at := *now / window.Minute * window.Minute
	switch n := r.IntN(400); {
	case n < 10:
		return 0
	case n < 30:
		return at - r.Int64N(40*window.Day)
	case n < 70:
		return at - r.Int64N(6*window.Hour)
	case n < 80:
		return at + r.Int64N(window.Hour)
	case n < 82:
		return at + r.Int64N(20*window.Day) // a clock that is ahead: it trims what is in order
	}
	return at
}

// AppendRow adds one random row, one in twenty a rejected one.
func AppendRow(r *rand.Rand, b *column.Batch, offset, at int64, users int) {
	rejected := r.IntN(20) == 0
	b.N++
	b.Offset = append(b.Offset, offset)
	b.Append = append(b.Append, at)
	b.AppendType = append(b.AppendType, column.LogAppendTime)
	if rejected {
		b.Reject, b.Time = append(b.Reject, 1), append(b.Time, 0)
	} else {
		b.Reject, b.Time = append(b.Reject, 0), append(b.Time, at)
	}
	for i := range b.Cols {
		f, c := &b.Source.Fields[i], &b.Cols[i]
		switch {
		case rejected || (!f.Required && r.IntN(6) == 0):
			c.AppendNull()
		case f.Name == b.Source.EventTime:
			c.AppendInt(at)
		case f.Name == "device.id":
			c.AppendInt(int64(r.IntN(users)))
		case f.Name == "user":
			user := fmt.Appendf(nil, "u %d,%%é", r.IntN(users))
			if r.IntN(30) == 0 { // as long as a key's value may be, or too long for a key
				user = append(user, make([]byte, view.MaxKeyValueBytes+r.IntN(2)-len(user))...)
			}
			c.AppendBytes(user)
		default:
			appendValue(r, c, f)
		}
	}
}

func appendValue(r *rand.Rand, c *column.Column, f *schema.Field) {
	switch f.Type {
	case schema.Enum:
		c.AppendInt(r.Int64N(int64(len(f.Enum))))
	case schema.String:
		c.AppendBytes([]byte("noted"[:r.IntN(6)]))
	case schema.Decimal:
		c.AppendInt(r.Int64N(2_000) - 500)
	case schema.Int64:
		// Now and then so large that expressions over it overflow.
		c.AppendInt(r.Int64N(10) << (r.IntN(40) / 39 * 60))
	default:
		c.AppendInt(r.Int64N(6))
	}
}

// Split cuts [0,n) at random into consecutive ranges and returns their ends.
func Split(r *rand.Rand, n, most int) []int {
	var ends []int
	for at := 0; at < n; {
		at = min(n, at+1+r.IntN(most))
		ends = append(ends, at)
	}
	return ends
}

// Regular returns a batch of clicks of one user in partition 0: row i has offset i, and happens i × 25 min after Begin,
// nothing null, all kinds and items in turn.
func Regular(sources []schema.Source, rows int) *column.Batch {
	b := column.NewBatch(&sources[0], 0, false)
	for i := range int64(rows) {
		at := Begin + i*25*window.Minute
		b.N++
		b.Offset, b.Time, b.Reject = append(b.Offset, i), append(b.Time, at), append(b.Reject, 0)
		b.Append, b.AppendType = append(b.Append, at), append(b.AppendType, column.LogAppendTime)
		b.Cols[User].AppendBytes([]byte("u"))
		b.Cols[Note].AppendBytes([]byte("note"))
		b.Cols[At].AppendInt(at)
		for _, c := range []int{Device, Kind, Item, Price, Secs} {
			b.Cols[c].AppendInt(i * int64(c) % 3)
		}
	}
	return b
}
