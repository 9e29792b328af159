package operator

import (
	"bytes"
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// TestKeyWordsAgainstTuples makes words of random tuples, many of them at the limits of what a word holds, as rows and by
// their bytes. Words are equal where the tuples are, give them back, and are in their order.
func TestKeyWordsAgainstTuples(t *testing.T) {
	for members := 1; members <= 3; members++ {
		inputs := make([]Input, members)
		for i := range inputs {
			inputs[i] = Input{Role: RoleKey, Type: schema.Int64}
		}
		made, numbered := 0, 0
		for seed := range uint64(300) {
			rng := rand.New(rand.NewPCG(seed, 21))
			k := newKeyWords(inputs)
			cols, rows := make([]*column.Column, members), make([]int32, 1+rng.IntN(40))
			for i := range cols {
				c := column.NewColumn(schema.Int64, 0)
				for range rows {
					c.AppendInt(nearLimit(rng))
				}
				cols[i] = &c
			}
			for i := range rows {
				rows[i] = int32(i)
			}
			of := slices.Clone(k.of(cols, rows))
			tuples := make([][]byte, len(rows))
			for i, row := range rows {
				tuples[i] = k.tuple.Append(nil, cols, int(row))
				if of[i] < numberedWord {
					made++
				} else {
					numbered++
				}
				if word := k.ofTuple(tuples[i], k.ID); word != of[i] {
					t.Fatalf("seed %d: tuple %x has word %x, its row %x", seed, tuples[i], word, of[i])
				}
				if got := k.append(nil, of[i]); !bytes.Equal(got, tuples[i]) || !bytes.Equal(k.bytesOf(of[i]), got) {
					t.Fatalf("seed %d: word %x of tuple %x is that of %x", seed, of[i], tuples[i], got)
				}
			}
			for i, a := range of {
				for j, b := range of {
					want := bytes.Compare(tuples[i], tuples[j])
					if got := k.less(a, b); got != (want < 0) || (a == b) != (want == 0) {
						t.Fatalf("seed %d: words %x and %x of tuples %x and %x: less %t", seed, a, b, tuples[i], tuples[j], got)
					}
					if max(a, b) < numberedWord && cmp.Compare(a, b) != want {
						t.Fatalf("seed %d: words %x and %x are not in the order of tuples %x and %x", seed, a, b, tuples[i], tuples[j])
					}
				}
			}
		}
		if members < 3 && made < 1000 || numbered < 300 {
			t.Errorf("%d members: %d words made, %d numbered: the test has lost its point", members, made, numbered)
		}
	}
}

// nearLimit returns an integer that is small, at the limit of some number of bits, or one past it.
func nearLimit(rng *rand.Rand) int64 {
	switch v := int64(1) << rng.IntN(63); rng.IntN(6) {
	case 0, 1:
		return rng.Int64N(5) - 2
	case 2:
		return rng.Int64N(1 << 28)
	case 3:
		return v - rng.Int64N(2)
	case 4:
		return -v - rng.Int64N(2)
	default:
		return []int64{math.MinInt64, math.MaxInt64, 1<<30 - 1, -1 << 30, 1 << 30, 1<<31 - 1, 1<<62 - 1, -1 << 62, 1 << 62}[rng.IntN(9)]
	}
}
