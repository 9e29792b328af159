package kafkalog

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/segmentio/kafka-go/compress"
	"github.com/segmentio/kafka-go/protocol"

	"github.com/tidemark-io/tidemark/shared/record"
)

// Codec is how a Producer compresses batches.
type Codec uint8

// The codecs, by Kafka's numbers.
const (
	Plain  Codec = 0
	Gzip         = Codec(codecGzip)
	Snappy       = Codec(codecSnappy)
	Lz4          = Codec(codecLz4)
	Zstd         = Codec(codecZstd)
)

// entry is a message with its time decided: what a batch is made of.
type entry struct {
	time    int64 // ms
	key     []byte
	value   []byte
	headers []record.Header
}

// entryOverhead bounds what an entry takes beside key, value and headers: seven varints of up to ten bytes and a byte.
const entryOverhead = 48

// size bounds what the entry takes in a batch.
func (e *entry) size() int {
	n := entryOverhead + len(e.key) + len(e.value)
	for _, h := range e.headers {
		n += 2*binary.MaxVarintLen32 + len(h.Key) + len(h.Value)
	}
	return n
}

// encodeBatch returns a record batch with base offset 0 and no producer id. It must have at least one entry.
func encodeBatch(entries []entry, codec Codec) ([]byte, error) {
	b := make([]byte, batchHeaderBytes, batchHeaderBytes+entryOverhead*len(entries))
	base, newest := entries[0].time, entries[0].time
	var scratch []byte
	for i := range entries {
		newest = max(newest, entries[i].time)
		scratch = appendRecord(scratch[:0], &entries[i], entries[i].time-base, i)
		b = binary.AppendVarint(b, int64(len(scratch)))
		b = append(b, scratch...)
	}
	if codec != Plain {
		packed, err := pack(b[batchHeaderBytes:], codec)
		if err != nil {
			return nil, err
		}
		b = append(b[:batchHeaderBytes], packed...)
	}
	last := len(entries) - 1
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-batchPrefixBytes))
	copy(b[12:], []byte{0xff, 0xff, 0xff, 0xff, batchMagic})
	binary.BigEndian.PutUint16(b[21:], uint16(codec))
	binary.BigEndian.PutUint32(b[23:], uint32(last))
	binary.BigEndian.PutUint64(b[27:], uint64(base))
	binary.BigEndian.PutUint64(b[35:], uint64(newest))
	copy(b[43:57], bytes.Repeat([]byte{0xff}, 14)) // no producer id, epoch and sequence
	binary.BigEndian.PutUint32(b[57:], uint32(len(entries)))
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], castagnoli))
	return b, nil
}

// appendRecord appends one record without its length.
func appendRecord(b []byte, e *entry, time int64, offset int) []byte {
	b = append(b, 0)
	b = binary.AppendVarint(b, time)
	b = binary.AppendVarint(b, int64(offset))
	b = appendNullable(b, e.key)
	b = appendNullable(b, e.value)
	b = binary.AppendVarint(b, int64(len(e.headers)))
	for _, h := range e.headers {
		b = binary.AppendVarint(b, int64(len(h.Key)))
		b = append(b, h.Key...)
		b = appendNullable(b, h.Value)
	}
	return b
}

// appendNullable appends length and bytes, -1 for nil.
func appendNullable(b, v []byte) []byte {
	if v == nil {
		return binary.AppendVarint(b, -1)
	}
	return append(binary.AppendVarint(b, int64(len(v))), v...)
}

// pack compresses a batch's records.
func pack(plain []byte, codec Codec) ([]byte, error) {
	c := compress.Compression(codec).Codec()
	if c == nil {
		return nil, fmt.Errorf("compressing a batch: %w: codec %d", ErrUnsupported, codec)
	}
	var buf bytes.Buffer
	w := c.NewWriter(&buf)
	if _, err := w.Write(plain); err != nil {
		return nil, fmt.Errorf("compressing a batch: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compressing a batch: %w", err)
	}
	return buf.Bytes(), nil
}

// acksAll makes the leader answer when all in-sync replicas have the batch.
const acksAll = -1

// appendProduceRequest appends a Produce request (version 9) for one batch.
func appendProduceRequest(b []byte, clientID, topic string, partition, timeoutMillis int32, batch []byte) []byte {
	b = beginRequest(b, int16(protocol.Produce), produceVersion, clientID)
	b = append(b, 0) // no transaction
	b = appendInt16(b, acksAll)
	b = appendInt32(b, timeoutMillis)
	b = appendLength(b, 1)
	b = appendCompactString(b, topic)
	b = appendLength(b, 1)
	b = appendInt32(b, partition)
	b = append(appendLength(b, len(batch)), batch...)
	b = appendNoTags(b)
	b = appendNoTags(b)
	b = appendNoTags(b)
	return endRequest(b)
}

// parseProduceResponse reads the answer for the one partition of a Produce response (version 9).
func parseProduceResponse(r wireReader) (code int16, message string, ok bool) {
	if r.array(4) != 1 {
		return 0, "", false
	}
	r.bytes() // topic
	if r.array(30) != 1 {
		return 0, "", false
	}
	r.int32() // partition
	code = r.int16()
	r.int64() // base offset
	r.int64() // append time
	r.int64() // log start
	for range r.array(6) {
		r.int32() // index of a record at fault
		r.bytes()
		r.tags()
	}
	message = r.string()
	return code, message, !r.bad
}
