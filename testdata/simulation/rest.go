package simulation

import (
	"slices"

	"github.com/tidemark-io/tidemark/batch/publish"
	"github.com/tidemark-io/tidemark/speed/flush"
	"github.com/tidemark-io/tidemark/speed/fold"
)

// The bounds within which everything comes to rest once the faults stop.
const (
	maxRounds = 24
	maxMoves  = 400 // of one lane in one round
)

// rest stops all faults and all processes but one of the speed layer and one of batch, lets these work until nothing moves
// any more, lets the grace pass, and checks that the world is complete.
func (w *World) rest() {
	w.resting = true
	for len(w.late) > 0 {
		w.arrive(0, false)
	}
	k, b := &w.speed[w.cfg.Last%workers], &w.batch[w.cfg.Last/workers%processes]
	for i := range w.speed {
		for g := range w.speed[i].slots {
			for p := range w.speed[i].slots[g] {
				if &w.speed[i] != k {
					w.forget(&w.speed[i].slots[g][p], false)
				}
			}
		}
	}
	for i := range w.batch {
		if &w.batch[i] != b {
			w.die(&w.batch[i], false)
		}
	}
	for round := 0; ; round++ {
		w.moved, w.touched = false, w.touched[:0]
		if round == 2 {
			w.now += publish.SweepAgain.Milliseconds()
		}
		w.round(k, b)
		for _, at := range w.touched {
			w.checkLane(at)
		}
		switch {
		case w.Violation != "":
			return
		case !w.moved && round > 2:
			w.complete()
			return
		case round == maxRounds:
			w.violated("the world does not come to rest in %d rounds", maxRounds)
			return
		}
	}
}

// round lets a worker and a process do once all that they do by themselves.
func (w *World) round(k *worker, b *process) {
	for _, p := range w.parts {
		p.archive(1 << 20)
	}
	w.open(b)
	w.keepManifest(b)
	w.look(k)
	for g := range w.state.journal.members {
		w.finish(b, g)
		w.catchUp(k, g)
	}
	for len(b.sweep) > 0 {
		w.remove(b)
	}
	for g := range w.state.journal.members {
		w.leftovers(b, g)
		for len(b.sweep) > 0 {
			w.remove(b)
		}
		w.clean(b, g)
	}
}

// finish makes the runs of a generation that can be made, and publishes them.
func (w *World) finish(b *process, g int) {
	for range 3 * maxRuns {
		if !w.tick(b, g) {
			break
		}
		w.moved = true
	}
	for n := range w.cfg.Lanes { // what was under way
		for p := b.pass[g]; p != nil && p.calls[n] != nil; {
			w.move(b, g, n, Deliver)
		}
	}
	w.beginPass(b, g)
	for n := range w.cfg.Lanes {
		for range maxMoves {
			if !w.move(b, g, n, Deliver) {
				break
			}
		}
	}
}

// catchUp lets a worker fold and flush all partitions of a generation.
func (w *World) catchUp(k *worker, g int) {
	for p, part := range w.parts {
		s := w.slot(k, g, p)
		if s == nil {
			continue
		}
		settle := func() {
			for s.busy() {
				w.deliver(s, g, part, Deliver)
			}
		}
		settle()
		if !w.without(ReadAtRest) || unread(s.fold) {
			w.read(s)
			settle()
		}
		for range maxEvents {
			if w.fetch(s, part, 1<<20); s.at() >= part.end {
				break
			}
		}
		w.flush(s, true, false)
		settle()
	}
}

// unread tells whether a fold has a lane whose marks must be read before it can be written to.
func unread(g *fold.Generation) bool {
	return slices.ContainsFunc(g.Lanes(), func(l flush.Lane) bool { return l.State() != flush.Ready })
}
