package redisstore

import (
	"math/bits"

	"github.com/tidemark-io/tidemark/shared/lane"
)

// Sizes of what Redis 7 keeps a key with, in bytes, on a machine of 64 bits: sizeof of its structs in server.h and dict.h,
// and the bytes around entries in listpack.c and characters in sds.h.
const (
	dictEntryBytes    = 24
	objectBytes       = 16
	dictBytes         = 56
	pointerBytes      = 8
	listpackEnds      = 6 + 1 // its header and its end
	minDictBuckets    = 4
	sdsSmall, sdsByte = 1 << 5, 1 << 8 // from these lengths on, a string's header takes 3 and 5 bytes instead of 1
)

// RowBytes returns about what MEMORY USAGE says of a row, in bytes: the entry of its key, the key, and its fields, each
// piece rounded up to a size that the allocator (jemalloc) gives. With the two settings that the start check wants, fields
// lie in one piece (a listpack); with more fields, or larger values, in a table. MEMORY USAGE looks at five fields of a table
// and guesses the others.
func RowBytes(id lane.RowID, fields []lane.Field) int {
	n := dictEntryBytes + stringBytes(len(rowKey(id))) + objectBytes
	if isTable(fields) {
		return n + tableBytes(fields)
	}
	list := listpackEnds
	for _, f := range fields {
		list += entryBytes(len(f.Name)) + entryBytes(len(f.Value))
	}
	return n + allocated(list)
}

func isTable(fields []lane.Field) bool {
	for _, f := range fields {
		if len(f.Name) > wantListpackValue || len(f.Value) > wantListpackValue {
			return true
		}
	}
	return len(fields) > wantListpackEntries
}

func tableBytes(fields []lane.Field) int {
	buckets := minDictBuckets
	for buckets < len(fields) {
		buckets *= 2
	}
	n := allocated(dictBytes) + allocated(buckets*pointerBytes)
	for _, f := range fields {
		n += dictEntryBytes + stringBytes(len(f.Name)) + stringBytes(len(f.Value))
	}
	return n
}

// entryBytes returns what a string of n bytes takes in a listpack: its length before it, and that of both behind it.
func entryBytes(n int) int {
	switch {
	case n < 1<<6:
		n++
	case n < 1<<12:
		n += 2
	default:
		n += 5
	}
	return n + (bits.Len(uint(n))+6)/7 // seven bits of a length in a byte
}

// stringBytes returns what a string of n bytes takes by itself: a header, the bytes and a zero.
func stringBytes(n int) int {
	switch {
	case n < sdsSmall:
		n++
	case n < sdsByte:
		n += 3
	case n < 1<<16:
		n += 5
	default:
		n += 9
	}
	return allocated(n + 1)
}

// allocated returns the size that jemalloc gives for n bytes: up to 128 every sixteenth (and 8), above four sizes for each
// doubling.
func allocated(n int) int {
	switch {
	case n <= 8:
		return 8
	case n <= 128:
		return (n + 15) &^ 15
	}
	step := 1 << (bits.Len(uint(n-1)) - 3)
	return (n + step - 1) &^ (step - 1)
}
