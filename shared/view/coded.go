package view

import (
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/expr"
)

// Most filters are functions of one enum: the type of the event, nearly always. They are not evaluated one by one: for
// each such column there is a table by code of which filters pass, read once for each row.

// codedFilter is a filter that is a function of one enum column.
type codedFilter struct {
	column int
	passes []bool // by code
	null   bool
}

// newCodedFilter returns a program as such a filter, nil if it is none.
func newCodedFilter(p *expr.Program) *codedFilter {
	if p == nil {
		return nil
	}
	field, passes, null, ok := p.ByCode()
	if !ok {
		return nil
	}
	return &codedFilter{field, passes, null}
}

// coded returns a term that is a filter, or the computed column that it shows, as a function of one enum; nil if it is none.
func (s *scope) coded(t *term) *codedFilter {
	for t.program == nil {
		at := t.field - len(s.src.Fields)
		if at < 0 || s.columns[at].term == nil {
			return nil
		}
		t = s.columns[at].term
	}
	return newCodedFilter(t.program)
}

// codeTable is what the filters of one word of passes that are functions of one column make of its codes.
type codeTable struct {
	column int
	word   int
	passes []uint64 // by code: bit filter%passBits for each filter that it passes
	null   uint64
}

// codeTables gathers the coded ones among the filters.
func codeTables(filters []boundFilter) (tables []codeTable) {
	for i := range filters {
		f := filters[i].coded
		if f == nil {
			continue
		}
		t := tableOf(&tables, f, i/passBits)
		bit := uint64(1) << (i % passBits)
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
	*tables = append(*tables, codeTable{column: f.column, word: word, passes: make([]uint64, len(f.passes))})
	return &(*tables)[len(*tables)-1]
}

// note adds to each row's word the filters that its code passes.
func (t *codeTable) note(words []uint64, c *column.Column) {
	codes, byCode := c.Ints[:len(words)], t.passes
	for row, code := range codes {
		passes := byCode[code] // a row without a code has the code 0 too
		if !c.Present(row) {
			passes = t.null
		}
		words[row] |= passes
	}
}
