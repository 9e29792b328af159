package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidemark-io/tidemark/serving/memstore"
	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/speed/flush"
	"github.com/tidemark-io/tidemark/speed/fold"
)

// speedWorker stands in for a process of the speed layer that owns every partition: what the service does in goroutines
// and by the clock, it does when a test says so. Its memory is the folds; killing it is forgetting it.
type speedWorker struct {
	w    *world
	feds map[string]*fed // by view, namespace and partition
}

// fed is one generation of one view being fed from one partition.
type fed struct {
	*fold.Generation
	view      string
	partition position.Partition
	src       *schema.Source
	ids       []lane.ID

	calls, tiles int // of the step at hand
	refused      [flush.Refusals]int64
	lacks        position.Range // records that are neither in the log nor in the archive: it waits for them
}

// speedOptions say how one step of a worker goes.
type speedOptions struct {
	// to is up to where each partition is folded; others are left alone. nil = everything to the log's end.
	to position.Cut
	// blind lets the worker go on by what it believes, without reading the store's marks or manifests: a zombie that
	// does not know that it is one.
	blind bool
	// late lets it look only after its first flush, as a worker does that knows its lanes.
	late bool
	// hold lets it fold and not flush.
	hold bool
	// drain lets it flush once more before it has looked where to read from, as a worker does that is being stopped.
	drain bool
	// overlap is how many offsets of what it has folded already are delivered to it again.
	overlap int64
	// fate is what becomes of its calls.
	fate memstore.Fate
}

// maxRounds bounds how often a worker looks and flushes until nothing changes any more.
const maxRounds = 20

// deliveredOffsets is how much of the log one delivery holds: little, so that blocks are folded in several.
const deliveredOffsets = 3

// worker returns the worker of a name, making it without any memory if there is none.
func (w *world) worker(name string) *speedWorker {
	if w.workers[name] == nil {
		w.workers[name] = &speedWorker{w: w, feds: map[string]*fed{}}
	}
	return w.workers[name]
}

// crash lets a worker lose its memory.
func (w *world) crash(name string) { delete(w.workers, name) }

// step lets the worker do what there is to do, and returns what it fed, in order.
func (k *speedWorker) step(o speedOptions) ([]*fed, error) {
	if !o.blind {
		if err := k.discover(); err != nil {
			return nil, err
		}
	}
	if o.fate != memstore.Deliver {
		k.w.store.SetFaults(func(op memstore.Op) memstore.Fate {
			if op.Kind == memstore.Apply {
				return o.fate
			}
			return memstore.Deliver
		})
		defer k.w.store.SetFaults(nil)
	}
	var all []*fed
	for _, name := range slices.Sorted(maps.Keys(k.feds)) {
		f := k.feds[name]
		f.calls, f.tiles, f.refused, f.lacks = 0, 0, [flush.Refusals]int64{}, position.Range{}
		end, wanted := k.w.log[f.partition].end, true
		if o.to != nil {
			end, wanted = o.to[f.partition], o.to[f.partition] > 0
		}
		if !wanted {
			continue
		}
		all = append(all, f)
		if err := k.run(f, end, o); err != nil {
			return all, fmt.Errorf("feeding %s from %s: %w", f.view, f.partition, err)
		}
	}
	return all, nil
}

// discover looks in the manifests for generations to feed, and at the log for partitions.
func (k *speedWorker) discover() error {
	for _, name := range k.w.views("") {
		gens, err := k.w.generations(name)
		if err != nil {
			return err
		}
		for _, g := range gens {
			if g.State != manifest.Dropped {
				k.feed(g)
			}
		}
	}
	return nil
}

func (k *speedWorker) feed(g *generation) {
	for i := range g.Spec.Sources {
		src := k.w.job.Source(g.Spec.Sources[i].Name)
		for _, p := range k.w.log.partitions(src.Name) {
			key := g.view + " " + g.namespace + " " + p.String()
			if k.feds[key] != nil {
				continue
			}
			k.feds[key] = &fed{
				view: g.view, partition: p, src: src, ids: g.ids(),
				Generation: fold.NewGeneration(fold.Config{
					Namespace: g.namespace, Plan: g.plan, Lanes: g.Lanes, Partition: p, Block: g.Blocks[src.Name], First: g.Origin.Next(p),
				}),
			}
		}
	}
}

// run does rounds of looking, folding and flushing until nothing changes; just one where the store does not answer as it
// should, or the worker does not look.
func (k *speedWorker) run(f *fed, end int64, o speedOptions) error {
	for round := range maxRounds {
		if !o.blind && (round > 0 || !o.late) {
			marks, err := k.w.store.Marks(k.w.ctx, f.ids)
			if err != nil {
				return err
			}
			if err := f.Observe(marks); err != nil {
				return err
			}
		}
		_, moved := f.Rewind()
		folded, err := k.fold(f, end, o.overlap)
		if err != nil {
			return err
		}
		flushed := 0
		if !o.hold {
			flushed = k.flush(f)
		}
		if o.drain {
			k.flush(f)
		}
		if o.blind || o.hold || o.fate != memstore.Deliver {
			return nil
		}
		if round > 0 && !moved && !folded && flushed == 0 {
			return nil
		}
	}
	return errors.New("does not come to rest")
}

// fold adds what the log has from the worker's position to end, a few offsets at a time.
func (k *speedWorker) fold(f *fed, end, overlap int64) (folded bool, err error) {
	for {
		pos, ok := f.Position()
		if !ok || !f.Active() || pos >= end {
			return folded, nil
		}
		f.lacks = position.Range{}
		if start := k.w.log[f.partition].start; pos < start {
			if err := k.recover(f, pos, min(start, end)); err != nil || !f.lacks.Empty() {
				return folded, err
			}
			folded = true
			continue
		}
		folded = true
		r := position.Range{From: max(k.w.log[f.partition].start, pos-overlap), Next: min(pos+deliveredOffsets, end)}
		b, err := k.w.log.batch(f.src, f.partition, r, false)
		if err != nil {
			return folded, err
		}
		f.Add(b, r.From, r.Next)
	}
}

// recover reads from the archive what Kafka has no longer.
func (k *speedWorker) recover(f *fed, from, to int64) error {
	at := from
	reached, err := archivefile.Dir(k.w.archiveDir()).Scan(k.w.ctx, f.src, f.partition.ID, from, to, func(b *column.Batch, next int64) error {
		f.Add(b, at, next)
		at = next
		return nil
	})
	f.lacks = position.Range{From: reached, Next: to}
	return err
}

// flush sends what is to be sent and returns how many calls that were.
func (k *speedWorker) flush(f *fed) int {
	calls := f.Flush(true)
	f.calls += len(calls)
	for i := range calls {
		f.tiles += len(calls[i].Rows)
	}
	f.Done(calls, k.w.store.Apply(k.w.ctx, calls), &f.refused)
	f.Trim()
	return len(calls)
}

func showFed(all []*fed) string {
	var sb strings.Builder
	for _, f := range all {
		pos, ok := f.Position()
		if !ok || !f.Active() {
			fmt.Fprintf(&sb, "%s from %s: waits for batch", f.view, f.partition)
		} else {
			fmt.Fprintf(&sb, "%s from %s: folded to %d", f.view, f.partition, pos)
		}
		if !f.lacks.Empty() {
			fmt.Fprintf(&sb, ", waits for records %v", f.lacks)
		}
		if f.calls > 0 {
			fmt.Fprintf(&sb, ", %d calls with %d rows", f.calls, f.tiles)
		}
		for r := flush.None + 1; r < flush.Refusals; r++ {
			if f.refused[r] > 0 {
				fmt.Fprintf(&sb, ", %d answered %q", f.refused[r], r)
			}
		}
		sb.WriteByte('\n')
	}
	return sb.String()
}
