package view

import (
	"slices"
	"sync/atomic"

	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/window"
)

// Compile checks a spec and makes the plan of it. The error joins a Fault for everything that is wrong.
func Compile(spec Spec) (*Plan, error) {
	c := &compiler{plan: &Plan{spec: clone(spec), byName: map[string]int{}}}
	c.at = map[string]bool{}
	c.spec = &c.plan.spec
	c.checkSpec()
	if !c.usable {
		return nil, c.err()
	}
	c.openScopes()
	c.compileColumns()
	drafts := c.compileFeatures()
	c.compileStates(drafts)
	c.compileRatios()
	c.checkDefaults()
	if err := c.err(); err != nil {
		return nil, err
	}
	return c.finish(), nil
}

// compiler makes one plan. It goes on after a fault wherever what follows can still be judged.
type compiler struct {
	faults
	plan *Plan
	spec *Spec
	// usable says that sources and keys are sound enough for expressions to be compiled against them.
	usable bool
	scopes []*scope // by source rank
}

// clone copies what Compile fills in, so that the caller's spec stays as it was.
func clone(spec Spec) Spec {
	spec.Sources = slices.Clone(spec.Sources)
	spec.Features = slices.Clone(spec.Features)
	for i := range spec.Features {
		f := &spec.Features[i]
		if f.Window.Length <= 0 || f.Window.Hop != 0 {
			continue
		}
		if f.Window.Hop = operator.DefaultHop(f.Op, f.Window.Length); f.HalfLife > 0 {
			f.Window.Hop = window.DecayHop(f.HalfLife)
		}
	}
	return spec
}

func (c *compiler) openScopes() {
	for i := range c.spec.Sources {
		c.scopes = append(c.scopes, newScope(&c.spec.Sources[i], i))
	}
}

// compileColumns compiles each computed column in every source. One that no source understands is at fault; one that
// only some understand can be used by features that read these only.
func (c *compiler) compileColumns() {
	for i := range c.spec.Columns {
		column := &c.spec.Columns[i]
		var first error
		understood := false
		for _, s := range c.scopes {
			if err := s.addColumn(column); err == nil {
				understood = true
			} else if first == nil {
				first = err
			}
		}
		if understood {
			continue
		}
		for _, msg := range messages(first) {
			c.add(column.Name, "expr", msg, "")
		}
		for _, s := range c.scopes {
			s.declare(column) // so that each of its readers is not a fault of its own
		}
	}
}

// finish binds a plan without faults to its sources and names its revision.
func (c *compiler) finish() *Plan {
	p := c.plan
	for i := range c.spec.Entity {
		p.keys = append(p.keys, newKeyKind(&c.spec.Entity[i], &c.spec.Sources[0]))
	}
	for _, s := range c.scopes {
		p.bindings = append(p.bindings, newBinding(p, s))
	}
	p.latest = make([]atomic.Pointer[binding], len(p.bindings))
	p.deferred = p.deferrable()
	p.revision = p.hash()
	p.frameAnswers()
	return p
}
