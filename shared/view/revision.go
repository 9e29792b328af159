package view

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/tile"
)

// hash returns the revision: the SHA-256 of Canonical.
func (p *Plan) hash() string {
	sum := sha256.Sum256([]byte(p.Canonical()))
	return hex.EncodeToString(sum[:])
}

// Canonical returns the text that the revision hashes: everything that decides which records are accepted, whose they
// are and what states they make. What decides answers only (names and order of features, defaults, limits, half-lives,
// ratios), where records come from (topic, block size, record key) or how rows are stored (lanes) is not in it, nor is
// any field that the view neither uses nor requires.
func (p *Plan) Canonical() string {
	var text canonical
	text.line("tidemark view", 1)
	text.line("tile", tile.Codec)
	text.line("decode", decode.Version)
	for _, b := range p.bindings {
		text.text(b.canonical)
	}
	for i := range p.spec.Entity {
		text.line("entity", p.spec.Entity[i].Kind)
		for _, name := range p.spec.Entity[i].Fields {
			text.line("field", name)
		}
	}
	for i := range p.states {
		text.text(p.states[i].Canonical)
	}
	return text.String()
}

// sourceText describes what the plan takes from one source: what decides whether a record is accepted and when it
// happened, the fields used, in order of their names, and the computed columns used, in theirs.
func (p *Plan) sourceText(s *scope) string {
	used := p.usedIn(s)
	var text canonical
	text.line("source", s.src.Name)
	text.line("event_time", s.src.EventTime)
	text.line("tolerance_ms", s.src.ToleranceMS)
	fields := slices.Clone(s.src.Fields)
	slices.SortFunc(fields, func(a, b schema.Field) int { return strings.Compare(a.Name, b.Name) })
	for i := range fields {
		f := &fields[i]
		word := "field"
		if f.Required || f.Name == s.src.EventTime {
			word = "required"
		} else if !used[f.Name] {
			continue
		}
		text.line(word, f.Name, f.Type.String(), f.Scale)
		for _, value := range f.Enum {
			text.line("value", value)
		}
	}
	columns := slices.Clone(s.columns)
	slices.SortFunc(columns, func(a, b scopeColumn) int { return cmp.Compare(a.spec.Name, b.spec.Name) })
	for _, c := range columns {
		if used[c.spec.Name] {
			text.line("column", c.spec.Name, typeName(&operator.Input{Type: c.spec.Type, Scale: c.spec.Scale}), c.term.canonical)
		}
	}
	return text.String()
}

// usedIn returns the fields and computed columns of a source that keys and states are made of.
func (p *Plan) usedIn(s *scope) map[string]bool {
	var names []string
	for i := range p.spec.Entity {
		names = append(names, p.spec.Entity[i].Fields...)
	}
	for i := range p.states {
		for _, t := range s.termsOf(&p.states[i]) {
			names = append(names, t.reads...)
		}
	}
	return s.used(names)
}
