package view

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// The bounds of a view, each tested at the limit and one past it.
const (
	MaxNameBytes = 64 // length of the name of a view, feature or kind of key
	MaxSources   = 16 // sources of one view
	MaxKinds     = 8  // kinds of keys
	MaxKeyFields = 8  // fields of one kind's tuple
	// MaxKeyValueBytes bounds a string in a key, before its bytes are escaped: a longer one counts as null there. With all
	// of a kind's fields at it, and all their bytes escaped, a key stays below what stores take.
	MaxKeyValueBytes = 1_024
	MaxColumns       = 256   // computed columns
	MaxFeatures      = 1_024 // features
	MaxInputs        = 16    // values, keys, weight and removal of one feature
)

// checkSpec checks what can be judged without compiling expressions, and says in c.usable whether they can be compiled.
func (c *compiler) checkSpec() {
	if !validName(c.spec.Name) {
		c.add("", "name", fmt.Sprintf("%q is no name of a view", c.spec.Name), nameCure)
	}
	if c.spec.Lanes != 0 && !lane.ValidLanes(c.spec.Lanes) {
		c.add("", "lanes", fmt.Sprintf("%d lanes", c.spec.Lanes), fmt.Sprintf("use a power of two up to %d", lane.MaxLanes))
	}
	// Each check runs, whatever the one before found, so that the author sees all faults at once.
	sources := c.checkSources()
	entity := c.checkEntity(sources)
	columns := c.checkColumnNames()
	c.checkFeatureNames()
	c.usable = sources && entity && columns
}

const nameCure = "use a lower-case letter followed by at most 63 of [a-z0-9_]"

func validName(s string) bool {
	if s == "" || len(s) > MaxNameBytes || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

func (c *compiler) checkSources() bool {
	before := len(c.list)
	if n := len(c.spec.Sources); n == 0 || n > MaxSources {
		c.add("", "sources", fmt.Sprintf("%d sources", n), fmt.Sprintf("name 1 to %d", MaxSources))
	}
	for i := range c.spec.Sources {
		s := &c.spec.Sources[i]
		if err := s.Validate(); err != nil {
			c.add(s.Name, "sources", err.Error(), "")
		}
		if i > 0 && c.spec.Sources[i-1].Name >= s.Name {
			c.add(s.Name, "sources", fmt.Sprintf("source %q stands after %q", s.Name, c.spec.Sources[i-1].Name), "list each source once, in order of the bytes of their names")
		}
	}
	return len(c.list) == before
}

// checkEntity checks the kinds of keys; their fields only if the sources are sound.
func (c *compiler) checkEntity(sound bool) bool {
	before := len(c.list)
	if n := len(c.spec.Entity); n == 0 || n > MaxKinds {
		c.add("", "entity", fmt.Sprintf("%d kinds of keys", n), fmt.Sprintf("declare 1 to %d", MaxKinds))
	}
	for i := range c.spec.Entity {
		k := &c.spec.Entity[i]
		if !validName(k.Kind) {
			c.add(k.Kind, "kind", fmt.Sprintf("%q is no name of a kind of key", k.Kind), nameCure)
		}
		if slices.ContainsFunc(c.spec.Entity[:i], func(o KeySpec) bool { return o.Kind == k.Kind }) {
			c.add(k.Kind, "kind", "the kind is declared twice", "remove one")
		}
		if n := len(k.Fields); n == 0 || n > MaxKeyFields {
			c.add(k.Kind, "fields", fmt.Sprintf("%d fields", n), fmt.Sprintf("name 1 to %d", MaxKeyFields))
		}
		for at, name := range k.Fields {
			if slices.Contains(k.Fields[:at], name) {
				c.add(k.Kind, "fields", fmt.Sprintf("field %q stands twice", name), "remove one")
			}
			if sound {
				c.checkKeyField(k.Kind, name)
			}
		}
	}
	return len(c.list) == before
}

// checkKeyField checks that a field of a key is declared alike in every source: a key must not mean two entities.
func (c *compiler) checkKeyField(kind, name string) {
	var first *schema.Field
	for i := range c.spec.Sources {
		s := &c.spec.Sources[i]
		at := s.Index(name)
		if at < 0 {
			c.add(kind, "fields", fmt.Sprintf("source %q has no field %q", s.Name, name), "declare it there, or leave the source out of the view")
			continue
		}
		f := &s.Fields[at]
		switch {
		case f.Type == schema.JSON:
			c.add(kind, "fields", fmt.Sprintf("field %q of source %q is json, which has many spellings of one value", name, s.Name), "declare it as string or int64")
		case first == nil:
			first = f
		case f.Type != first.Type || f.Scale != first.Scale || !slices.Equal(f.Enum, first.Enum):
			c.add(kind, "fields", fmt.Sprintf("field %q is declared in source %q otherwise than in %q", name, s.Name, c.spec.Sources[0].Name), "declare it alike in every source")
		}
	}
}

func (c *compiler) checkColumnNames() bool {
	before := len(c.list)
	if n := len(c.spec.Columns); n > MaxColumns {
		c.add("", "columns", fmt.Sprintf("%d computed columns", n), fmt.Sprintf("declare at most %d", MaxColumns))
	}
	for i := range c.spec.Columns {
		column := &c.spec.Columns[i]
		if !validName(column.Name) {
			c.add(column.Name, "name", fmt.Sprintf("%q is no name of a computed column", column.Name), nameCure)
		}
		if slices.ContainsFunc(c.spec.Columns[:i], func(o ColumnSpec) bool { return o.Name == column.Name }) {
			c.add(column.Name, "name", "the column is declared twice", "remove one")
		}
		for s := range c.spec.Sources {
			if c.spec.Sources[s].Index(column.Name) >= 0 {
				c.add(column.Name, "name", fmt.Sprintf("source %q has a field of this name", c.spec.Sources[s].Name), "choose another")
			}
		}
		c.checkColumnType(column)
	}
	return len(c.list) == before
}

func (c *compiler) checkColumnType(column *ColumnSpec) {
	switch column.Type {
	case schema.Bool, schema.Int64, schema.Time, schema.String:
		if column.Scale != 0 {
			c.add(column.Name, "scale", "only a decimal has a scale", "remove it")
		}
	case schema.Decimal:
		if column.Scale < 0 || column.Scale > schema.MaxScale {
			c.add(column.Name, "scale", fmt.Sprintf("scale %d", column.Scale), fmt.Sprintf("use decimal(0) to decimal(%d)", schema.MaxScale))
		}
	default:
		c.add(column.Name, "type", fmt.Sprintf("a column of type %s cannot be computed", column.Type), "use bool, int64, decimal(n), time or string")
	}
}

func (c *compiler) checkFeatureNames() {
	if n := len(c.spec.Features); n == 0 || n > MaxFeatures {
		c.add("", "features", fmt.Sprintf("%d features", n), fmt.Sprintf("declare 1 to %d", MaxFeatures))
	}
	seen := make(map[string]bool, len(c.spec.Features))
	for i := range c.spec.Features {
		f := &c.spec.Features[i]
		if !validName(f.Name) {
			c.add(f.Name, "name", fmt.Sprintf("%q is no name of a feature", f.Name), nameCure)
		}
		if seen[f.Name] {
			c.add(f.Name, "name", "the feature is declared twice", "remove one")
		}
		seen[f.Name] = true
		c.checkParts(f)
	}
}

// checkParts checks which parts of a feature go together and their bounds.
func (c *compiler) checkParts(f *FeatureSpec) {
	switch {
	case f.Ratio != nil && (f.Op != "" || len(rolesOf(f)) > 0 || f.From != "" || f.Where != "" || f.Window.Length != 0 || f.HalfLife != 0 || f.Gap != 0 || len(f.Edges) > 0 || f.N != 0 || f.Limit != 0 || f.Result != ""):
		c.add(f.Name, "ratio", "a ratio reads two other features and nothing else", "remove op and what belongs to it, or the ratio")
	case f.Ratio == nil && f.Op == "":
		c.add(f.Name, "op", "the feature has neither an operator nor a ratio", "add one")
	}
	if n := len(rolesOf(f)); n > MaxInputs {
		c.add(f.Name, "value", fmt.Sprintf("%d inputs", n), fmt.Sprintf("use at most %d", MaxInputs))
	}
	for _, bound := range []struct {
		part  string
		value int64
	}{{"n", int64(f.N)}, {"limit", int64(f.Limit)}, {"half_life", f.HalfLife}, {"gap", f.Gap}} {
		if bound.value < 0 {
			c.add(f.Name, bound.part, fmt.Sprintf("%d is negative", bound.value), "leave it out or use a positive number")
		}
	}
}

func sourceNames(spec *Spec) string {
	var names []string
	for i := range spec.Sources {
		names = append(names, spec.Sources[i].Name)
	}
	return strings.Join(names, ", ")
}
