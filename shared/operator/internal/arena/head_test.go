package arena

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"testing"
)

// TestHeadsAreInOrder compares the order of random byte strings, many of which begin alike or with zeros, with that of their
// heads.
func TestHeadsAreInOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	random := func() []byte {
		b := make([]byte, rng.IntN(2*HeadBytes))
		for i := range b {
			b[i] = []byte{0, 0, 1, 0x7f, 0x80, 0xff}[rng.IntN(1+rng.IntN(6))]
		}
		return b
	}
	differ := 0
	for range 100_000 {
		a, b := random(), random()
		order := cmp.Compare(HeadOf(a), HeadOf(b))
		if order != 0 && order != bytes.Compare(a, b) {
			t.Fatalf("the heads of %x and %x are in the order %d", a, b, order)
		}
		if order != 0 {
			differ++
		}
		if n := min(len(a), len(b), HeadBytes); order == 0 && !bytes.Equal(a[:n], b[:n]) {
			t.Fatalf("%x and %x have one head", a, b)
		}
	}
	if differ < 10_000 {
		t.Errorf("%d pairs have heads that differ", differ)
	}
}
