package view

import (
	"sort"

	"github.com/tidemark-io/tidemark/shared/column"
)

// packed is integers in four bytes each: how much more than the first one they are. The few that are too far from it are
// kept beside them, as the times of clocks that are wrong; where they are not few all are kept as they are.
type packed struct {
	first int64
	more  []int32
	far   []farOff // in order, those that are column.Away in more
	wide  []int64  // all of them, in place of the others; nil as a rule
}

// farOff is an integer that is far from the first.
type farOff struct {
	at    int32
	value int64
}

// farPart is which part of the integers may be far: those are looked for.
const farPart = 64

// at returns integer i.
func (p *packed) at(i int32) int64 {
	if p.wide != nil {
		return p.wide[i]
	}
	more := p.more[i]
	if more == column.Away {
		return p.farAt(i)
	}
	return p.first + int64(more)
}

func (p *packed) farAt(i int32) int64 {
	return p.far[sort.Search(len(p.far), func(j int) bool { return p.far[j].at >= i })].value
}

// size returns how many bytes it takes beside those of more.
func (p *packed) size() int64 { return int64(8*len(p.wide) + 16*len(p.far)) }

// clear forgets all integers and keeps the memory. Where they were wide those that come are taken for wide too.
func (p *packed) clear() { p.more, p.far, p.wide = p.more[:0], p.far[:0], p.wide[:0] }

// add adds the picked rows of ints.
func (p *packed) add(ints []int64, picked *column.Picked) {
	rows := picked.Rows()
	if p.wide != nil {
		p.wide = column.AppendRows(p.wide, ints, picked)
		return
	}
	if len(rows) == 0 {
		return
	}
	had := len(p.more)
	if had == 0 {
		p.first = ints[rows[0]]
	}
	var far bool
	if p.more, far = column.AppendNear(p.more, ints, p.first, picked); far {
		p.note(had, ints, rows)
	}
}

// note keeps the far ones of those from had on, which are the given rows of ints; or all as they are, if too many are far.
func (p *packed) note(had int, ints []int64, rows []int32) {
	for i, more := range p.more[had:] {
		if more != column.Away {
			continue
		}
		if farPart*len(p.far) >= len(p.more) {
			p.widen(had, ints, rows)
			return
		}
		p.far = append(p.far, farOff{int32(had + i), ints[rows[i]]})
	}
}

// widen keeps all as they are: those before had, and behind them the given rows of ints.
func (p *packed) widen(had int, ints []int64, rows []int32) {
	wide := make([]int64, had, len(p.more))
	for i := range wide {
		wide[i] = p.at(int32(i))
	}
	for _, row := range rows {
		wide = append(wide, ints[row])
	}
	p.more, p.far, p.wide = p.more[:0], p.far[:0], wide
}

// gather returns the given ones in the memory of dst, which grows as needed.
func (p *packed) gather(dst []int64, rows []int32) []int64 {
	if p.wide != nil {
		return column.GatherRows(dst, p.wide, rows)
	}
	dst = column.Resize(dst, len(rows))
	first, more := p.first, p.more
	for i, row := range rows {
		m := more[row]
		if dst[i] = first + int64(m); m == column.Away {
			dst[i] = p.farAt(row)
		}
	}
	return dst
}

// slab is memory for the columns of a chunk, made at once: what is made in pieces of some kilobytes is zeroed first.
type slab []int32

func (s *slab) take(n int) []int32 {
	taken := (*s)[:n:n]
	*s = (*s)[n:]
	return taken
}

// pack packs the given rows, of which there are some, of ints.
func (s *slab) pack(ints []int64, rows []int32) packed {
	p := packed{first: ints[rows[0]], more: s.take(len(rows))}
	far := false
	for i, row := range rows {
		more := column.Near(ints[row], p.first)
		p.more[i] = more
		far = far || more == column.Away
	}
	if far {
		p.note(0, ints, rows)
	}
	return p
}

// repack packs the given ones of p.
func (s *slab) repack(p *packed, rows []int32) packed {
	if p.wide != nil {
		return s.pack(p.wide, rows)
	}
	some := packed{first: p.first, more: s.take(len(rows))}
	for i, row := range rows {
		more := p.more[row]
		if some.more[i] = more; more == column.Away {
			some.far = append(some.far, farOff{int32(i), p.farAt(row)})
		}
	}
	return some
}
