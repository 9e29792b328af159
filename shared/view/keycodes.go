package view

import (
	"encoding/binary"

	"github.com/tidemark-io/tidemark/shared/column"
)

// Where each kind of key is one field that has a dictionary, as in an archive's batches, a row's key is found by a code:
// the place of its value among the values of all kinds. Codes are made a column at a time, without a branch on what a row
// lacks, which is beyond what a processor guesses. Keys are built, hashed and told apart when all rows have a number, one
// for each value that some row has.

// codeRows is the number of rows whose codes are made at a time: a word of the bitmaps of presence.
const codeRows = 64

// noCode is the code of a row without a key: keyed.seen has a number for it that says so.
const noCode = 0

// coded tells whether rows have codes. A value that is too long for a key would be none, and counted: not so here.
func (r *reader) coded(k *keyed) bool {
	for kind, columns := range r.keys {
		if k.first[kind] == noCode || longest(columns[0].Offsets) > MaxKeyValueBytes {
			return false
		}
	}
	return true
}

// longest returns the length of the longest value between two offsets.
func longest(offsets []int32) (n int32) {
	last := offsets[0]
	for _, end := range offsets[1:] {
		n, last = max(n, end-last), end
	}
	return n
}

// keyCoded is keyRows for rows that have codes.
func (r *reader) keyCoded(k *keyed, b *column.Batch, from, to int) {
	before := len(k.of)
	row, of := k.row[:to-from], k.of[before:before+to-from]
	made, seen := k.made[:0], k.seen
	n := 0
	for at := from &^ (codeRows - 1); at < to; at += codeRows {
		codes := r.codesAt(k, b, at)
		first, end := max(from, at), min(to, at+codeRows)
		for i, code := range codes[first-at : end-at] {
			number := seen[code]
			if number == 0 {
				made = append(made, int32(code))
				number = int32(len(made))
				seen[code] = number
			}
			// Written in any case, and over if the row has no key.
			row[n], of[n] = int32(first+i), number-1
			n += int(uint32(-max(number, 0)) >> 31)
		}
	}
	k.row, k.of, k.made = row[:n], k.of[:before+n], made
	r.makeKeys(k, k.of[before:])
}

// makeKeys makes the keys of k.made, which are codes by number, and gives rows with these numbers those of the keys.
func (r *reader) makeKeys(k *keyed, of []int32) {
	before := len(k.hash)
	for made := k.made; len(made) > 0; {
		some := made[:min(len(made), touchRows)]
		r.makeSome(k, some)
		made = made[len(some):]
	}
	if before == 0 && len(k.hash) == len(k.made) {
		return // all are new, and none was there before: each has its own number
	}
	for i, number := range of {
		of[i] = k.made[number]
	}
}

// makeSome makes the keys of some codes, at most touchRows, and puts their numbers in the codes' place. What finding them
// will read is read side by side before.
func (r *reader) makeSome(k *keyed, codes []int32) {
	var hashes [touchRows]uint64
	var ends [touchRows]int
	fresh, from := k.fresh[:0], 0
	for i, code := range codes {
		kind := len(k.first) - 1
		for int(code) < k.first[kind] {
			kind--
		}
		c, value := r.keys[kind][0], int(code)-k.first[kind]
		fresh = append(fresh, r.plan.keys[kind].prefix...)
		fresh = appendEscaped(fresh, c.Bytes[c.Offsets[value]:c.Offsets[value+1]])
		hashes[i], ends[i] = Hash(fresh[from:]), len(fresh)
		from = len(fresh)
	}
	k.fresh = fresh
	k.touch(hashes[:len(codes)])
	from = 0
	for i := range codes {
		codes[i] = k.numbered(hashes[i], fresh[from:ends[i]])
		from = ends[i]
	}
}

// touch reads what finding the keys with these hashes, at most touchRows, will read: step by step, table and key.
func (k *keyed) touch(hashes []uint64) {
	if len(k.table) == 0 {
		return
	}
	var numbers [touchRows]int32
	mask, n := uint64(len(k.table)-1), 0
	for _, hash := range hashes {
		if entry := k.table[hash&mask]; entry != 0 && (entry^hash)>>32 == 0 {
			numbers[n] = slotOf(entry)
			n++
		}
	}
	sum := uint64(0)
	for _, number := range numbers[:n] {
		sum += uint64(k.keys[number][0])
	}
	k.touchedSum += sum
}

// codesAt returns the codes of codeRows rows from a multiple of it on; those behind the last row mean nothing.
func (r *reader) codesAt(k *keyed, b *column.Batch, at int) *[codeRows]uint32 {
	codes := &k.codes
	clear(codes[:])
	rest := acceptedFrom(b.Reject[at:b.N])
	for kind, columns := range r.keys {
		c := columns[0]
		present := rest & wordFrom(c.Valid[at/8:])
		rest &^= present
		addCodes(codes, k.first[kind], c.Index[at:b.N], present)
	}
	return codes
}

// addCodes gives rows that are present the code of their value in a dictionary whose first value has the code first.
func addCodes(codes *[codeRows]uint32, first int, index []int32, present uint64) {
	if present == 0 {
		return
	}
	var last [codeRows]int32
	if len(index) < codeRows {
		copy(last[:], index)
		index = last[:]
	}
	for i, value := range index[:codeRows] {
		codes[i] |= (uint32(first) + uint32(value)) & -uint32(present>>i&1)
	}
}

// acceptedFrom returns which of the first codeRows rows are accepted, the first lowest.
func acceptedFrom(reject []uint8) (accepted uint64) {
	n := min(len(reject), codeRows)
	for at := 0; at+8 <= n; at += 8 {
		if binary.LittleEndian.Uint64(reject[at:]) == 0 {
			accepted |= 0xff << at
			continue
		}
		accepted |= acceptedIn(reject[at:at+8]) << at
	}
	whole := n &^ 7
	return accepted | acceptedIn(reject[whole:n])<<whole
}

// acceptedIn returns which of at most eight rows are accepted.
func acceptedIn(reject []uint8) (accepted uint64) {
	for i, reason := range reject {
		if reason == 0 {
			accepted |= 1 << i
		}
	}
	return accepted
}

// wordFrom returns the first 64 bits of a bitmap, with 0 behind its end.
func wordFrom(bitmap []byte) uint64 {
	if len(bitmap) >= 8 {
		return binary.LittleEndian.Uint64(bitmap)
	}
	var word [8]byte
	copy(word[:], bitmap)
	return binary.LittleEndian.Uint64(word[:])
}
