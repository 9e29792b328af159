package view

import (
	"slices"

	"github.com/tidemark-io/tidemark/shared/column"
)

// A splitter fills most computed columns for all rows of a batch, since filters and states of all rows read them. Columns
// that only states of the second class read are late: they are filled when it is known which rows those get, for these.

// markLate finds the columns that are late: those that are not read by states of the first class, by a filter that is
// evaluated on all rows, or by another column. Nor is one late that can fail: its errors are counted once for each row that
// has a key, whoever reads the value.
func (b *binding) markLate(s *scope) {
	early := slices.Clone(b.classes[0].columns)
	for i := range b.filters {
		if f := &b.filters[i]; f.coded == nil && f.program != nil {
			early = append(early, s.indices(f.program.Fields())...)
		} else if f.coded == nil {
			early = append(early, f.column)
		}
	}
	for i := range b.columns {
		if c := &b.columns[i]; c.program != nil {
			early = append(early, s.indices(c.program.Fields())...)
		} else {
			early = append(early, c.shows)
		}
	}
	for i := range b.columns {
		c := &b.columns[i]
		if c.program == nil || c.program.CanFail() || slices.Contains(early, c.at) {
			continue
		}
		b.late = append(b.late, i)
		b.lateReads = append(b.lateReads, s.indices(c.program.Fields())...)
	}
	slices.Sort(b.lateReads)
	b.lateReads = slices.Compact(b.lateReads)
}

// indices returns the columns of the wide batch that have these names.
func (s *scope) indices(names []string) []int {
	var list []int
	for _, name := range names {
		at := s.src.Index(name)
		if at < 0 {
			at = len(s.src.Fields) + slices.IndexFunc(s.columns, func(c scopeColumn) bool { return c.spec.Name == name })
		}
		list = append(list, at)
	}
	return list
}

// few are the rows of a batch that states of the second class read, side by side: what late columns are made of, and these.
type few struct {
	batch column.Batch // its columns are by those of the wide batch; empty but for these
	has   []bool       // by column of the wide batch: whether it is late
	rows  []int32      // 0, 1, 2 …
	all   column.Picked
}

func newFew(b *binding) few {
	f := few{has: make([]bool, b.width)}
	f.batch.Cols = make([]column.Column, b.width)
	for _, i := range b.late {
		c := &b.columns[i]
		f.batch.Cols[c.at], f.has[c.at] = column.NewColumn(c.typ, c.scale), true
	}
	return f
}

// fill fills the late columns for these rows of the loaded batch.
func (f *few) fill(r *reader, rows []int32) {
	if len(r.binding.late) == 0 {
		return
	}
	for len(f.rows) < len(rows) { // all are accepted, or they had no key
		f.rows, f.batch.Reject = append(f.rows, int32(len(f.rows))), append(f.batch.Reject, 0)
	}
	f.all.Pick(f.rows[:len(rows)])
	f.batch.Source, f.batch.N = r.wide.Source, len(rows)
	for _, at := range r.binding.lateReads {
		f.batch.Cols[at].Gather(&r.wide.Cols[at], rows)
	}
	for _, i := range r.binding.late {
		r.columns[i].Eval(&f.batch, &f.batch.Cols[r.binding.columns[i].at])
	}
}
