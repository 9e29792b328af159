// Package record is one record of a log as it came from the broker: the bytes and what the broker says of them. It is
// what the log source hands to the decoder and to the archive. It knows nothing of what the bytes mean.
package record

import "github.com/tidemark-io/tidemark/shared/column"

// Header is one header of a record. Keys may repeat; order matters. A nil Value is a null.
type Header struct {
	Key   string
	Value []byte
}

// Record is one record of a partition. The slices belong to whoever made the record and are valid for as long as that
// one says.
type Record struct {
	Offset     int64
	Append     int64 // ms since 1970: the broker's append time, or the producer's time if AppendType is CreateTime
	AppendType column.TimeType
	Key        []byte // nil = null
	Value      []byte // nil = null (a tombstone)
	Headers    []Header
}
