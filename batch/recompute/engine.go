package recompute

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"

	"github.com/tidemark-io/tidemark/batch/runfile"
	"github.com/tidemark-io/tidemark/shared/oracle"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/view"
)

// DefaultMemory is the memory budget of an engine that is given none, in bytes.
const DefaultMemory = 2 << 30

// Engine makes run files. Its methods may be called by one goroutine at a time.
type Engine struct {
	Archive Archive
	// Memory bounds what the folds hold, in bytes; the process needs about twice as much. Default (0) DefaultMemory. A
	// single shard of each view is folded whatever it needs.
	Memory int64
	// Workers is the number of goroutines that scan and write; default (0) GOMAXPROCS.
	Workers int
	// Progress, if not nil, is told what is under way: how many pieces of a pass or lanes of a write are done. It may be
	// called concurrently.
	Progress func(Progress)
	// Judge makes what computes sampled rows a second time; default the oracle. Each worker has its own.
	Judge func(plan *view.Plan) (Judge, error)
}

// Judge computes the canonical body of a row from all of its events, in its own way.
type Judge interface {
	Body(events []oracle.Event) ([]byte, error)
}

func (e *Engine) judgeOf(plan *view.Plan) (Judge, error) {
	if e.Judge != nil {
		return e.Judge(plan)
	}
	return oracle.New(plan)
}

// Progress is how far a step has come.
type Progress struct {
	Step  string // "scan", "write", "check"
	Done  int
	Total int
}

func (e *Engine) workers() int {
	if e.Workers > 0 {
		return e.Workers
	}
	return runtime.GOMAXPROCS(0)
}

func (e *Engine) memory() int64 {
	if e.Memory > 0 {
		return e.Memory
	}
	return DefaultMemory
}

func (e *Engine) progress(step string, done, total int) {
	if e.Progress != nil {
		e.Progress(Progress{Step: step, Done: done, Total: total})
	}
}

// Run makes and checks the files of several tasks, one of a view, in one scan of the archive. The outcomes stand in the
// order of the tasks. After an error nothing is left but folders aside, which Discard and runfile.RemoveDrafts remove.
func (e *Engine) Run(ctx context.Context, tasks []*Task) (outcomes []*Outcome, err error) {
	gens, err := e.begin(ctx, tasks)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, discard(gens))
		}
	}()
	for _, g := range gens {
		if err := g.openFiles(); err != nil {
			return nil, err
		}
	}
	if err := e.passes(ctx, gens); err != nil {
		return nil, err
	}
	// While the files are flushed to the disk, the samples are computed: the files read already.
	var flushing sync.WaitGroup
	var flushed error
	flushing.Go(func() { flushed = flush(ctx, gens) })
	err = parallel(ctx, len(gens), len(gens), func(_, i int) error { return e.judge(ctx, gens[i]) }, nil)
	flushing.Wait()
	if err := errors.Join(err, flushed); err != nil {
		return nil, err
	}
	for _, g := range gens {
		g.sum()
		outcomes = append(outcomes, g.out)
	}
	return outcomes, nil
}

// begin prepares the tasks.
func (e *Engine) begin(ctx context.Context, tasks []*Task) ([]*generation, error) {
	origins := map[string]position.Cut{}
	var gens []*generation
	for _, t := range tasks {
		known := position.Cut{}
		for i := range t.Plan.Spec().Sources {
			name := t.Plan.Spec().Sources[i].Name
			if origins[name] == nil {
				origin, _, err := e.Archive.Extent(ctx, name, t.Blocks[name])
				if err != nil {
					return nil, fmt.Errorf("beginning %s: %w", t, err)
				}
				origins[name] = origin
			}
			maps.Copy(known, origins[name])
		}
		gens = append(gens, newGeneration(t, known, e.memory()))
	}
	return gens, nil
}

// passes scans the archive and writes rows until no shard is left.
func (e *Engine) passes(ctx context.Context, gens []*generation) error {
	for first := true; ; first = false {
		left := false
		for _, g := range gens {
			g.limit = len(g.shards)
			for _, s := range g.shards[g.done:] {
				s.begin(g.Plan)
				left = true
			}
		}
		if !left {
			return nil
		}
		if err := e.scan(ctx, gens, first); err != nil {
			return err
		}
		// What rows were brought together in is garbage now, a fifth of all memory. Writing takes it in place of memory that
		// was never used, which the system has to make first, and the process stays smaller.
		runtime.GC()
		if err := e.write(ctx, gens); err != nil {
			return err
		}
	}
}

// write writes the rows of all live shards, lane by lane.
func (e *Engine) write(ctx context.Context, gens []*generation) error {
	var steps []step
	for _, g := range gens {
		for lane := range g.Lanes {
			from, to := max(lane*g.perLane, g.done), min((lane+1)*g.perLane, g.limit)
			if from < to {
				steps = append(steps, step{g, lane, g.shards[from:to]})
			}
		}
	}
	for _, g := range gens {
		for len(g.bodies) < e.workers() {
			g.bodies = append(g.bodies, g.Plan.NewBodies())
		}
	}
	// The long ones first: no worker is left with one of them at the end.
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(b.bytes(), a.bytes()) })
	err := parallel(ctx, e.workers(), len(steps), func(w, i int) error {
		if err := steps[i].run(steps[i].gen.bodies[w]); err != nil {
			return fmt.Errorf("writing lane %d of %s: %w", steps[i].lane, steps[i].gen.Task, err)
		}
		return nil
	}, func(done int) { e.progress("write", done, len(steps)) })
	for _, g := range gens {
		g.done = g.limit
	}
	return err
}

// step is the writing of some shards of one lane.
type step struct {
	gen    *generation
	lane   int
	shards []*shard
}

// bytes returns how much memory the shards take.
func (st *step) bytes() (n int64) {
	for _, s := range st.shards {
		n += s.bytes
	}
	return n
}

func (st *step) run(bodies *view.Bodies) error {
	g := st.gen
	for _, s := range st.shards {
		g.mu.Lock()
		g.out.Events += s.events
		g.mu.Unlock()
		if err := s.write(g, st.lane, bodies); err != nil {
			return err
		}
		s.end()
	}
	if st.shards[len(st.shards)-1] != g.shards[(st.lane+1)*g.perLane-1] {
		return nil // a later pass brings the rest of the lane
	}
	return g.sinks[st.lane].finish()
}

// openFiles begins the draft of a task and the files of its lanes.
func (g *generation) openFiles() error {
	draft, err := runfile.NewDraft(g.Folder)
	if err != nil {
		return err
	}
	g.out.Draft = draft
	for n := range g.Lanes {
		w, err := draft.Create(g.FileName(n), g.meta(n))
		if err != nil {
			return err
		}
		file := newLaneFile(g, n, w)
		g.files = append(g.files, file)
		g.sinks = append(g.sinks, file)
	}
	return nil
}

func (g *generation) meta(lane int) runfile.Meta {
	return runfile.Meta{Identity: g.Identity, Run: g.Run, Lane: lane, Lanes: g.Lanes}
}

// sum adds up what the files of a task say, which are flushed.
func (g *generation) sum() {
	for _, f := range g.files {
		g.out.Lanes = append(g.out.Lanes, f.summary)
		g.out.Rows += f.summary.Rows
		g.out.Bytes += f.summary.Bytes
		g.out.Bases += f.bases
		g.out.Merged += f.past.read
		g.out.Tiles += f.past.bytes
	}
}

// discard closes what is open of tasks that came to nothing, and removes their drafts.
func discard(gens []*generation) error {
	var errs []error
	for _, g := range gens {
		for _, f := range g.files {
			errs = append(errs, f.abort())
		}
		if g.out.Draft != nil {
			errs = append(errs, g.out.Draft.Discard())
		}
	}
	return errors.Join(errs...)
}
