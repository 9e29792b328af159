package view

import (
	"fmt"
	"math"
	"math/big"

	"github.com/tidemark-io/tidemark/shared/operator"
)

// compileRatios resolves the operands of ratios. An operand must be a feature of one state: so there are no cycles.
func (c *compiler) compileRatios() {
	for i := range c.plan.features {
		f := &c.plan.features[i]
		if f.Spec.Ratio == nil {
			continue
		}
		r := f.Spec.Ratio
		if !isFinite(r.Alpha) || r.Alpha < 0 || !isFinite(r.Prior) {
			c.add(f.Spec.Name, "ratio", fmt.Sprintf("alpha %v, prior %v", r.Alpha, r.Prior), "use finite numbers, alpha not negative")
		}
		f.Num, f.Den = c.operand(f, r.Num), c.operand(f, r.Den)
		f.Kind = operator.Float
		f.Approx = (f.Num >= 0 && c.plan.features[f.Num].Approx) || (f.Den >= 0 && c.plan.features[f.Den].Approx)
	}
}

// operand returns the index of a ratio's operand, -1 after a fault.
func (c *compiler) operand(f *Feature, name string) int {
	i := c.plan.Feature(name)
	if i < 0 {
		c.add(f.Spec.Name, "ratio", fmt.Sprintf("the view has no feature %q", name), "name a feature of this view")
		return -1
	}
	o := &c.plan.features[i]
	if o.Spec.Ratio != nil {
		c.add(f.Spec.Name, "ratio", fmt.Sprintf("%q is a ratio itself", name), "name features of integer or decimal results")
		return -1
	}
	if c.at[name] {
		return -1 // what it yields is unknown until its own faults are mended
	}
	if o.Kind != operator.Int && o.Kind != operator.Dec {
		c.add(f.Spec.Name, "ratio", fmt.Sprintf("%q does not answer an integer or a decimal", name), "name features that do, such as counts and sums")
		return -1
	}
	return i
}

// ratio returns (num + alpha·prior) / (den + alpha), null if an operand is null or the divisor is 0.
func (r *RatioSpec) ratio(num, den operator.Value) operator.Value {
	if num.Kind == operator.Null || den.Kind == operator.Null {
		return operator.Value{}
	}
	// Each product and sum is rounded by itself: a fused multiply-add would answer differently on some processors.
	above := float64(float(num) + float64(r.Alpha*r.Prior))
	below := float64(float(den) + r.Alpha)
	if below == 0 {
		return operator.Value{}
	}
	f := above / below
	if !isFinite(f) {
		return operator.Value{}
	}
	return operator.Value{Kind: operator.Float, F: f}
}

// float returns the float64 nearest to the numerator of an Int or Dec, divided by the power of ten of a Dec.
func float(v operator.Value) float64 {
	f := float64(int64(v.Lo))
	if v.Hi != int64(v.Lo)>>63 {
		wide := new(big.Int).SetInt64(v.Hi)
		wide.Lsh(wide, 64).Add(wide, new(big.Int).SetUint64(v.Lo))
		f, _ = new(big.Float).SetInt(wide).Float64()
	}
	if v.Kind == operator.Dec {
		f /= math.Pow10(int(v.Scale))
	}
	return f
}

func isFinite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }
