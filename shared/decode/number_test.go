package decode

import (
	"math/rand/v2"
	"strconv"
	"testing"
)

func TestEightDigitsEqualsParseInt(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 4))
	for range 20_000 {
		text := []byte("00000000")
		for i := range text {
			text[i] = byte('0' + r.IntN(10))
		}
		if r.IntN(2) == 0 {
			text[r.IntN(8)] = byte(r.IntN(256))
		}
		got, ok := eightDigits(text)
		want, err := strconv.ParseUint(string(text), 10, 64)
		if text[0] == '+' || text[0] == '_' {
			continue // ParseUint's own liberties
		}
		if ok != (err == nil) || ok && got != want {
			t.Fatalf("%q: %d, %t; ParseUint says %d, %v", text, got, ok, want, err)
		}
	}
}
