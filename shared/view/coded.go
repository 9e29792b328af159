package view

import (
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// Most filters are functions of one enum: the type of the event, nearly always. They are not evaluated one by one: for
// each such column there is a table by code of which filters pass, read once for each row.

// codedFilter is a filter that is a function of one enum. A null is 0: a row for which it is unknown does not pass.
type codedFilter struct {
	column int
	passes []bool // by code
	null   bool
}

// maxCoded bounds the codes for which a table is made.
const maxCoded = 1024

// coded returns a term that is a filter as a function of one enum; nil if it is none. It may be made of computed columns. What
// it yields for each code is asked of the ordinary evaluators, once.
func (s *scope) coded(t *term) *codedFilter {
	used := s.used(t.reads)
	field := -1
	for name := range used {
		at := s.src.Index(name)
		if at < 0 {
			continue
		}
		if field >= 0 || s.src.Fields[at].Type != schema.Enum || len(s.src.Fields[at].Enum) > maxCoded {
			return nil
		}
		field = at
	}
	if field < 0 {
		return nil
	}
	b := s.codes(field)
	for i := range s.columns {
		if c := &s.columns[i]; used[c.spec.Name] && (c.term == nil || !s.fill(b, c.term, len(s.src.Fields)+i, c.spec.Type, c.spec.Scale)) {
			return nil
		}
	}
	passes := t.field
	if passes < 0 {
		if passes = len(b.Cols) - 1; !s.fill(b, t, passes, schema.Bool, 0) {
			return nil
		}
	}
	f := &codedFilter{column: field}
	for code := range b.N - 1 {
		f.passes = append(f.passes, b.Cols[passes].Ints[code] != 0)
	}
	f.null = b.Cols[passes].Ints[b.N-1] != 0
	return f
}

// codes returns a wide batch with a row for each code of an enum, and last for null, and room for one column more.
func (s *scope) codes(field int) *column.Batch {
	n := len(s.src.Fields[field].Enum)
	b := &column.Batch{Source: s.src, N: n + 1, Reject: make([]uint8, n+1), Cols: make([]column.Column, len(s.src.Fields)+len(s.columns)+1)}
	c := &b.Cols[field]
	*c = column.NewColumn(schema.Enum, 0)
	for code := range n {
		c.AppendInt(int64(code))
	}
	c.AppendNull()
	return b
}

// fill makes column at of a batch what a term yields; false if that counts errors.
func (s *scope) fill(b *column.Batch, t *term, at int, typ schema.Type, scale int) bool {
	if t.program == nil {
		b.Cols[at] = b.Cols[t.field]
		b.Cols[at].Type, b.Cols[at].Scale = typ, scale
		return true
	}
	b.Cols[at] = column.NewColumn(typ, scale)
	e := t.program.NewEvaluator()
	e.Eval(b, &b.Cols[at])
	return e.Errors() == 0
}

// codeTable is what the filters of one word of passes that are functions of one column make of its codes.
type codeTable struct {
	column int
	word   int
	passes []passWord // by code: bit filter%passBits for each filter that it passes
	null   passWord
}

// codeTables gathers the coded ones among the filters.
func codeTables(filters []boundFilter) (tables []codeTable) {
	for i := range filters {
		f := filters[i].coded
		if f == nil {
			continue
		}
		t := tableOf(&tables, f, i/passBits)
		bit := passWord(1) << (i % passBits)
		for code, pass := range f.passes {
			if pass {
				t.passes[code] |= bit
			}
		}
		if f.null {
			t.null |= bit
		}
	}
	return tables
}

// tableOf finds or adds the table for a filter's column and word.
func tableOf(tables *[]codeTable, f *codedFilter, word int) *codeTable {
	for i := range *tables {
		if t := &(*tables)[i]; t.column == f.column && t.word == word {
			return t
		}
	}
	*tables = append(*tables, codeTable{column: f.column, word: word, passes: make([]passWord, len(f.passes))})
	return &(*tables)[len(*tables)-1]
}

// note adds to each row's word the filters that its code passes.
func (t *codeTable) note(words []passWord, c *column.Column) {
	codes, byCode := c.Ints[:len(words)], t.passes
	for row, code := range codes {
		passes := byCode[code] // a row without a code has the code 0 too
		if !c.Present(row) {
			passes = t.null
		}
		words[row] |= passes
	}
}
