package service

import (
	"fmt"
	"runtime/debug"
)

// guard does something with what a generation has in memory. If that panics (an operator of the view is at fault) the
// generation is no longer fed from this partition, loudly: what it has in memory may be anything, is forgotten and never
// written, so that its lanes stay where their marks are, and claim no more than they hold. The other generations go on. It
// begins again, from the marks, with the partition's next owner; an edit that repairs the view is a generation of its own.
// guard tells whether all went well.
func (w *worker) guard(g *running, do func()) (well bool) {
	at, _ := g.Position()
	defer func() {
		if r := recover(); r != nil {
			w.abandon(g, at, r)
			well = false
		}
	}()
	do()
	return true
}

// abandon forgets a generation that panicked while it stood at an offset. What is under way for it may arrive: it was made
// before. Whoever calls it steers.
func (w *worker) abandon(g *running, at int64, panicked any) {
	delete(w.gens, g.namespace)
	w.refused[g.namespace] = fmt.Errorf("view %s, generation %d (%s) is not fed from partition %s since offset %d, where it panicked; nothing is skipped: %v",
		g.view, g.number, g.namespace, w.partition, at, panicked)
	w.fields = w.used()
	g.logger.Error("generation stopped by a panic", "view", g.view, "number", g.number, "offset", at, "panic", panicked, "stack", string(debug.Stack()))
}
