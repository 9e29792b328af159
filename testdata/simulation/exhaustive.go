package simulation

import (
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
)

// Small is a small world whose every course is looked at: each choice of the menu in each state that can be reached.
type Small struct {
	Config Config
	First  []Choice
	Menu   []Choice
	Off    Set
}

// Explored is what came of looking at every course of a small world.
type Explored struct {
	States int64 // that differ
	Steps  int64
	Broken []Choice // the shortest course that breaks a law, nil if none does
	Law    string
}

// Explore looks at every course of so many choices of a small world, after its first ones, the shortest courses first. A
// state that two courses lead to is gone on from once. From every state the world is also let come to rest.
func (s *Simulator) Explore(small *Small, depth int) Explored {
	e := &explorer{s: s, small: small, known: map[uint64]bool{}, seed: maphash.MakeSeed()}
	level := [][]Choice{slices.Clip(slices.Clone(small.First))}
	for range depth {
		var next [][]Choice
		for _, path := range level {
			for _, c := range small.Menu {
				longer := append(slices.Clip(path), c)
				if e.visit(longer) {
					next = append(next, longer)
				}
				if e.Broken != nil {
					return e.Explored
				}
			}
		}
		level = next
	}
	return e.Explored
}

type explorer struct {
	Explored

	s     *Simulator
	small *Small
	known map[uint64]bool // by hash of the state
	seed  maphash.Seed
	text  []byte
}

// visit takes a path and tells whether it leads to a new state.
func (e *explorer) visit(path []Choice) (fresh bool) {
	w := e.s.World(e.small.Config, e.small.Off)
	law := w.guarded(func() {
		for i, c := range path {
			e.Steps++
			if did := w.Do(c); w.Violation != "" || (!did && i == len(path)-1) {
				return
			}
		}
		e.text = w.appendState(e.text[:0])
		hash := maphash.Bytes(e.seed, e.text)
		if e.known[hash] {
			return
		}
		e.known[hash], fresh = true, true
		e.States++
		w.rest()
	})
	if law != "" {
		e.Broken, e.Law = slices.Clone(path), law
	}
	return fresh
}

// appendState appends all that decides what can still happen in the world.
func (w *World) appendState(b []byte) []byte {
	for _, p := range w.parts {
		b = fmt.Appendf(b, "%s %d %d %d %v\n", p.name, p.end, p.trimmed, p.archived, p.events)
	}
	for _, l := range w.store.lanes {
		b = l.appendState(b)
	}
	for _, u := range w.store.history {
		b = fmt.Appendf(b, "undo %d", u.lane)
		if u.before != nil {
			b = u.before.appendState(b)
		}
	}
	b = fmt.Appendf(b, "%d %v %d %v\n", w.now, w.unmarked, w.incarnations, w.failing)
	for i := range w.late {
		b = fmt.Appendf(b, "late %d %v\n", w.late[i].lane, &w.late[i].call)
	}
	for k := range w.speed {
		b = w.speed[k].appendState(b)
	}
	b = w.state.appendState(b)
	for i := range w.batch {
		b = w.batch[i].appendState(b)
	}
	for i := range w.readers {
		r := w.readers[i] // a copy
		if r.manifest != nil {
			b = fmt.Appendf(b, "reader %v ", *r.manifest)
		}
		r.manifest = nil
		b = fmt.Appendf(b, "%v\n", r)
	}
	return fmt.Appendf(b, "%v %v", w.before, w.past)
}

func (l *laneState) appendState(b []byte) []byte {
	return fmt.Appendf(b, "lane %v %v\n", l.marks, l.rows)
}

func (k *worker) appendState(b []byte) []byte {
	b = append(b, "worker"...)
	if k.manifest != nil {
		b = fmt.Appendf(b, " %v", *k.manifest)
	}
	for g := range k.slots {
		for p := range k.slots[g] {
			s := &k.slots[g][p]
			if s.fold == nil {
				continue
			}
			b = s.fold.AppendState(fmt.Appendf(b, "\n%d %d ", g, p))
			b = fmt.Appendf(b, " %d %v %t %v", len(s.calls), s.outcomes, s.reading, s.marks)
		}
	}
	return append(b, '\n')
}

func (d *folder) appendState(b []byte) []byte {
	for _, m := range d.journal.members {
		b = fmt.Appendf(b, "%s %v\n", m.state, *m.gen)
	}
	for _, f := range d.files {
		b = fmt.Appendf(b, "%v ", slices.Sorted(maps.Keys(f)))
	}
	return append(b, '\n')
}

func (b *process) appendState(dst []byte) []byte {
	if b.journal != nil {
		dst = fmt.Appendf(dst, "process %d", b.journal.entries)
		for _, m := range b.journal.members {
			dst = fmt.Appendf(dst, " %s %d", m.state, m.gen.entries)
		}
	}
	if b.making != nil {
		dst = fmt.Appendf(dst, " makes %v %v %t", b.making.cut, b.making.files, b.making.there)
	}
	for _, p := range b.pass {
		if p == nil {
			continue
		}
		dst = fmt.Appendf(dst, " of %v %t", *p.gen, p.dropped)
		for n := range p.lanes {
			f := &p.lanes[n]
			dst = fmt.Appendf(dst, " %v %v %v %v", f.Marks, f.Step, f.Err, p.calls[n])
		}
	}
	for i := range b.sweep {
		dst = fmt.Appendf(dst, " %d %v", b.sweep[i].lane, &b.sweep[i].call)
	}
	return append(dst, '\n')
}
