package operator

import (
	"cmp"

	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// An event's place in the order of all events takes three words: time, source and partition, offset. No two events have
// the same.
const (
	orderTime = iota
	orderPartition
	orderOffset
	orderWords
)

// Limits of what a state may claim; package tile has the same.
const (
	maxSource    = 1 << 16
	maxPartition = 1<<31 - 1
)

// putOrder writes the place of row i of r.
func putOrder(w []uint64, r *Rows, row int32) {
	w[orderTime] = uint64(r.Time[row])
	w[orderPartition] = uint64(r.Source)<<32 | uint64(r.Partition)
	w[orderOffset] = uint64(r.Offset[row])
}

// compareRow compares the place in w with that of a row.
func compareRow(w []uint64, r *Rows, row int32) int {
	if t := uint64(r.Time[row]); w[orderTime] != t {
		return cmp.Compare(w[orderTime], t)
	}
	return cmp.Or(cmp.Compare(w[orderPartition], uint64(r.Source)<<32|uint64(r.Partition)),
		cmp.Compare(w[orderOffset], uint64(r.Offset[row])))
}

// comparePlaces compares the places of two rows.
func comparePlaces(r *Rows, a, b int32) int {
	if r.Time[a] != r.Time[b] {
		return cmp.Compare(r.Time[a], r.Time[b])
	}
	return cmp.Compare(r.Offset[a], r.Offset[b])
}

// compareOrder compares two places.
func compareOrder(a, b []uint64) int {
	if a[orderTime] != b[orderTime] {
		return cmp.Compare(a[orderTime], b[orderTime])
	}
	return cmp.Or(cmp.Compare(a[orderPartition], b[orderPartition]), cmp.Compare(a[orderOffset], b[orderOffset]))
}

// appendPlace appends a place without its time: source, partition, offset, as uvarints.
func appendPlace(dst []byte, w []uint64) []byte {
	dst = wire.AppendUvarint(dst, w[orderPartition]>>32)
	dst = wire.AppendUvarint(dst, w[orderPartition]&(1<<32-1))
	return wire.AppendUvarint(dst, w[orderOffset])
}

// readPlace reads what appendPlace wrote; t is its time, which the caller has read and newest must not be before.
func readPlace(r *wire.Reader, w []uint64, t uint64, newest int64) {
	if t > schema.MaxTime || int64(t) > newest {
		r.Fail()
	}
	w[orderTime] = t
	source := r.Uvarint(maxSource)
	w[orderPartition] = source<<32 | r.Uvarint(maxPartition)
	w[orderOffset] = r.Uvarint(position.MaxOffset)
}
