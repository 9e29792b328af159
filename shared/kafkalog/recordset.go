package kafkalog

import (
	"encoding/binary"
	"fmt"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/record"
)

// aborted is an aborted transaction of a partition, as the fetch response lists them.
type aborted struct {
	producer int64
	first    int64 // offset of its first record
}

// maxHeaderKeys bounds the header keys that a decoder remembers to share their strings. Past it, it begins anew.
const maxHeaderKeys = 1024

// decoder turns the batches of fetch responses into records. It is pure: bytes in, records out. All that it returns lies
// in the response's own buffer or in the decoder's, and is valid until the next begin. In steady state it allocates
// nothing per record and per batch. Not safe for concurrent use.
type decoder struct {
	batchBytes int // limit for one decompressed batch
	budget     int // bytes that may still be decompressed to before the rest is left for later

	records []record.Record
	headers []record.Header
	plain   arena
	codecs  codecs
	keys    map[string]string // header keys seen
	open    map[int64]bool    // producers whose aborted transaction reaches into the batches at hand
}

func newDecoder(batchBytes int) *decoder {
	return &decoder{batchBytes: batchBytes, keys: map[string]string{}, open: map[int64]bool{}}
}

// begin makes the decoder ready for another response; everything returned before becomes invalid.
func (d *decoder) begin(budget int) {
	d.budget = budget
	d.records = d.records[:0]
	d.headers = d.headers[:0]
	d.plain.reset(2 * budget)
}

// decode returns the committed records of one partition's batches from offset asked on, and the next offset to fetch:
// one past the last batch, whatever of it was delivered. transactions lists the aborted ones that overlap, by first offset.
//
// It stops early when the budget is used up, but not before the first batch, so that next moves whenever there is a whole
// batch. Damage is told only if it is in the first batch: what lies before it is delivered first, and the next fetch, which
// begins there, meets it again.
func (d *decoder) decode(set []byte, asked int64, transactions []aborted) (recs []record.Record, next int64, f fault) {
	clear(d.open)
	begin := len(d.records)
	next = asked
	for len(set) > 0 && (next == asked || d.budget > 0) {
		mark := len(d.records)
		var rest []byte
		var last int64
		if rest, last, f = d.first(set, asked, next, &transactions); f.what != "" {
			d.records = d.records[:mark]
			break
		}
		next = max(next, last+1)
		set = rest
	}
	if next > asked {
		f = fault{}
	}
	return d.records[begin:len(d.records):len(d.records)], next, f
}

// fault is damage found in a batch. The zero fault is none.
type fault struct {
	offset int64 // base offset of the batch
	what   string
	cause  error // the decompressor's, or nil
}

// text returns what is wrong, with its cause.
func (f fault) text() string {
	if f.cause != nil {
		return fmt.Sprintf("%s: %s", f.what, f.cause)
	}
	return f.what
}

// first delivers the first batch of a set, if it is one that is to be delivered, and returns its last offset. next is
// where the batch before it ended.
func (d *decoder) first(set []byte, asked, next int64, transactions *[]aborted) (rest []byte, last int64, f fault) {
	raw, rest, what := cutBatch(set)
	if what != "" {
		return nil, 0, fault{asked, what, nil}
	}
	b, what := parseBatch(raw)
	if what == "" && next > asked && b.base < next {
		what = "it begins before the end of the batch before it"
	}
	if what != "" {
		return nil, 0, fault{int64(binary.BigEndian.Uint64(raw)), what, nil}
	}
	what, err := d.batch(&b, asked, transactions)
	return rest, b.last, fault{b.base, what, err}
}

// batch delivers the records of one batch, or passes over it.
func (d *decoder) batch(b *batch, asked int64, transactions *[]aborted) (what string, cause error) {
	d.enter(b.last, transactions)
	switch {
	case b.count == 0: // compaction took the records and left the batch
		return "", nil
	case b.control():
		return d.marker(b), nil
	case b.last < asked, b.transactional() && d.open[b.producer]:
		return "", nil
	}
	payload := b.payload
	if b.codec() != 0 {
		if payload, cause = d.decompress(b.codec(), payload); cause != nil {
			return "it cannot be decompressed", cause
		}
	}
	return d.deliver(b, payload, asked), nil
}

// enter opens the aborted transactions that begin at or before offset last. Producers are matched by id alone: brokers
// of 4.x give each transaction another epoch.
func (d *decoder) enter(last int64, transactions *[]aborted) {
	ts := *transactions
	for len(ts) > 0 && ts[0].first <= last {
		d.open[ts[0].producer] = true
		ts = ts[1:]
	}
	*transactions = ts
}

// marker reads a transaction's end. A control batch holds one record, never compressed, whose key says the kind: 0 for
// abort, 1 for commit; others are not about transactions and carry nothing for us.
func (d *decoder) marker(b *batch) (what string) {
	c := cursor{b: b.payload}
	c.varint() // length
	c.skip(1)  // attributes
	c.varint() // time
	c.varint() // offset
	key, _ := c.bytes()
	if c.bad || len(key) < 4 {
		return "its marker is malformed"
	}
	if binary.BigEndian.Uint16(key[2:]) == 0 {
		delete(d.open, b.producer)
	}
	return ""
}

// deliver decodes the records of a batch and keeps those from offset asked on. The append time is decided here, per
// batch: a topic may be switched while it is in use, and the broker rewrites the batch's header only.
func (d *decoder) deliver(b *batch, payload []byte, asked int64) (what string) {
	if b.count > len(payload)/minRecordBytes {
		return "its number of records does not fit its length"
	}
	c := cursor{b: payload}
	last := b.base - 1
	r := record.Record{AppendType: column.CreateTime}
	if b.appendTime() {
		r.Append, r.AppendType = b.maxTime, column.LogAppendTime
	}
	for range b.count {
		length := c.varint()
		end := c.i + int(length)
		if c.bad || length < 0 || end > len(payload) {
			return "a record is longer than the batch"
		}
		c.skip(1) // attributes, unused so far
		time := c.varint()
		r.Offset = b.base + c.varint()
		if !b.appendTime() {
			r.Append = b.baseTime + time
		}
		r.Key, _ = c.bytes()
		r.Value, _ = c.bytes()
		headers := c.varint()
		if headers < 0 || headers > int64(end-c.i)/2 {
			return "a record's number of headers is out of bounds"
		}
		r.Headers = nil
		if headers > 0 {
			r.Headers = d.readHeaders(&c, int(headers))
		}
		if c.bad || c.i != end {
			return "a record does not end where it says"
		}
		if r.Offset <= last || r.Offset > b.last {
			return "a record's offset is out of order"
		}
		last = r.Offset
		if r.Offset >= asked {
			d.records = append(d.records, r)
		}
	}
	if c.i != len(payload) {
		return "there are bytes behind its last record"
	}
	return ""
}

// readHeaders decodes n headers.
func (d *decoder) readHeaders(c *cursor, n int) []record.Header {
	begin := len(d.headers)
	for range n {
		key, null := c.bytes()
		if null {
			c.bad = true
		}
		value, _ := c.bytes()
		if c.bad {
			return nil
		}
		d.headers = append(d.headers, record.Header{Key: d.key(key), Value: value})
	}
	return d.headers[begin:len(d.headers):len(d.headers)]
}

// key returns a header's key as a string that does not depend on the buffers. Keys repeat, so their strings are shared.
func (d *decoder) key(b []byte) string {
	if s, ok := d.keys[string(b)]; ok {
		return s
	}
	if len(d.keys) >= maxHeaderKeys {
		clear(d.keys)
	}
	s := string(b)
	d.keys[s] = s
	return s
}

// cursor reads the zigzag varints and length-prefixed bytes that records consist of. After the first fault it is bad and
// returns zeroes.
type cursor struct {
	b   []byte
	i   int
	bad bool
}

func (c *cursor) varint() int64 {
	if i := c.i; i >= 0 && i+1 < len(c.b) { // most are one or two bytes long
		v := uint64(c.b[i])
		if v < 0x80 {
			c.i = i + 1
			return int64(v>>1) ^ -int64(v&1)
		}
		if w := uint64(c.b[i+1]); w < 0x80 {
			c.i = i + 2
			v = v&0x7f | w<<7
			return int64(v>>1) ^ -int64(v&1)
		}
	}
	if c.bad || c.i > len(c.b) {
		c.bad = true
		return 0
	}
	v, n := binary.Varint(c.b[c.i:])
	if n <= 0 {
		c.bad = true
		return 0
	}
	c.i += n
	return v
}

func (c *cursor) skip(n int) {
	c.i += n
	c.bad = c.bad || c.i > len(c.b)
}

// bytes reads length and bytes; length -1 is null, for which nil is returned. Empty bytes are not nil.
func (c *cursor) bytes() (b []byte, null bool) {
	n := c.varint()
	if n == -1 {
		return nil, true
	}
	if c.bad || n < 0 || n > int64(len(c.b)-c.i) {
		c.bad = true
		return nil, false
	}
	b = c.b[c.i : c.i+int(n) : c.i+int(n)]
	c.i += int(n)
	return b, false
}
