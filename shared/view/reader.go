package view

import (
	"math/bits"
	"slices"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/expr"
	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// reader reads batches of one declaration of one source for one fold: it builds keys, fills the wide batch, and selects
// rows, each distinct expression once a batch.
type reader struct {
	plan    *Plan
	binding *binding
	src     *schema.Source // by which the fold finds the reader
	keys    [][]*column.Column
	wide    column.Batch
	columns []*expr.Evaluator // by binding.columns; nil for one that shows another
	filters []filter
	passes  [][]passWord    // by filter/passBits, by row: bit filter%passBits tells whether the row passes
	picked  []passWord      // scratch of pick
	some    []passWord      // by pickRows rows that were picked: the filters that any of them passes
	rows    []operator.Rows // by binding.states; In points into the wide batch

	longKeys int64 // values that were in no key because they are too long
}

// passBits is the number of filters that one word of passes holds.
const passBits = 16

// passWord is such a word: of each row that is collected there is one.
type passWord uint16

// filter is one distinct `where` and the rows that pass it.
type filter struct {
	evaluator *expr.Evaluator // nil if it is just a field, or a table of codes
	out       column.Column
	row       []int32
	slot      []int32
}

func newReader(p *Plan, b *binding, src *schema.Source) *reader {
	r := newSelector(p, b, src)
	for i := range b.columns {
		var e *expr.Evaluator
		if program := b.columns[i].program; program != nil {
			e = program.NewEvaluator()
		}
		r.columns = append(r.columns, e)
	}
	for i := range b.filters {
		if bound := &b.filters[i]; bound.program != nil && bound.coded == nil {
			r.filters[i].evaluator = bound.program.NewEvaluator()
		}
	}
	return r
}

// newSelector returns a reader of rows that others have loaded, and evaluated filters on: it selects rows, and no more.
func newSelector(p *Plan, b *binding, src *schema.Source) *reader {
	r := &reader{plan: p, binding: b, src: src, keys: make([][]*column.Column, len(b.keys)), filters: make([]filter, len(b.filters))}
	for i, columns := range b.keys {
		r.keys[i] = make([]*column.Column, len(columns))
	}
	r.wide.Cols = make([]column.Column, b.width)
	for i := range b.columns {
		c := &b.columns[i]
		r.wide.Cols[c.at] = column.NewColumn(c.typ, c.scale)
	}
	for i := range r.filters {
		r.filters[i].out = column.NewColumn(schema.Bool, 0)
	}
	r.rows = b.rowsOf(r.wide.Cols)
	return r
}

// rowsOf returns, for each state, rows whose inputs are some of these columns of a wide batch.
func (b *binding) rowsOf(columns []column.Column) []operator.Rows {
	list := make([]operator.Rows, len(b.states))
	for i := range b.states {
		list[i].Source = int32(b.rank)
		for _, at := range b.states[i].in {
			list[i].In = append(list[i].In, &columns[at])
		}
	}
	return list
}

// openKeys points the reader at a batch's key columns.
func (r *reader) openKeys(b *column.Batch) {
	for i, columns := range r.binding.keys {
		for j, at := range columns {
			r.keys[i][j] = &b.Cols[at]
		}
	}
}

// has tells whether the fields of a kind are all there, and short enough, in row i.
func (r *reader) has(kind, i int) bool {
	for j, c := range r.keys[kind] {
		if !r.plan.keys[kind].fields[j].has(c, i) {
			if c.Present(i) {
				r.longKeys++
			}
			return false
		}
	}
	return true
}

// appendKey appends the key of a kind that row i has.
func (r *reader) appendKey(dst []byte, kind, i int) []byte {
	k := &r.plan.keys[kind]
	dst = append(dst, k.prefix...)
	for j, c := range r.keys[kind] {
		if j > 0 {
			dst = append(dst, ',')
		}
		dst = k.fields[j].appendRow(dst, c, i)
	}
	return dst
}

// load fills the wide batch with rows 0 to n-1 of a batch: the fields as they are, then what is computed of them, but not
// the columns that are late unless it is to fill these too.
func (r *reader) load(b *column.Batch, n int, late bool) {
	cols := r.wide.Cols
	r.wide = *b
	r.wide.Cols, r.wide.N = cols, n
	for _, at := range r.binding.fields {
		cols[at] = b.Cols[at]
	}
	for i := range r.binding.columns {
		c := &r.binding.columns[i]
		if !late && slices.Contains(r.binding.late, i) {
			continue
		}
		if e := r.columns[i]; e != nil {
			e.Eval(&r.wide, &cols[c.at])
			continue
		}
		cols[c.at] = cols[c.shows]
		cols[c.at].Type, cols[c.at].Scale = c.typ, c.scale
	}
}

// evaluateFilters evaluates every filter on the loaded rows, and gathers for each row which ones it passes: rows are
// chosen from all over the batch, and one word a row is nearer at hand than a column a filter.
func (r *reader) evaluateFilters() {
	for len(r.passes)*passBits < len(r.filters) {
		r.passes = append(r.passes, nil)
	}
	for i := range r.passes {
		r.passes[i] = slices.Grow(r.passes[i][:0], r.wide.N)[:r.wide.N]
		clear(r.passes[i])
	}
	for i := range r.binding.coded {
		t := &r.binding.coded[i]
		t.note(r.passes[t.word], &r.wide.Cols[t.column])
	}
	for i := range r.filters {
		bound := &r.binding.filters[i]
		if bound.coded != nil {
			continue
		}
		passed := &r.filters[i].out
		if e := r.filters[i].evaluator; e != nil {
			e.Eval(&r.wide, passed)
		} else {
			passed = &r.wide.Cols[bound.column]
		}
		r.notePasses(i, passed.Ints[:r.wide.N])
	}
}

// notePasses notes which rows pass a filter.
func (r *reader) notePasses(filter int, passed []int64) {
	passes, bit := r.passes[filter/passBits][:len(passed)], filter%passBits
	for row, v := range passed {
		// A null is 0: a row for which the filter is unknown does not pass.
		passes[row] |= passWord(v&1) << bit
	}
}

// selectRows applies the filters of a class to the chosen rows, and notes into which states these will be folded. passes tells,
// by row, which filters it passes.
func (f *Fold) selectRows(c *chosen, r *reader, class *class, passes [][]passWord) {
	f.hold(c.stretches, class.every)
	for i, some := range class.some {
		if some == 0 {
			continue
		}
		picked := r.pick(c.row, passes[i])
		f.holdPassed(c.stretches, picked, some, r.binding.filters[i*passBits:])
		for ; some != 0; some &= some - 1 {
			bit := bits.TrailingZeros16(uint16(some))
			r.filters[i*passBits+bit].pick(c, picked, r.some, bit)
		}
	}
}

// pickRows is how many rows a filter passes over at a time that none of them passes: most filters pass few rows.
const pickRows = 32

// pick returns the words of rows, and makes some the bits that each pickRows of them have.
func (r *reader) pick(rows []int32, words []passWord) (picked []passWord) {
	n := len(rows)
	if n > 0 && int(rows[n-1]-rows[0]) == n-1 {
		picked = words[rows[0]:][:n] // rows ascend: these stand side by side
	} else {
		r.picked = slices.Grow(r.picked[:0], n)[:n]
		for i, row := range rows {
			r.picked[i] = words[row]
		}
		picked = r.picked
	}
	r.some = r.some[:0]
	for from := 0; from < n; from += pickRows {
		some := passWord(0)
		for _, word := range picked[from:min(from+pickRows, n)] {
			some |= word
		}
		r.some = append(r.some, some)
	}
	return picked
}

// pick makes f's rows those of the chosen ones whose word of passes has the bit. Each is written, and stays if it passes:
// which ones do is beyond what a processor guesses, and a wrong guess costs more than ten writes.
func (f *filter) pick(c *chosen, passes, some []passWord, bit int) {
	row, slot := slices.Grow(f.row[:0], len(passes))[:len(passes)], slices.Grow(f.slot[:0], len(passes))[:len(passes)]
	n := 0
	for i, bits := range some {
		if bits>>bit&1 == 0 {
			continue
		}
		from, to := i*pickRows, min((i+1)*pickRows, len(passes))
		rows, slots := c.row[from:to], c.slot[from:to]
		for at, pass := range passes[from:to] {
			row[n], slot[n] = rows[at], slots[at]
			n += int(pass >> bit & 1)
		}
	}
	f.row, f.slot = row[:n], slot[:n]
}

func (r *reader) errors() int64 {
	var n int64
	for _, e := range r.columns {
		if e != nil {
			n += e.Errors()
		}
	}
	for i := range r.filters {
		if e := r.filters[i].evaluator; e != nil {
			n += e.Errors()
		}
	}
	return n
}

// foldStates folds the chosen rows, which lie below to, into every state that reads the source.
func (f *Fold) foldStates(r *reader, b *column.Batch, to int) {
	r.load(b, to, true)
	r.evaluateFilters()
	f.foldRowsOf(&f.chosen, r, &r.binding.whole, &r.wide, r.passes, r.rows)
}

// foldClass folds chosen ones of sorted rows into the states of their class.
func (f *Fold) foldClass(chosen *chosen, r *reader, c *class, rows *sortedRows) {
	f.foldRowsOf(chosen, r, c, &rows.batch, rows.passes, rows.rows)
}

// foldRowsOf folds chosen rows of a wide batch into the states of a class. passes tells, by row, which filters it passes;
// rows has, by state, which columns are its inputs.
func (f *Fold) foldRowsOf(chosen *chosen, r *reader, c *class, b *column.Batch, passes [][]passWord, rows []operator.Rows) {
	f.selectRows(chosen, r, c, passes)
	for _, i := range c.states {
		bound, of := &r.binding.states[i], &rows[i]
		of.Row, of.Slot = chosen.row, chosen.slot
		if bound.filter >= 0 {
			of.Row, of.Slot = r.filters[bound.filter].row, r.filters[bound.filter].slot
		}
		of.Time, of.Offset, of.Partition, of.Newest = b.Time, b.Offset, b.Partition, f.newest
		f.foldRows(f.states[bound.state], of)
	}
}

// toucher is what States may offer for folds of many entities: to read, all at once, what folding rows of these slots
// will read first. The result means nothing.
type toucher interface {
	Touch(slots []int32) uint64
}

func (f *Fold) foldRows(states operator.States, rows *operator.Rows) {
	t, touches := states.(toucher)
	touches = touches && !f.nearby
	row, slot := rows.Row, rows.Slot
	for len(row) > 0 {
		n := len(row)
		if touches {
			n = min(n, touchRows)
			f.touchedSum += t.Touch(slot[:n])
		}
		rows.Row, rows.Slot = row[:n], slot[:n]
		states.Fold(rows)
		row, slot = row[n:], slot[n:]
	}
}
