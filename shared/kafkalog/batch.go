package kafkalog

import (
	"encoding/binary"
	"hash/crc32"
	"math"

	"github.com/tidemark-io/tidemark/shared/position"
)

// The layout of a record batch of version 2, which all brokers have written since 2017. All numbers are big endian.
//
//	 0 base offset       int64    offset of the batch's first record
//	 8 length            int32    bytes after this field
//	12 leader epoch      int32
//	16 magic             int8     2
//	17 crc               uint32   CRC-32C of everything after this field
//	21 attributes        int16    see the bits below
//	23 last offset delta int32    last offset minus base offset; it survives compaction
//	27 base timestamp    int64    ms
//	35 max timestamp     int64    ms; the broker's time if attrAppendTime is set
//	43 producer id       int64    -1 for none
//	51 producer epoch    int16
//	53 base sequence     int32
//	57 records           int32    number of records
//	61 records, compressed as a whole if the attributes say so
const (
	batchHeaderBytes = 61
	batchPrefixBytes = 12 // base offset and length
	batchMagic       = 2
)

// The bits of a batch's attributes.
const (
	attrCodec         = 0x07
	attrAppendTime    = 0x08
	attrTransactional = 0x10
	attrControl       = 0x20
)

// minRecordBytes is the size of an empty record: length, attributes, two deltas, two null lengths, no headers.
const minRecordBytes = 7

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// batch is the header of a record batch, and its still compressed records.
type batch struct {
	base, last int64 // offsets of the first and the last record there ever were
	attributes int16
	baseTime   int64
	maxTime    int64
	producer   int64
	count      int
	payload    []byte
}

func (b *batch) codec() int          { return int(b.attributes & attrCodec) }
func (b *batch) appendTime() bool    { return b.attributes&attrAppendTime != 0 }
func (b *batch) transactional() bool { return b.attributes&attrTransactional != 0 }
func (b *batch) control() bool       { return b.attributes&attrControl != 0 }

// cutBatch splits the first batch off a set of batches. A fault is the text of what is wrong with it, "" for none.
// Brokers cut the last batch of a fetch off anywhere, so a set may well end inside a batch, though never the first.
func cutBatch(set []byte) (raw, rest []byte, what string) {
	if len(set) < batchPrefixBytes {
		return nil, nil, "the response ends inside it"
	}
	length := int64(int32(binary.BigEndian.Uint32(set[8:])))
	if length < batchHeaderBytes-batchPrefixBytes {
		return nil, nil, "its length is too small for a batch"
	}
	end := batchPrefixBytes + length
	if end > int64(len(set)) {
		return nil, nil, "the response ends inside it"
	}
	return set[:end:end], set[end:], ""
}

// parseBatch checks one batch's header and checksum. The text says what is wrong, "" for nothing. The magic comes
// first: batches of older versions have their checksums elsewhere.
func parseBatch(raw []byte) (b batch, what string) {
	if raw[16] != batchMagic {
		return b, "it is of an older format"
	}
	if crc32.Checksum(raw[21:], castagnoli) != binary.BigEndian.Uint32(raw[17:]) {
		return b, "its checksum does not match"
	}
	delta := int32(binary.BigEndian.Uint32(raw[23:]))
	count := int32(binary.BigEndian.Uint32(raw[57:]))
	b = batch{
		base:       int64(binary.BigEndian.Uint64(raw)),
		attributes: int16(binary.BigEndian.Uint16(raw[21:])),
		baseTime:   int64(binary.BigEndian.Uint64(raw[27:])),
		maxTime:    int64(binary.BigEndian.Uint64(raw[35:])),
		producer:   int64(binary.BigEndian.Uint64(raw[43:])),
		count:      int(count),
		payload:    raw[batchHeaderBytes:],
	}
	b.last = b.base + int64(delta)
	switch {
	case b.base < 0 || b.base > position.MaxOffset-math.MaxInt32:
		return b, "its base offset is out of bounds"
	case delta < 0:
		return b, "its last offset is below its first"
	case count < 0 || int64(count) > int64(delta)+1:
		return b, "its number of records does not fit its offsets"
	default:
		return b, ""
	}
}
