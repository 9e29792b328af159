package wide

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// samples are the numbers where carries and signs change, and random ones of every length.
func samples(rng *rand.Rand) []Int {
	out := []Int{
		{},
		Of(1), Of(-1), Of(math.MaxInt64), Of(math.MinInt64),
		{Hi: 0, Lo: 1 << 63},
		{Hi: math.MaxInt64, Lo: math.MaxUint64},
		{Hi: math.MinInt64, Lo: 0},
		{Hi: math.MinInt64, Lo: 1},
		{Hi: -1, Lo: 0},
		{Hi: 1, Lo: 0},
	}
	for range 200 {
		out = append(out, Int{Hi: int64(rng.Uint64()) >> rng.IntN(64), Lo: rng.Uint64() >> rng.IntN(64)})
	}
	return out
}

// wrap is b in the range of a two's complement number of so many bits.
func wrap(b *big.Int, bits uint) *big.Int {
	m := new(big.Int).Lsh(big.NewInt(1), bits)
	b = new(big.Int).Mod(b, m)
	if b.Bit(int(bits-1)) == 1 {
		b.Sub(b, m)
	}
	return b
}

func TestIntAgainstBig(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	all := samples(rng)
	for _, a := range all {
		if got, want := a.Neg().Big(), wrap(new(big.Int).Neg(a.Big()), 128); got.Cmp(want) != 0 {
			t.Errorf("-%v = %v, want %v", a.Big(), got, want)
		}
		hi, lo := a.Abs()
		mag := new(big.Int).Add(new(big.Int).Lsh(new(big.Int).SetUint64(hi), 64), new(big.Int).SetUint64(lo))
		if want := new(big.Int).Abs(a.Big()); mag.Cmp(want) != 0 {
			t.Errorf("|%v| = %v", a.Big(), mag)
		}
		if v, ok := a.Int64(); ok != a.Big().IsInt64() || ok && v != a.Big().Int64() {
			t.Errorf("%v as int64: %d, %t", a.Big(), v, ok)
		}
		if a.IsZero() != (a.Big().Sign() == 0) {
			t.Errorf("IsZero of %v", a.Big())
		}
		for _, b := range all {
			if got, want := a.Add(b).Big(), wrap(new(big.Int).Add(a.Big(), b.Big()), 128); got.Cmp(want) != 0 {
				t.Errorf("%v + %v = %v, want %v", a.Big(), b.Big(), got, want)
			}
		}
	}
}

func (s Score) big() *big.Int {
	b := Int{Hi: s.hi, Lo: s.mid}.Big()
	return b.Lsh(b, 64).Add(b, new(big.Int).SetUint64(s.lo))
}

func TestScoreAgainstBig(t *testing.T) {
	const seeds, products = 300, 20
	for seed := range uint64(seeds) {
		rng := rand.New(rand.NewPCG(seed, 1))
		all := samples(rng)
		var s, before Score
		want := new(big.Int)
		for range products {
			w, factor := all[rng.IntN(len(all))], rng.Uint64N(One+1)>>rng.IntN(33)
			before = s
			s.AddMul(w, factor)
			want.Add(want, new(big.Int).Mul(w.Big(), new(big.Int).SetUint64(factor)))
			if s.big().Cmp(want) != 0 {
				t.Fatalf("seed %d: score %v, want %v", seed, s.big(), want)
			}
			if s.Positive() != (want.Sign() > 0) || s.Above(&before) != (s.big().Cmp(before.big()) > 0) ||
				before.Above(&s) != (s.big().Cmp(before.big()) < 0) || s.Above(&s) {
				t.Fatalf("seed %d: sign or order of %v after %v", seed, want, before.big())
			}
			f, _ := new(big.Rat).SetFrac(want, new(big.Int).Lsh(big.NewInt(1), ScoreBits)).Float64()
			if s.Float() != f {
				t.Fatalf("seed %d: %v as float %g, want %g", seed, want, s.Float(), f)
			}
		}
	}
}
