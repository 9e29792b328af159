package view

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/window"
)

// draft is a state while features gather to share it.
type draft struct {
	state   StatePlan
	key     string // the canonical text without tiers: features of one key share the state
	windows []window.Window
}

// compileFeatures gathers the features that are not ratios into states, in the order of their first features.
func (c *compiler) compileFeatures() []*draft {
	var drafts []*draft
	c.plan.features = make([]Feature, len(c.spec.Features))
	for i := range c.spec.Features {
		f := &c.spec.Features[i]
		c.plan.features[i] = Feature{Spec: f, State: -1, Num: -1, Den: -1}
		c.plan.byName[f.Name] = i
		if f.Ratio != nil || f.Op == "" {
			continue
		}
		d := c.draftOf(f)
		if d == nil {
			continue
		}
		at := slices.IndexFunc(drafts, func(o *draft) bool { return o.key == d.key })
		if at < 0 {
			at = len(drafts)
			drafts = append(drafts, d)
		}
		drafts[at].state.Features = append(drafts[at].state.Features, i)
		drafts[at].windows = append(drafts[at].windows, f.Window)
	}
	return drafts
}

// draftOf compiles a feature's expressions in each source that it reads, and returns nil after a fault.
func (c *compiler) draftOf(f *FeatureSpec) *draft {
	before := len(c.list)
	kind, known := operator.Lookup(f.Op)
	if !known {
		c.add(f.Name, "op", fmt.Sprintf("unknown operator %q", f.Op), "use one of "+kindNames())
		return nil
	}
	if err := f.Window.Validate(); err != nil {
		c.add(f.Name, "window", err.Error(), "")
	}
	d := &draft{state: StatePlan{Kind: kind, From: f.From, Where: f.Where, Config: operator.Config{N: f.N, Gap: f.Gap}}}
	roles := rolesOf(f)
	for _, r := range roles {
		d.state.Inputs = append(d.state.Inputs, r.text)
		d.state.Config.Inputs = append(d.state.Config.Inputs, operator.Input{Role: r.role})
	}
	var text canonical
	text.line("state", kind.Name, kind.Version, f.N)
	if f.Gap != 0 {
		text.line("gap", f.Gap)
	}
	for i, s := range c.scopesOf(f) {
		c.checkTerms(d, f, s, i == 0)
		if len(c.list) == before {
			text.text(s.stateText(&d.state))
		}
	}
	c.compileEdges(d, f)
	if len(c.list) > before {
		return nil
	}
	text.text(edgesText(&d.state.Config))
	d.key = text.String()
	return d
}

func kindNames() string {
	var names []string
	for _, k := range operator.Kinds() {
		names = append(names, k.Name)
	}
	return strings.Join(names, ", ")
}

// scopesOf returns the sources whose events the feature folds.
func (c *compiler) scopesOf(f *FeatureSpec) []*scope {
	if f.From == "" {
		return c.scopes
	}
	at := c.plan.SourceRank(f.From)
	if at < 0 {
		c.add(f.Name, "from", fmt.Sprintf("the view reads no source %q", f.From), "use one of "+sourceNames(c.spec)+", or leave it out")
		return nil
	}
	return c.scopes[at : at+1]
}

// roleText is one input as the author wrote it.
type roleText struct {
	role operator.Role
	part string
	text string
}

// rolesOf returns a feature's inputs in the order of Config.Inputs: values, keys, weight, remove.
func rolesOf(f *FeatureSpec) []roleText {
	var all []roleText
	for _, text := range f.Value {
		all = append(all, roleText{operator.RoleValue, "value", text})
	}
	for _, text := range f.Key {
		all = append(all, roleText{operator.RoleKey, "key", text})
	}
	if f.Weight != "" {
		all = append(all, roleText{operator.RoleWeight, "weight", f.Weight})
	}
	if f.Remove != "" {
		all = append(all, roleText{operator.RoleRemove, "remove", f.Remove})
	}
	return all
}

// checkTerms compiles the expressions of a feature in one source. The first source decides the inputs' types and names,
// the others must agree with it: one state holds values of one type.
func (c *compiler) checkTerms(d *draft, f *FeatureSpec, s *scope, first bool) {
	if f.Where != "" {
		if t := c.compileTerm(f, s, "where", f.Where); t != nil && t.input.Type != schema.Bool {
			c.add(f.Name, "where", fmt.Sprintf("%q is of type %s, not a bool", f.Where, t.input.Type), "write a comparison")
		}
	}
	for i, r := range rolesOf(f) {
		t := c.compileTerm(f, s, r.part, r.text)
		if t == nil {
			continue
		}
		if r.role == operator.RoleWeight && t.input.Type != schema.Int32 && t.input.Type != schema.Int64 {
			c.add(f.Name, r.part, fmt.Sprintf("%q is of type %s, not an integer", r.text, typeName(&t.input)), "compute a column of type int64")
		}
		if r.role == operator.RoleRemove && t.input.Type != schema.Bool {
			c.add(f.Name, r.part, fmt.Sprintf("%q is of type %s, not a bool", r.text, typeName(&t.input)), "write a comparison")
		}
		in := t.input
		in.Role, in.Name = r.role, t.canonical
		if first {
			d.state.Config.Inputs[i] = in
			continue
		}
		if have := &d.state.Config.Inputs[i]; have.Type != 0 && !sameType(have, &in) {
			c.add(f.Name, r.part, fmt.Sprintf("%q is of type %s in source %q, of type %s in another", r.text, typeName(&in), s.src.Name, typeName(have)),
				"read one source with from, or declare the fields alike")
		}
	}
}

func (c *compiler) compileTerm(f *FeatureSpec, s *scope, part, text string) *term {
	t, err := s.term(text)
	if err == nil {
		return t
	}
	for _, msg := range messages(err) {
		if len(c.scopes) > 1 {
			msg = fmt.Sprintf("in source %q: %s", s.src.Name, msg)
		}
		c.add(f.Name, part, msg, "")
	}
	return nil
}

func sameType(a, b *operator.Input) bool {
	return a.Type == b.Type && a.Scale == b.Scale && slices.Equal(a.Enum, b.Enum)
}

// stateText describes what a state takes of the rows of this source. The terms must compile.
func (s *scope) stateText(st *StatePlan) string {
	var text canonical
	text.line("source", s.src.Name)
	if st.Where != "" {
		text.line("where", s.terms[st.Where].canonical)
	}
	for i := range st.Config.Inputs {
		t := s.terms[st.Inputs[i]]
		text.line("in", int(st.Config.Inputs[i].Role), t.canonical, typeName(&t.input))
	}
	return text.String()
}
