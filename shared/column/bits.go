package column

import "encoding/binary"

// setBits sets the bits [from, to) of a bitmap in which none from from on is set.
func setBits(bitmap []byte, from, to int) {
	for ; from < to && from&7 != 0; from++ {
		bitmap[from>>3] |= 1 << (from & 7)
	}
	for ; from+8 <= to; from += 8 {
		bitmap[from>>3] = 0xff
	}
	if from < to {
		bitmap[from>>3] = 1<<(to-from) - 1
	}
}

// copiedBits is how many bits are copied at a time: a word less the seven that may lie before them in their first byte.
const copiedBits = 56

// copyBits copies n bits of src, those from from on, to dst from bit to on, where none may be set.
func copyBits(dst []byte, to int, src []byte, from, n int) {
	for n > 0 {
		some := min(n, copiedBits)
		word := wordAt(src, from>>3) >> (from & 7) & (1<<some - 1) << (to & 7)
		if at := to >> 3; at+8 <= len(dst) {
			binary.LittleEndian.PutUint64(dst[at:], binary.LittleEndian.Uint64(dst[at:])|word)
		} else {
			for ; word != 0; word >>= 8 {
				dst[at] |= byte(word)
				at++
			}
		}
		to, from, n = to+some, from+some, n-some
	}
}

// wordAt returns the eight bytes from place at on, with 0 behind the end.
func wordAt(bitmap []byte, at int) (word uint64) {
	if at+8 <= len(bitmap) {
		return binary.LittleEndian.Uint64(bitmap[at:])
	}
	for i, b := range bitmap[at:] {
		word |= uint64(b) << (8 * i)
	}
	return word
}
