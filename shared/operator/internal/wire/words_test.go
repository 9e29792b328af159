package wire

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// TestBytesWordsAreWhatIsAppended compares the words of strings of all short lengths with the bytes of AppendBytes.
func TestBytesWordsAreWhatIsAppended(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 7))
	for n := range 20 {
		for range 300 {
			s := make([]byte, n)
			zero := false
			for i := range s {
				if s[i] = byte(rng.Uint32()); rng.IntN(40) == 0 {
					s[i] = 0
				}
				zero = zero || s[i] == 0
			}
			low, high, size, ok := BytesWords(s)
			if want := n <= maxWordsBytes && !zero; ok != want {
				t.Fatalf("%x: ok is %t", s, ok)
			}
			if !ok {
				continue
			}
			got := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, low), high)
			if want := AppendBytes(nil, s); !bytes.Equal(got[:size], want) || !bytes.Equal(got[size:], make([]byte, 16-size)) {
				t.Fatalf("%x: the words hold %x of %d, want %x", s, got, size, want)
			}
		}
	}
}
