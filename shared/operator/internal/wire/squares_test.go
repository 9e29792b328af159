package wire

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tidemark-io/tidemark/shared/operator/internal/wide"
)

// TestSquaresReadBack writes numbers of all lengths and reads them; nothing shorter or longer is taken for them.
func TestSquaresReadBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	all := []wide.Squares{{}, {Lo: math.MaxUint64}, {Mid: 1}, {Hi: 1}, {Hi: math.MaxUint64, Mid: math.MaxUint64, Lo: math.MaxUint64}}
	for range 3_000 {
		s := wide.Squares{Hi: rng.Uint64(), Mid: rng.Uint64(), Lo: rng.Uint64()}
		switch drop := rng.IntN(192); {
		case drop < 64:
			s.Hi >>= drop
		case drop < 128:
			s.Hi, s.Mid = 0, s.Mid>>(drop-64)
		default:
			s = wide.Squares{Lo: s.Lo >> (drop - 128)}
		}
		all = append(all, s)
	}
	for _, s := range all {
		enc := AppendSquares(nil, s)
		r := NewReader(enc)
		if got := r.Squares(); got != s || !r.Done() {
			t.Fatalf("%+v is written as %x and reads back as %+v, done %t", s, enc, got, r.Done())
		}
		if s.Hi|s.Mid == 0 && !bytes.Equal(enc, AppendUvarint(nil, s.Lo)) {
			t.Errorf("%+v is written as %x, unlike a uvarint", s, enc)
		}
		for n := range len(enc) {
			r := NewReader(enc[:n])
			if r.Squares(); !r.Bad() {
				t.Fatalf("the prefix %x was read", enc[:n])
			}
		}
	}
}

// TestSquaresRefused gives numbers too long and numbers not in their shortest form.
func TestSquaresRefused(t *testing.T) {
	longest := AppendSquares(nil, wide.Squares{Hi: math.MaxUint64, Mid: math.MaxUint64, Lo: math.MaxUint64})
	if len(longest) != maxSquaresBytes {
		t.Fatalf("the largest number has %d bytes", len(longest))
	}
	past := bytes.Clone(longest)
	past[len(past)-1] = 8 // bit 192
	padded := append(bytes.Repeat([]byte{0x80}, 15), 0)
	for _, enc := range [][]byte{past, padded, {0x81, 0}, {}, append(bytes.Repeat([]byte{0xff}, maxSquaresBytes), 1)} {
		r := NewReader(enc)
		if got := r.Squares(); !r.Bad() {
			t.Errorf("%x was read as %+v", enc, got)
		}
	}
}
