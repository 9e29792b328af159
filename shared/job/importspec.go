package job

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tidemark-io/tidemark/shared/schema"
)

// ImportSpec says how a line of CSV becomes a record of a source: under `import: csv:` each field with its column.
type ImportSpec struct {
	Fields []ImportField // in order of the source's fields
}

// ImportField is how one field gets its value. An empty cell is null: the member is left out.
type ImportField struct {
	Field schema.Field
	// Column is the name in the file's header; empty for a constant.
	Column string
	// Constant is the JSON value that every record gets, if Column is empty.
	Constant json.RawMessage
	// Layout is how a Time is written, as package time spells layouts; always UTC. Empty: milliseconds since 1970.
	Layout string
	// TrimSuffix is removed from the end of a cell, once: ".0" makes "17850" of "17850.0".
	TrimSuffix string
}

const importCure = "write csv: {FIELD: COLUMN, FIELD: {column: COLUMN, time: LAYOUT, trim_suffix: TEXT}, FIELD: {value: CONSTANT}}"

func (s *sourceFile) readImport(n *yaml.Node) {
	s.imports = &ImportSpec{}
	found := false
	s.mapping(n, "import", entry{"csv": func(_, v *yaml.Node) {
		found = true
		s.pairs(v, "csv", s.readImportField)
	}})
	if !found {
		s.fault(n, importCure, "import says nothing of csv")
	}
}

func (s *sourceFile) readImportField(key, value *yaml.Node) {
	s.at.set("import "+key.Value, "", key)
	i := ImportField{Field: schema.Field{Name: key.Value}}
	if value.Kind != yaml.MappingNode {
		i.Column = s.text(value, "the column of "+key.Value)
	} else {
		s.mapping(value, "the import of "+key.Value, entry{
			"column":      func(_, v *yaml.Node) { i.Column = s.text(v, "column") },
			"value":       func(_, v *yaml.Node) { i.Constant = s.json(v, "value") },
			"trim_suffix": func(_, v *yaml.Node) { i.TrimSuffix = s.text(v, "trim_suffix") },
			"time":        func(_, v *yaml.Node) { i.Layout = s.layout(v) },
		})
	}
	if (i.Column == "") == (i.Constant == nil) {
		s.fault(key, importCure, "the import of %s needs either a column or a value", key.Value)
	}
	s.imports.Fields = append(s.imports.Fields, i)
}

// layoutWords translates the letters that people write to package time's.
var layoutWords = strings.NewReplacer("YYYY", "2006", "MM", "01", "DD", "02", "hh", "15", "mm", "04", "ss", "05", "SSS", "000")

// layout reads how a time is written: YYYY, MM, DD, hh, mm, ss and SSS (ms, after a point) between any other signs.
func (s *sourceFile) layout(n *yaml.Node) string {
	text := s.text(n, "time")
	layout := layoutWords.Replace(text)
	whole := strings.NewReplacer(".000", "", ",000", "").Replace(layout) // package time knows ms behind a point only
	if !strings.Contains(layout, "2006") || strings.ContainsAny(layout, "YMDhmsS") || strings.ContainsAny(text, "0123456789") || strings.Contains(whole, "000") {
		s.fault(n, `write time: "YYYY-MM-DD hh:mm:ss", with SSS for ms; times are UTC`, "%q is no layout of a time", text)
	}
	return layout
}

// fits tells whether a constant is a value of its field: what is none would be null in every record.
func (i *ImportField) fits() bool {
	if i.Constant == nil {
		return true
	}
	var v any
	if json.Unmarshal(i.Constant, &v) != nil {
		return false
	}
	text, isText := v.(string)
	_, isNumber := v.(float64)
	switch i.Field.Type {
	case schema.Bool:
		_, ok := v.(bool)
		return ok
	case schema.Enum:
		return isText && slices.Contains(i.Field.Enum, text)
	case schema.String:
		return isText
	case schema.JSON:
		return true
	case schema.Decimal:
		return isNumber
	default:
		return isNumber && !strings.ContainsAny(string(i.Constant), ".eE")
	}
}

// checkImport joins the import with the declared fields. The source is valid.
func (s *sourceFile) checkImport() {
	by := map[string]ImportField{}
	for _, i := range s.imports.Fields {
		at := s.at.of("import "+i.Field.Name, "")
		index := s.source.Index(i.Field.Name)
		if index < 0 {
			s.fault(at, "declare it under fields, or remove it here", "the source has no field %q", i.Field.Name)
			continue
		}
		i.Field = s.source.Fields[index]
		if i.Layout != "" && i.Field.Type != schema.Time {
			s.fault(at, "remove time", "field %s is a %s, not a time", i.Field.Name, i.Field.Type)
		}
		if !i.fits() {
			s.fault(at, "write a value of the field's type", "%s is no %s", i.Constant, i.Field.Type)
		}
		by[i.Field.Name] = i
	}
	s.imports.Fields = nil
	for _, f := range s.source.Fields {
		i, ok := by[f.Name]
		if ok {
			s.imports.Fields = append(s.imports.Fields, i)
		} else if f.Required || f.Name == s.source.EventTime {
			s.fault(s.at.of("", "fields"), fmt.Sprintf("add %s to csv", f.Name), "field %s is required, but the import leaves it out: every line would be rejected", f.Name)
		}
	}
}
