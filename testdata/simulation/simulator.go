package simulation

import (
	"fmt"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/speed/flush"
)

// Simulator runs worlds, one after the other, and counts what happened in them. Not safe for concurrent use.
type Simulator struct {
	Worlds, Steps int64

	Done     [Actions]int64
	Fates    [Fates]int64
	Refusals [flush.Refusals]int64
	Seen     map[string]int64

	bases   [maxPeriod + 1]*bases
	mergers [len(blockSizes)]*view.Merger
	folds   [len(blockSizes)]*view.Fold
	fold    *view.Fold // of the world at hand
	batches [2]*column.Batch
	names   [maxPartitions]string
	choices []Choice
}

// New returns a simulator.
func New() *Simulator {
	s := &Simulator{Seen: map[string]int64{}}
	for period := range s.bases {
		s.bases[period] = newBases(int64(period))
	}
	for i, plan := range plans {
		s.mergers[i], s.folds[i] = plan.NewMerger(), plan.NewFold()
	}
	return s
}

// batch returns an empty batch of a partition, which the next one uses again.
func (s *Simulator) batch(p *partition) *column.Batch {
	b := s.batches[p.source]
	if b == nil || b.Source != p.batch.Source {
		b = column.NewBatch(p.batch.Source, p.name.ID, false)
		s.batches[p.source] = b
	}
	return b
}

// World returns a world in which nothing has happened, without a rule if off is one.
func (s *Simulator) World(cfg Config, off Set) *World {
	w := &World{cfg: cfg, off: off, sim: s, plan: plans[cfg.Blocks], bases: s.bases[cfg.Period], now: baseTime, store: newStore(maxGenerations * cfg.Lanes)}
	w.store.incarnationOf = w.incarnationOf
	s.fold = s.folds[cfg.Blocks]
	w.state.journal = &journal{}
	for i := range w.batch {
		w.batch[i] = newProcess()
	}
	for i := range cfg.Partitions {
		w.parts = append(w.parts, w.newPartition(i))
	}
	for i := range s.names {
		s.names[i] = w.newPartition(i).name.String()
	}
	w.before = make([][maxEntities]before, maxGenerations*cfg.Lanes)
	w.past = make([]past, maxGenerations*cfg.Lanes)
	s.Worlds++
	return w
}

// Run makes choices in a new world, lets it come to rest, and returns the law that was broken, "" if none was.
func (s *Simulator) Run(cfg Config, off Set, choices []Choice) (violation string) {
	w := s.World(cfg, off)
	return w.guarded(func() {
		for _, c := range choices {
			s.Steps++
			if w.Do(c); w.Violation != "" {
				return
			}
		}
		w.rest()
	})
}

// guarded runs something in the world; an invariant of the real code that fails is a violation too.
func (w *World) guarded(do func()) (violation string) {
	defer func() {
		if r := recover(); r != nil {
			broken, ok := r.(invariant.ViolationError)
			if !ok {
				panic(r) //nolint:forbidigo // a bug of the simulator is not one of the protocol
			}
			w.violated("%v", broken)
			violation = w.Violation
		}
	}()
	do()
	return w.Violation
}

// String tells how much has happened.
func (s *Simulator) String() string { return fmt.Sprintf("%d worlds, %d steps", s.Worlds, s.Steps) }
