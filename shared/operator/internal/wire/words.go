package wire

import "encoding/binary"

// maxWordsBytes is the length of the longest string whose member fits into two words with a byte to spare.
const maxWordsBytes = 12

// BytesWords returns the member that holds s, as AppendBytes appends it, in two words: n bytes, at most 15, of which the
// lowest comes first; those behind them are zero. ok is false if s is too long for that, or holds a zero byte.
func BytesWords(s []byte) (low, high uint64, n int, ok bool) {
	n = len(s)
	var last uint64 // bytes from the ninth on
	switch {
	case n > maxWordsBytes:
		return 0, 0, 0, false
	case n > 8:
		low, last = binary.LittleEndian.Uint64(s), binary.LittleEndian.Uint64(s[n-8:])>>(8*(16-n))
	case n >= 4:
		low = uint64(binary.LittleEndian.Uint32(s)) | uint64(binary.LittleEndian.Uint32(s[n-4:]))<<(8*(n-4))
	case n > 0:
		low = uint64(s[0]) | uint64(s[n/2])<<(8*(n/2)) | uint64(s[n-1])<<(8*(n-1))
	}
	// A shift by 64 or more leaves no ones.
	if hasZero(low|^uint64(0)<<(8*n)) || n > 8 && hasZero(last|^uint64(0)<<(8*(n-8))) {
		return 0, 0, 0, false
	}
	low, high = low<<8|tagBytes, low>>56|last<<8
	n += 3
	if n <= 8 {
		low |= endBytes << (8 * (n - 1))
	} else {
		high |= endBytes << (8 * (n - 9))
	}
	return low, high, n, true
}

// hasZero tells whether one of the bytes of a word is zero.
func hasZero(w uint64) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	return (w-ones)&^w&tops != 0
}
