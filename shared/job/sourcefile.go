package job

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/view"
)

// sourceFile is a source as its file declares it.
type sourceFile struct {
	*file
	at      places
	source  schema.Source
	columns []view.ColumnSpec // computed from this source's fields
	imports *ImportSpec       // nil if the file says nothing of CSV
	// unread are fields whose type could not be read; stand-ins let the rest be judged.
	unread map[string]bool
}

func readSource(f *file, name string, root *yaml.Node) *sourceFile {
	s := &sourceFile{file: f, at: places{}, source: schema.Source{Name: name}, unread: map[string]bool{}}
	s.at.set("", "", root)
	f.mapping(root, "a source", entry{
		"doc":        func(_, v *yaml.Node) { f.text(v, "doc") },
		"topic":      s.part("topic", func(v *yaml.Node) { s.source.Topic = f.text(v, "topic") }),
		"event_time": s.part("event_time", func(v *yaml.Node) { s.source.EventTime = f.text(v, "event_time") }),
		"tolerance":  s.part("tolerance_ms", func(v *yaml.Node) { s.source.ToleranceMS = f.duration(v, "tolerance") }),
		"block":      s.part("block", func(v *yaml.Node) { s.source.Block = f.integer(v, "block", 1<<30) }),
		"key":        s.part("key", func(v *yaml.Node) { s.source.Key = f.text(v, "key") }),
		"fields":     s.part("fields", s.readFields),
		"columns":    s.part("columns", s.readColumns),
		"import":     func(_, v *yaml.Node) { s.readImport(v) },
	})
	s.source.SetDefaults()
	if !f.bad {
		s.standIn()
		s.validate()
		f.bad = f.bad || len(s.unread) > 0
	}
	if !f.bad && s.imports != nil {
		s.checkImport()
	}
	return s
}

// part remembers where a part of the source stands, and reads it.
func (s *sourceFile) part(name string, read func(v *yaml.Node)) func(key, value *yaml.Node) {
	return func(_, v *yaml.Node) {
		s.at.set("", name, v)
		read(v)
	}
}

func (s *sourceFile) readFields(n *yaml.Node) {
	s.pairs(n, "fields", func(key, value *yaml.Node) {
		s.at.set(key.Value, "", key)
		before := s.bad
		s.bad = false
		field := schema.Field{Name: key.Value}
		if text := s.text(value, "field "+key.Value); !s.bad {
			var err error
			if field, err = parseField(key.Value, text); err != nil {
				s.fault(value, fieldCure(text), "field %s: %v", key.Value, err)
			}
		}
		if s.bad {
			s.unread[key.Value] = true
		}
		s.bad = before
		s.source.Fields = append(s.source.Fields, field)
	})
}

// standIn gives fields whose type could not be read one about which package schema has nothing to say.
func (s *sourceFile) standIn() {
	for i := range s.source.Fields {
		f := &s.source.Fields[i]
		if !s.unread[f.Name] {
			continue
		}
		f.Type, f.Scale, f.Enum = schema.String, 0, nil
		if f.Name == s.source.EventTime {
			f.Type = schema.Time
		}
	}
}

func (s *sourceFile) readColumns(n *yaml.Node) {
	s.pairs(n, "columns", func(key, value *yaml.Node) {
		c := view.ColumnSpec{Name: key.Value}
		place := func(part string, v *yaml.Node) { s.at.set("column "+key.Value, part, v) }
		place("", key)
		s.mapping(value, "column "+key.Value, entry{
			"doc":  func(_, v *yaml.Node) { s.text(v, "doc") },
			"expr": func(_, v *yaml.Node) { place("expr", v); c.Expr = s.expression(v, "expr") },
			"type": func(_, v *yaml.Node) {
				place("type", v)
				field, err := parseField(key.Value, s.text(v, "type"))
				if err != nil || field.Required {
					s.fault(v, "write one of bool, int64, decimal(n), time, string", "column %s: %q is no type of a computed column", key.Value, v.Value)
				}
				c.Type, c.Scale = field.Type, field.Scale
			},
		})
		if c.Expr == "" || c.Type == 0 {
			s.fault(key, "add `expr:` and `type:`", "column %s lacks an expression or a type", key.Value)
		}
		s.columns = append(s.columns, c)
	})
}

// validate asks package schema and places its faults. They are texts, which begin with what they are about: a field's
// name in quotes, or one of the source's parts.
func (s *sourceFile) validate() {
	err := s.source.Validate()
	if err == nil {
		return
	}
	for msg := range strings.Lines(err.Error()) {
		msg = strings.TrimSuffix(msg, "\n")
		_, msg, _ = strings.Cut(msg, `": `) // `invalid source "…": `
		s.fault(s.placeOf(msg), "", "%s", msg)
	}
}

func (s *sourceFile) placeOf(msg string) *yaml.Node {
	if rest, ok := strings.CutPrefix(msg, `field "`); ok {
		name, _, _ := strings.Cut(rest, `"`)
		return s.at.of(name, "")
	}
	word, _, _ := strings.Cut(msg, " ")
	if strings.Contains(msg, " fields: declare") {
		word = "fields"
	}
	return s.at.of("", word)
}
