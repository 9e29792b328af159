package view

import (
	"bytes"
	"math"
	"math/bits"
	"slices"

	"github.com/tidemark-io/tidemark/shared/invariant"
)

// maxSlots bounds the entities of one fold: slots are int32.
const maxSlots = math.MaxInt32 - 1

// minTable is the room of the first table, a power of two.
const minTable = 64

// entity is what a fold knows of a slot besides its newest event time and its states, on one cache line: a row of an
// entity seen before touches it once.
type entity struct {
	hash   uint64
	events int64
	key    uint64 // where the key begins in the arena; it ends where the next slot's begins
	// The entity's last event in the partition it was seen in most lately; most entities are in one only.
	last int64
	part int32 // index in Fold.parts, -1 for none
	more int32 // index in Fold.cells of the next partition, -1 for none
	// stamp is the number of the Add that touched the slot last.
	stamp uint32
}

// table finds slots by key: open addressing, linear probing, at most half full. An entry is 0 (free), or the upper half
// of the key's hash over slot+1: a probe leaves the table for the entity and its key only when 32 bits agree.
//
// A key's place follows from the topmost bits of its hash, so that keys which come in the order of their hashes find theirs
// one behind the other.
type table struct {
	entries []uint64
	mask    uint64
	skip    uint8 // the topmost bits that all hashes have in common: of a fold that holds one shard, the shard's
	shift   uint8
}

// at returns the place of a hash.
func (t *table) at(hash uint64) uint64 { return hash << t.skip >> t.shift }

func entryOf(hash uint64, slot int32) uint64 { return hash&^math.MaxUint32 | uint64(slot+1) }

func slotOf(entry uint64) int32 { return int32(uint32(entry)) - 1 }

// lookup returns the key's slot, or -1 and the place of the free entry where it would be.
func (f *Fold) lookup(hash uint64, key []byte) (slot int32, at uint64) {
	for at = f.table.at(hash); ; at = (at + 1) & f.table.mask {
		entry := f.table.entries[at]
		if entry == 0 {
			return -1, at
		}
		if (entry^hash)>>32 == 0 {
			if slot = slotOf(entry); bytes.Equal(f.Key(int(slot)), key) {
				return slot, at
			}
		}
	}
}

// findOrAdd returns the key's slot, a new one if it has none.
func (f *Fold) findOrAdd(hash uint64, key []byte) int32 {
	slot, at := f.lookup(hash, key)
	if slot >= 0 {
		return slot
	}
	n := len(f.entities)
	if n >= maxSlots {
		invariant.Fail("a fold of %d entities", n)
	}
	slot = int32(n)
	f.table.entries[at] = entryOf(hash, slot)
	if n == cap(f.entities) { // to double costs less than the runtime's steps of a quarter
		f.entities, f.newest, f.held = slices.Grow(f.entities, max(n, minTable)), slices.Grow(f.newest, max(n, minTable)), slices.Grow(f.held, max(n, minTable))
	}
	f.entities = append(f.entities, entity{hash: hash, key: uint64(len(f.arena)), part: -1, more: -1})
	f.newest, f.held = append(f.newest, 0), append(f.held, 0)
	f.arena = append(f.arena, key...)
	if 2*(n+1) > len(f.table.entries) {
		f.rehash(2 * len(f.table.entries))
	}
	return slot
}

func (f *Fold) rehash(room int) {
	f.table.entries, f.table.mask, f.table.shift = make([]uint64, room), uint64(room-1), uint8(64-bits.TrailingZeros(uint(room)))
	for slot := range f.entities {
		hash := f.entities[slot].hash
		at := f.table.at(hash)
		for f.table.entries[at] != 0 {
			at = (at + 1) & f.table.mask
		}
		f.table.entries[at] = entryOf(hash, int32(slot))
	}
}
