package wire

import (
	"encoding/binary"

	"github.com/tidemark-io/tidemark/shared/operator/internal/wide"
)

// maxSquaresBytes is the length of the longest uvarint of 192 bits; its last byte holds three bits.
const maxSquaresBytes = 28

// AppendSquares appends a 192-bit integer; one that fits into 64 bits has the form of AppendUvarint.
func AppendSquares(dst []byte, s wide.Squares) []byte {
	for s.Hi|s.Mid != 0 {
		dst = append(dst, byte(s.Lo)|0x80)
		s.Lo = s.Lo>>7 | s.Mid<<57
		s.Mid = s.Mid>>7 | s.Hi<<57
		s.Hi >>= 7
	}
	return binary.AppendUvarint(dst, s.Lo)
}

// Squares reads a 192-bit integer. One that fits into 64 bits is read as such.
func (r *Reader) Squares() wide.Squares {
	if v, n := binary.Uvarint(r.b[r.at:]); n == 1 || n > 1 && r.b[r.at+n-1] != 0 {
		r.at += n
		return wide.Squares{Lo: v}
	}
	var words [4]uint64 // one more than there are, for what a byte has across the last one's end
	for i, b := range r.b[r.at:] {
		if i == maxSquaresBytes {
			break
		}
		digit, at, shift := uint64(b&0x7f), 7*i/64, 7*i%64
		words[at] |= digit << shift
		words[at+1] |= digit >> (64 - shift) // a shift by 64 is 0
		if b >= 0x80 {
			continue
		}
		if i > 0 && b == 0 || words[3] != 0 {
			break
		}
		r.at += i + 1
		return wide.Squares{Hi: words[2], Mid: words[1], Lo: words[0]}
	}
	r.Fail()
	return wide.Squares{}
}
