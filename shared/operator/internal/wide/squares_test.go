package wide

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// TestSquaresAgainstBig adds squares of all lengths and compares with big integers.
func TestSquaresAgainstBig(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	var sum Squares
	want := new(big.Int)
	for i := range 2_000 {
		v := int64(rng.Uint64()) >> rng.IntN(64)
		if i%10 == 0 {
			v = math.MinInt64
		}
		other := Squares{Mid: rng.Uint64() >> rng.IntN(64), Lo: rng.Uint64()}
		sum = sum.AddSquare(v).Add(other)
		want.Add(want, new(big.Int).Mul(big.NewInt(v), big.NewInt(v)))
		want.Add(want, other.Big())
		if sum.Big().Cmp(want) != 0 {
			t.Fatalf("after %d: %v, want %v", v, sum.Big(), want)
		}
	}
}

// TestHoldFor compares with big integers, at the edge and beside it.
func TestHoldFor(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 7))
	held := 0
	for range 20_000 {
		n := 1 + rng.Uint64()>>(2+rng.IntN(62))
		sum := Int{Hi: int64(rng.Uint64()) >> (1 + rng.IntN(63)), Lo: rng.Uint64()}
		square := new(big.Int).Mul(sum.Big(), sum.Big())
		least := new(big.Int).Add(square, new(big.Int).SetUint64(n-1))
		least.Quo(least, new(big.Int).SetUint64(n)).Add(least, big.NewInt(rng.Int64N(3)-1))
		if least.BitLen() > 192 || least.Sign() < 0 {
			continue
		}
		s := squaresOf(least)
		want := new(big.Int).Mul(least, new(big.Int).SetUint64(n)).Cmp(square) >= 0
		if s.HoldFor(n, sum) != want {
			t.Fatalf("%v squares of %d numbers of sum %v: %t", least, n, sum.Big(), !want)
		}
		if want {
			held++
		}
	}
	if held < 5_000 || held > 19_000 {
		t.Errorf("%d of 20000 held: the test has lost its point", held)
	}
}

func squaresOf(b *big.Int) Squares {
	mask := new(big.Int).SetUint64(math.MaxUint64)
	word := func(shift uint) uint64 {
		w := new(big.Int).Rsh(b, shift)
		return w.And(w, mask).Uint64()
	}
	return Squares{Hi: word(128), Mid: word(64), Lo: word(0)}
}
