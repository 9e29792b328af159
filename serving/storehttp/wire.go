package storehttp

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"github.com/tidemark-io/tidemark/serving/storelimit"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// errWire says that a message does not read.
var errWire = errors.New("message does not read")

// enc is a message being written: numbers are unsigned varints, strings and bytes have their length before them, lists
// their count.
type enc []byte

func (e *enc) num(n uint64)    { *e = binary.AppendUvarint(*e, n) }
func (e *enc) count(n int)     { e.num(uint64(n)) }
func (e *enc) str(s string)    { e.count(len(s)); *e = append(*e, s...) }
func (e *enc) bytes(b []byte)  { e.count(len(b)); *e = append(*e, b...) }
func (e *enc) flag(b bool)     { *e = append(*e, bit(b)) }
func (e *enc) lane(id lane.ID) { e.str(id.Namespace); e.count(id.N) }

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func (e *enc) row(id lane.RowID) {
	e.lane(id.Lane)
	e.str(string(id.Incarnation))
	e.bytes(id.Key)
}

func (e *enc) marks(m map[string]string) {
	e.count(len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		e.str(name)
		e.str(m[name])
	}
}

func (e *enc) fields(fields []lane.Field) {
	e.count(len(fields))
	for _, f := range fields {
		e.str(f.Name)
		e.bytes(f.Value)
	}
}

func (e *enc) call(c *lane.Call) {
	e.lane(c.Lane)
	e.str(c.Name)
	e.str(c.Expect)
	e.flag(c.AnyMark)
	e.str(string(c.Incarnation))
	e.str(string(c.RowsOf))
	e.count(len(c.Rows))
	for i := range c.Rows {
		r := &c.Rows[i]
		e.bytes(r.Key)
		e.fields(r.Set)
		e.count(len(r.Del))
		for _, name := range r.Del {
			e.str(name)
		}
	}
	e.str(c.Set)
	e.flag(c.Replace != nil) // replacing by nothing is not the same as not replacing
	e.marks(c.Replace)
	e.count(len(c.Raise))
	for _, r := range c.Raise {
		e.str(r.Name)
		e.num(uint64(r.Cut))
	}
	e.flag(c.Join)
	e.flag(c.Once)
}

// dec is a message being read. The first fault is kept and everything after it reads as zero. Byte slices alias the
// message.
type dec struct {
	b   []byte
	err error
}

func (d *dec) fail() {
	d.b, d.err = nil, errWire
}

func (d *dec) num() uint64 {
	n, size := binary.Uvarint(d.b)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[size:]
	return n
}

// count reads a number of things of at least one byte each, so that a list is never longer than its message.
func (d *dec) count() int {
	n := d.num()
	if n > uint64(len(d.b)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *dec) bytes() []byte {
	n := d.count()
	b := d.b[:n:n]
	d.b = d.b[n:]
	return b
}

func (d *dec) str() string { return string(d.bytes()) }

// small reads a number that is no length: lanes, cuts and sequence numbers are checked by storelimit.
func (d *dec) small() int64 {
	n := d.num()
	if n > 1<<62 {
		d.fail()
		return 0
	}
	return int64(n)
}

func (d *dec) flag() bool {
	if len(d.b) == 0 || d.b[0] > 1 {
		d.fail()
		return false
	}
	b := d.b[0] == 1
	d.b = d.b[1:]
	return b
}

// list reads a list of at most limit things, each by one call of read. The limit is there because a thing may take far
// more memory than its byte in the message.
func list[T any](d *dec, limit int, read func() T) []T {
	n := d.count()
	if n > limit {
		d.fail()
		return nil
	}
	out := make([]T, 0, min(n, 1024))
	for range n {
		if d.err != nil {
			return nil
		}
		out = append(out, read())
	}
	return out
}

func (d *dec) lane() lane.ID {
	return lane.ID{Namespace: d.str(), N: int(d.small())}
}

func (d *dec) row() lane.RowID {
	return lane.RowID{Lane: d.lane(), Incarnation: lane.Incarnation(d.str()), Key: d.bytes()}
}

func (d *dec) marks() map[string]string {
	n := d.count()
	m := make(map[string]string, min(n, 64))
	for range n {
		if d.err != nil {
			return nil
		}
		name := d.str()
		m[name] = d.str()
	}
	return m
}

func (d *dec) field() lane.Field { return lane.Field{Name: d.str(), Value: d.bytes()} }

func (d *dec) call() lane.Call {
	c := lane.Call{
		Lane:        d.lane(),
		Name:        d.str(),
		Expect:      d.str(),
		AnyMark:     d.flag(),
		Incarnation: lane.Incarnation(d.str()),
		RowsOf:      lane.Incarnation(d.str()),
	}
	c.Rows = list(d, storelimit.MaxCallRows, func() lane.RowChange {
		return lane.RowChange{
			Key: d.bytes(),
			Set: list(d, storelimit.MaxRowFields, d.field),
			Del: list(d, storelimit.MaxRowFields, d.str),
		}
	})
	c.Set = d.str()
	replace := d.flag()
	if m := d.marks(); replace {
		c.Replace = m
	}
	c.Raise = list(d, storelimit.MaxCallMarks, func() lane.Raise { return lane.Raise{Name: d.str(), Cut: d.small()} })
	c.Join = d.flag()
	c.Once = d.flag()
	return c
}

// end tells whether the message was read without a fault and to its end.
func (d *dec) end() error {
	if d.err == nil && len(d.b) > 0 {
		d.fail()
	}
	return d.err
}
