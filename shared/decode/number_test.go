package decode

import (
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"testing"
)

func TestLeadingDigitsEqualsParseUint(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 4))
	for range 50_000 {
		text := []byte("00000000")
		for i := range text {
			text[i] = byte('0' + r.IntN(10))
		}
		for range r.IntN(3) {
			text[r.IntN(8)] = byte(r.IntN(256))
		}
		n := 0
		for n < len(text) && '0' <= text[n] && text[n] <= '9' {
			n++
		}
		want := uint64(0)
		if n > 0 {
			var err error
			if want, err = strconv.ParseUint(string(text[:n]), 10, 64); err != nil {
				t.Fatal(err)
			}
		}
		if v, digits := leadingDigits(binary.LittleEndian.Uint64(text)); v != want || digits != n {
			t.Fatalf("%q: %d of %d digits; want %d of %d", text, v, digits, want, n)
		}
	}
}
