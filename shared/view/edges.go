package view

import (
	"fmt"
	"math/big"
	"regexp"

	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// plainNumber is how an edge is written: the number that is meant, without an exponent, and not longer than a value can be.
var plainNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,18})(\.[0-9]{1,12})?$`)

// compileEdges turns the edges of a feature into units of its first input, whose type is known by now: an edge of 2.50 is
// 250 for a decimal(2). Whether the operator has a use for edges is for it to say.
func (c *compiler) compileEdges(d *draft, f *FeatureSpec) {
	scale := 0
	if in := d.state.Config.Inputs; len(in) > 0 && in[0].Type == schema.Decimal {
		scale = in[0].Scale
	}
	unit := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil))
	for _, text := range f.Edges {
		if !plainNumber.MatchString(text) {
			c.add(f.Name, "edges", fmt.Sprintf("edge %q is no plain number", text), "write digits, and a point where the value has one")
			continue
		}
		edge, ok := new(big.Rat).SetString(text)
		switch edge.Mul(edge, unit); {
		case !ok || !edge.IsInt():
			c.add(f.Name, "edges", fmt.Sprintf("edge %s is finer than the values", text), "write at most "+digits(scale)+" after the point")
			continue
		case !edge.Num().IsInt64():
			c.add(f.Name, "edges", fmt.Sprintf("edge %s is beyond all values", text), "write a number that fits into 64 bits")
			continue
		}
		d.state.Config.Edges = append(d.state.Config.Edges, edge.Num().Int64())
	}
}

func digits(n int) string {
	switch n {
	case 0:
		return "no digit"
	case 1:
		return "1 digit"
	}
	return fmt.Sprintf("%d digits", n)
}

// edgesText describes the edges of a state.
func edgesText(cfg *operator.Config) string {
	var text canonical
	for _, edge := range cfg.Edges {
		text.line("edge", edge)
	}
	return text.String()
}
