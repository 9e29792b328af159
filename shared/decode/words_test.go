package decode

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

// TestWordsEqualMap compares the table with a plain search, on words that share ends and lengths too.
func TestWordsEqualMap(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 3))
		var list []string
		for range r.IntN(100) {
			if word := randomWord(r); !slices.Contains(list, word) {
				list = append(list, word)
			}
		}
		w := newWords(list)
		for range 300 {
			word := randomWord(r)
			if got, want := w.find([]byte(word)), slices.Index(list, word); got != want {
				t.Fatalf("seed %d: %q is at %d, want %d", seed, word, got, want)
			}
		}
	}
}

func randomWord(r *rand.Rand) string {
	word := make([]byte, r.IntN(12))
	for i := range word {
		word[i] = "ab"[r.IntN(2)]
	}
	return string(word)
}

func TestWordsAtTheLimit(t *testing.T) {
	list := make([]string, 4096)
	for i := range list {
		list[i] = "prefix-" + strconv.Itoa(i) + "-shared-suffix"
	}
	w := newWords(list)
	for i, word := range list {
		if got := w.find([]byte(word)); got != i {
			t.Fatalf("%q is at %d, want %d", word, got, i)
		}
	}
}
