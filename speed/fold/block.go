package fold

import (
	"unsafe"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
)

// block is an open block: its tiles, and which of them each lane has not been sent yet.
type block struct {
	first  int64
	header []byte // of its tiles
	name   string // of their fields
	fold   *view.Fold
	dirty  [][]int32 // by lane: slots changed since they were last put into a call
	listed []bool    // by slot: in dirty
}

// open makes an empty block the one of this header.
func (b *block) open(h tile.Header) {
	b.first, b.header, b.name = h.Block, h.Append(b.header[:0]), h.Name()
}

// add folds rows [from, to) of a batch, and returns how many values of theirs were null because an expression erred, and
// how many were too long for a key.
func (b *block) add(batch *column.Batch, from, to, lanes int) (errs, long int64) {
	errs, long = -b.fold.Errors(), -b.fold.LongKeys()
	b.fold.Add(batch, from, to)
	errs, long = errs+b.fold.Errors(), long+b.fold.LongKeys()
	if n := b.fold.Len() - len(b.listed); n > 0 {
		b.listed = append(b.listed, make([]bool, n)...)
	}
	for _, slot := range b.fold.Touched() {
		if !b.listed[slot] {
			b.change(lane.Of(b.fold.Hash(int(slot)), lanes), slot)
		}
	}
	return errs, long
}

// change lists a slot, which is not listed, as changed.
func (b *block) change(l int, slot int32) {
	b.listed[slot] = true
	b.dirty[l] = append(b.dirty[l], slot)
}

// sent empties the list of a lane.
func (b *block) sent(l int) {
	for _, slot := range b.dirty[l] {
		b.listed[slot] = false
	}
	b.dirty[l] = b.dirty[l][:0]
}

// reset forgets everything and keeps the memory.
func (b *block) reset() {
	b.fold.Reset()
	b.listed = b.listed[:0]
	for l := range b.dirty {
		b.dirty[l] = b.dirty[l][:0]
	}
}

// bytes returns about how much memory the block holds.
func (b *block) bytes() int64 {
	n := b.fold.Bytes() + int64(cap(b.listed))
	for l := range b.dirty {
		n += int64(cap(b.dirty[l])) * int64(unsafe.Sizeof(int32(0)))
	}
	return n
}
