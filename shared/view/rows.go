package view

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/tidemark-io/tidemark/shared/column"
)

// keyed are the rows of a batch that belong to an entity, and whose they are.
type keyed struct {
	row []int32
	of  []int32 // by row: number of its key

	// By key. Rows of one key have one number where the key is a dictionary's value, so that it is built, hashed and looked
	// up once; otherwise a key may stand here several times, unless they are to be unique.
	hash []uint64
	keys []inlineKey
	long []byte  // the bytes of those that are longer than inlineKey takes, one after the other
	slot []int32 // -1 as long as it was not looked up

	// The keys that values of dictionaries made: number + 1 by code, 0 for none yet. The first code is that of no key.
	seen  []int32
	first []int // by kind: code of its dictionary's first value; noCode for a kind that is not one field with a dictionary
	codes [codeRows]uint32
	made  []int32 // scratch of keyCoded
	fresh []byte  // scratch: keys to be numbered

	// touchedSum keeps reads that are made only to be made from being taken for superfluous.
	touchedSum uint64

	// With unique each key stands here once, found by its hash: an open table of entryOf(hash, number), at most half full.
	unique bool
	table  []uint64
}

// inlineKey is a key with its length behind it, 0 in between: most keys are found, and told from others, by one line of the
// processor's caches. Of one that is longer it has where it begins in keyed.long and where it ends.
type inlineKey [32]byte

const (
	maxInline = 31   // the longest key that an inlineKey takes
	inLong    = 0xff // in the place of the length: it does not
)

// inline returns the key as what it is in keys, if it is not too long for it.
func inline(key []byte) (in inlineKey, ok bool) {
	if len(key) > maxInline {
		return inlineKey{}, false
	}
	copy(in[:maxInline], key)
	in[maxInline] = byte(len(key))
	return in, true
}

func (a *inlineKey) equal(b *inlineKey) bool {
	word := func(k *inlineKey, at int) uint64 { return binary.LittleEndian.Uint64(k[at:]) }
	return (word(a, 0)^word(b, 0))|(word(a, 8)^word(b, 8))|(word(a, 16)^word(b, 16))|(word(a, 24)^word(b, 24)) == 0
}

// key returns the key with a number; it is valid until keys are forgotten.
func (k *keyed) key(number int) []byte {
	in := &k.keys[number]
	if n := in[maxInline]; n != inLong {
		return in[:n:n]
	}
	from, to := binary.LittleEndian.Uint64(in[:]), binary.LittleEndian.Uint64(in[8:])
	return k.long[from:to:to]
}

// add gives a key the next number. in is what inline returned for it.
func (k *keyed) add(hash uint64, key []byte, in *inlineKey, short bool) {
	if !short {
		from := len(k.long)
		k.long = append(k.long, key...)
		binary.LittleEndian.PutUint64(in[:], uint64(from))
		binary.LittleEndian.PutUint64(in[8:], uint64(len(k.long)))
		in[maxInline] = inLong
	}
	if n := len(k.keys); n == cap(k.keys) {
		k.keys, k.hash = slices.Grow(k.keys, max(n, minTable)), slices.Grow(k.hash, max(n, minTable))
	}
	k.keys, k.hash = append(k.keys, *in), append(k.hash, hash)
}

// open prepares for up to n more rows, those of a batch. A kind of one field that has a dictionary remembers the keys that
// its values made.
func (k *keyed) open(kinds [][]*column.Column, n int) {
	k.row, k.of = slices.Grow(k.row[:0], n), slices.Grow(k.of, n)
	k.first = k.first[:0]
	codes := noCode + 1
	for _, columns := range kinds {
		if len(columns) > 1 || columns[0].Index == nil {
			k.first = append(k.first, noCode)
			continue
		}
		k.first = append(k.first, codes)
		codes += len(columns[0].Offsets) - 1
	}
	k.seen = slices.Grow(k.seen[:0], codes)[:codes]
	clear(k.seen)
	k.seen[noCode] = -1
}

// drop drops all rows, and keeps the keys.
func (k *keyed) drop() { k.row, k.of = k.row[:0], k.of[:0] }

// forget drops all rows and keys and keeps the memory. The table begins anew with one that suits as many keys as there were:
// emptying one that was large for a large batch would cost each small one more than finding its keys.
func (k *keyed) forget() {
	for len(k.table) > minTable && 4*len(k.hash) < len(k.table) {
		k.table = k.table[:len(k.table)/2]
	}
	clear(k.table)
	k.drop()
	k.hash, k.keys, k.long, k.slot = k.hash[:0], k.keys[:0], k.long[:0], k.slot[:0]
}

// numbered returns the number of a key, which has this hash: a new one, unless keys are unique and it was there before.
func (k *keyed) numbered(hash uint64, key []byte) int32 {
	n := len(k.hash)
	in, short := inline(key)
	if k.unique {
		if 2*(n+1) > len(k.table) {
			k.growTable()
		}
		mask := uint64(len(k.table) - 1)
		at := hash & mask
		for ; k.table[at] != 0; at = (at + 1) & mask {
			entry := k.table[at]
			if (entry^hash)>>32 != 0 {
				continue
			}
			number := slotOf(entry)
			if short && k.keys[number].equal(&in) || !short && bytes.Equal(k.key(int(number)), key) {
				return number
			}
		}
		k.table[at] = entryOf(hash, int32(n))
	}
	k.add(hash, key, &in, short)
	return int32(n)
}

func (k *keyed) growTable() {
	room := max(minTable, 2*len(k.table))
	k.table = slices.Grow(k.table[:0], room)[:room]
	clear(k.table)
	for number, hash := range k.hash {
		k.table[k.free(hash)] = entryOf(hash, int32(number))
	}
}

// free returns the first free place of the table for a hash.
func (k *keyed) free(hash uint64) uint64 {
	mask := uint64(len(k.table) - 1)
	at := hash & mask
	for k.table[at] != 0 {
		at = (at + 1) & mask
	}
	return at
}

// keyRows adds to k the accepted rows [from,to) of a batch that belong to an entity; its rows are those of this batch only.
func (r *reader) keyRows(k *keyed, b *column.Batch, from, to int) {
	r.openKeys(b)
	k.open(r.keys, to-from)
	if r.coded(k) {
		r.keyCoded(k, b, from, to)
	} else {
		r.keyEach(k, b, from, to)
	}
	k.slot = slices.Grow(k.slot, len(k.hash)-len(k.slot))
	for len(k.slot) < len(k.hash) {
		k.slot = append(k.slot, -1)
	}
}

// keyEach is keyRows row by row.
func (r *reader) keyEach(k *keyed, b *column.Batch, from, to int) {
	for i := from; i < to; i++ {
		if b.Reject[i] != 0 {
			continue
		}
		if number := r.numberOf(k, i); number >= 0 {
			k.row, k.of = append(k.row, int32(i)), append(k.of, number)
		}
	}
}

// numberOf returns the number of the key of row i: that of the first kind whose fields are all there, and short enough; -1
// if there is none. A key that a value of a dictionary made before is not looked at again.
func (r *reader) numberOf(k *keyed, i int) int32 {
	for kind, columns := range r.keys {
		first := k.first[kind]
		if first == noCode {
			if r.has(kind, i) {
				return r.addKey(k, kind, i)
			}
			continue
		}
		c := columns[0]
		if !c.Present(i) {
			continue
		}
		seen := &k.seen[first+int(c.Index[i])]
		if *seen == 0 && r.has(kind, i) {
			*seen = r.addKey(k, kind, i) + 1
		}
		if *seen > 0 {
			return *seen - 1
		}
	}
	return -1
}

// addKey returns the number of the key of a kind that row i has.
func (r *reader) addKey(k *keyed, kind, i int) int32 {
	k.fresh = r.appendKey(k.fresh[:0], kind, i)
	return k.numbered(Hash(k.fresh), k.fresh)
}

// chosen are rows and whose they are: of each row, and of stretches of rows.
type chosen struct {
	row       []int32
	slot      []int32
	stretches []Stretch
}

// Stretch is some rows that stand side by side and belong to one entity: those from the end of the stretch before.
type Stretch struct {
	Slot int32
	To   int32 // where the next stretch begins
}

// choose makes c all rows of k, whose keys have been found.
func (c *chosen) choose(k *keyed) {
	c.row, c.slot = append(c.row[:0], k.row...), slices.Grow(c.slot[:0], len(k.of))
	for _, number := range k.of {
		c.slot = append(c.slot, k.slot[number])
	}
	c.stretch()
}

// stretch finds the stretches of rows whose slots are known.
func (c *chosen) stretch() {
	c.stretches = c.stretches[:0]
	for from := 0; from < len(c.slot); {
		slot, to := c.slot[from], from+1
		for to < len(c.slot) && c.slot[to] == slot {
			to++
		}
		c.stretches = append(c.stretches, Stretch{slot, int32(to)})
		from = to
	}
}

// find looks up the slots of the keys with these numbers, adding the entities that are new.
func (f *Fold) find(k *keyed, numbers []int32) {
	for len(numbers) > 0 {
		n := min(len(numbers), touchRows)
		f.touchKeys(k, numbers[:n])
		for _, number := range numbers[:n] {
			k.slot[number] = f.findOrAdd(k.hash[number], k.key(int(number)))
		}
		numbers = numbers[n:]
	}
}

// touchRows is how many rows are touched, and then worked on, at a time: few enough for what was touched to be in the
// processor's nearer caches still.
const touchRows = 256

// touchKeys reads what looking up some keys will need, step by step: table, entity, key. The lookups then wait for
// memory side by side and not each for itself, which halves their time when there are many entities.
func (f *Fold) touchKeys(k *keyed, numbers []int32) {
	var slots [touchRows]int32
	var at [touchRows]uint64
	n, sum := 0, uint64(0)
	for _, i := range numbers {
		if slot := slotOf(f.table.entries[f.table.at(k.hash[i])]); slot >= 0 {
			slots[n] = slot
			n++
		}
	}
	for i, slot := range slots[:n] {
		at[i] = f.entities[slot].key
		sum += uint64(f.newest[slot])
	}
	for _, key := range at[:n] {
		if key < uint64(len(f.arena)) { // not so for a last key without bytes
			sum += uint64(f.arena[key])
		}
	}
	f.touchedSum += sum
}

// account counts rows in their entities: newest event time, events, last offset. It also lists the slots touched.
func (f *Fold) account(rows *chosen, rank int, b *column.Batch) {
	f.touched = f.touched[:0]
	if f.stamp++; f.stamp == 0 { // wrapped around: forget the old stamps
		for i := range f.entities {
			f.entities[i].stamp = 0
		}
		f.stamp = 1
	}
	if len(rows.row) == 0 {
		return
	}
	id := f.partID(rank, b.Partition)
	from := int32(0)
	for _, s := range rows.stretches {
		newest, last := int64(0), int64(0)
		for _, row := range rows.row[from:s.To] {
			newest, last = max(newest, b.Time[row]), max(last, b.Offset[row])
		}
		f.newest[s.Slot] = max(f.newest[s.Slot], newest)
		e := &f.entities[s.Slot]
		e.events += int64(s.To - from)
		if e.part == id {
			e.last = max(e.last, last)
		} else {
			f.raise(e, id, last)
		}
		if e.stamp != f.stamp {
			e.stamp = f.stamp
			f.touched = append(f.touched, s.Slot)
		}
		from = s.To
	}
}

// partID returns the index of a partition in f.parts.
func (f *Fold) partID(rank int, partition int32) int32 {
	p := part{int32(rank), partition}
	if i := slices.Index(f.parts, p); i >= 0 {
		return int32(i)
	}
	f.parts = append(f.parts, p)
	return int32(len(f.parts) - 1)
}

// raise makes a partition other than the one at hand the entity's partition at hand, and its last offset at least last:
// batches come partition by partition, so that the next rows find it there.
func (f *Fold) raise(e *entity, id int32, last int64) {
	if e.part < 0 {
		e.part, e.last = id, last
		return
	}
	at := e.more
	for at >= 0 && f.cells[at].part != id {
		at = f.cells[at].more
	}
	if at < 0 {
		f.cells = append(f.cells, cell{last: e.last, part: e.part, more: e.more})
		e.part, e.last, e.more = id, last, int32(len(f.cells)-1)
		return
	}
	c := &f.cells[at]
	c.part, e.part = e.part, c.part
	c.last, e.last = e.last, max(c.last, last)
}
