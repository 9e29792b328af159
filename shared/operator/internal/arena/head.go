package arena

import "encoding/binary"

// HeadOf returns the first eight bytes of b, or all of them and zeros, as a number. Where the heads of two byte strings
// differ they are in the order of these, and nearly always they do: comparing them does not look the bytes up again.
func HeadOf(b []byte) uint64 {
	if len(b) >= HeadBytes {
		return binary.BigEndian.Uint64(b)
	}
	var head uint64
	for i, v := range b {
		head |= uint64(v) << (8 * (HeadBytes - 1 - i))
	}
	return head
}

// HeadBytes is how many bytes of a string HeadOf takes.
const HeadBytes = 8
