package column

// Picked are rows that are taken from many columns of a batch.
type Picked struct {
	rows []int32
	runs []run // the same as neighbours that are copied together; nil if few have any

	memory []run // of runs
}

// run is n rows side by side.
type run struct{ from, n int32 }

// leastRun is how many rows runs have to have, one with another, to be worth more than a loop over rows.
const leastRun = 8

// Pick makes p the given rows, in that order, which must stay unchanged as long as p is used. It keeps its memory.
func (p *Picked) Pick(rows []int32) {
	p.rows, p.runs = rows, nil
	runs := p.memory[:0]
	if len(rows) > 0 {
		last := run{rows[0], 1}
		for _, row := range rows[1:] {
			if row == last.from+last.n {
				last.n++
				continue
			}
			if runs = append(runs, last); leastRun*len(runs) > len(rows) {
				p.memory = runs
				return
			}
			last = run{row, 1}
		}
		runs = append(runs, last)
	}
	p.runs, p.memory = runs, runs
}

// Rows returns the picked rows.
func (p *Picked) Rows() []int32 { return p.rows }
