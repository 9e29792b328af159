package view

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/window"
)

// compileStates gives each state the tiers that its features need, makes its operator and puts the states in order.
func (c *compiler) compileStates(drafts []*draft) {
	for _, d := range drafts {
		if c.compileTiers(d) {
			c.compileOperator(d)
		}
	}
	slices.SortFunc(drafts, func(a, b *draft) int { return strings.Compare(a.state.Canonical, b.state.Canonical) })
	for i, d := range drafts {
		c.plan.states = append(c.plan.states, d.state)
		for _, f := range d.state.Features {
			c.plan.features[f].State = i
		}
	}
}

// compileTiers turns the features' windows into one per hop, the longest: what a state holds depends on no more, so
// that a shorter window beside it changes no byte.
func (c *compiler) compileTiers(d *draft) bool {
	tiers, err := window.NewTiers(d.windows)
	if err != nil {
		c.add(c.nameOf(d), "window", fmt.Sprintf("with %s, which share its state: %v", c.othersOf(d), err),
			"give the windows hops of which each divides the next, or make the features differ")
		return false
	}
	var text canonical
	text.text(d.key)
	for _, t := range tiers {
		d.state.Config.Windows = append(d.state.Config.Windows, window.Window{Length: t.Hop * t.Reach, Hop: t.Hop})
		text.line("tier", t.Hop, t.Reach)
	}
	d.state.Canonical = text.String()
	return true
}

func (c *compiler) compileOperator(d *draft) {
	st := &d.state
	op, err := st.Kind.New(st.Config)
	if err != nil {
		part := "op"
		if errors.Is(err, window.ErrInvalid) {
			part = "window"
		}
		c.add(c.culprit(d), part, err.Error(), "")
	}
	st.op = op
	asked := st.Config
	asked.Windows = d.windows
	for _, i := range st.Features {
		f := &c.plan.features[i]
		f.Query = operator.Query{Window: f.Spec.Window, Limit: f.Spec.Limit, HalfLife: f.Spec.HalfLife, Result: f.Spec.Result}
		f.Approx = st.Kind.Approx
		if err := st.Kind.CheckQuery(asked, f.Query); err != nil {
			c.add(f.Spec.Name, "op", err.Error(), "")
			continue
		}
		if st.op == nil {
			continue
		}
		answer := probe(st, &f.Query)
		f.Kind, f.scale = answer.Kind, int(answer.Scale)
	}
}

// culprit returns the feature that makes a state impossible: the first whose window alone does, or the first of all.
func (c *compiler) culprit(d *draft) string {
	alone := d.state.Config
	for at, i := range d.state.Features {
		alone.Windows = d.windows[at : at+1]
		if _, err := d.state.Kind.New(alone); err != nil {
			return c.spec.Features[i].Name
		}
	}
	return c.nameOf(d)
}

func (c *compiler) nameOf(d *draft) string { return c.spec.Features[d.state.Features[0]].Name }

func (c *compiler) othersOf(d *draft) string {
	var names []string
	for _, i := range d.state.Features[1:] {
		names = append(names, c.spec.Features[i].Name)
	}
	return strings.Join(names, ", ")
}
