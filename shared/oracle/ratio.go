package oracle

import (
	"math/big"

	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/view"
)

// ratio returns (num + alpha·prior) / (den + alpha), computed exactly and rounded once; null if an operand is null or
// the divisor is 0.
func ratio(r *view.RatioSpec, num, den operator.Value) operator.Value {
	if num.Kind == operator.Null || den.Kind == operator.Null {
		return operator.Value{}
	}
	alpha, prior := new(big.Rat).SetFloat64(r.Alpha), new(big.Rat).SetFloat64(r.Prior)
	above := new(big.Rat).Mul(alpha, prior)
	above.Add(above, rational(num))
	below := new(big.Rat).Add(alpha, rational(den))
	if below.Sign() == 0 {
		return operator.Value{}
	}
	f, _ := above.Quo(above, below).Float64()
	return operator.OfFloat(f)
}

// rational returns an Int or a Dec as a fraction.
func rational(v operator.Value) *big.Rat {
	n := new(big.Int).SetInt64(v.Hi)
	n.Lsh(n, 64).Add(n, new(big.Int).SetUint64(v.Lo))
	scale := new(big.Int)
	if v.Kind == operator.Dec {
		scale.SetUint64(uint64(v.Scale))
	}
	return new(big.Rat).SetFrac(n, new(big.Int).Exp(big.NewInt(10), scale, nil))
}
