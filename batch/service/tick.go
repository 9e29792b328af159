package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/tidemark-io/tidemark/batch/journal"
	"github.com/tidemark-io/tidemark/batch/recompute"
	"github.com/tidemark-io/tidemark/batch/runfile"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/tile"
)

// ErrCheck is the class of errors about a run whose sampled rows are not what the plain fold makes of their events. It is
// not published. Repair the cause and repeat the run (Repeat), or rebuild.
var ErrCheck = errors.New("run failed its check")

// Report is what came of a tick.
type Report struct {
	// Runs that were made; none if there was nothing new.
	Runs []RunReport
	// Skipped says why there are none.
	Skipped string
}

// RunReport is what came of one run.
type RunReport struct {
	View       string
	Generation int64
	Run        int64
	Kind       journal.Kind
	Cut        position.Cut
	Checked    journal.Checked
	Digest     string
	Took       time.Duration // of the recompute of all runs of the tick, which share a scan
}

// due is a run to be made.
type due struct {
	view *viewState
	gen  *generation
	run  *journal.Run
	task *recompute.Task
}

// makeDue makes one run of each generation that has something new, or repeats the one that is pending.
func (s *Service) makeDue(ctx context.Context) (Report, error) {
	list, err := s.register(ctx)
	if errors.Is(err, journal.ErrTaken) {
		return s.taken(ctx)
	}
	if err != nil {
		return Report{}, err
	}
	if len(list) == 0 {
		const nothing = "the archive has no complete block that is new"
		s.tell(Event{Kind: EventSkipped})
		return Report{Skipped: nothing}, nil
	}
	tasks := make([]*recompute.Task, len(list))
	for i, d := range list {
		tasks[i] = d.task
		if err := runfile.RemoveDrafts(d.task.Folder); err != nil {
			return Report{}, err
		}
	}
	report, err := s.make(ctx, list, tasks)
	if s.overtaken(list, err) {
		rest, err := s.taken(ctx)
		if rest.Runs = report.Runs; len(rest.Runs) > 0 {
			rest.Skipped = ""
		}
		return rest, err
	}
	// The journals may have been read again by the care of lanes, beside: these are the newest.
	return report, errors.Join(err, s.open(ctx))
}

// make makes and checks the runs, and writes down what came of each.
func (s *Service) make(ctx context.Context, list []due, tasks []*recompute.Task) (Report, error) {
	start := time.Now()
	outs, err := s.engine.Run(ctx, tasks)
	if ofOneView(err) && len(list) > 1 {
		return s.makeEach(ctx, list, tasks)
	}
	if ofOneView(err) {
		return Report{}, fmt.Errorf("making %s: %w", list[0].task, err)
	}
	if err != nil {
		return Report{}, err
	}
	report, err := s.record(list, outs, time.Since(start))
	for _, out := range outs {
		err = errors.Join(err, out.Draft.Discard())
	}
	return report, err
}

// makeEach makes the runs one by one, each by a scan of its own: the files of one generation do not read, or an operator of
// it panics, and what is built in its place is to be made all the same, and so are other views.
func (s *Service) makeEach(ctx context.Context, list []due, tasks []*recompute.Task) (report Report, err error) {
	var errs []error
	for i := range list {
		one, err := s.make(ctx, list[i:i+1], tasks[i:i+1])
		report.Runs = append(report.Runs, one.Runs...)
		if errs = append(errs, err); err != nil && !ofOneView(err) {
			break
		}
	}
	return report, errors.Join(errs...)
}

// overtaken tells whether an error comes of another process that makes the same runs: it wrote the journal, it puts its
// files of the run in their place at this moment, it has finished the run and removed what lay aside for it, or a generation
// was dropped, whose files go with those of the run that was being made. Runs of the others are pending then.
func (s *Service) overtaken(list []due, err error) bool {
	if errors.Is(err, ErrCheck) {
		return false // whatever else there is, somebody has to look at that
	}
	if err == nil || errors.Is(err, journal.ErrTaken) || errors.Is(err, runfile.ErrTaken) {
		return err != nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	return slices.ContainsFunc(list, func(d due) bool { return s.finished(d) || d.dropped() })
}

// dropped tells whether the generation was dropped since the run was registered.
func (d *due) dropped() bool {
	now, err := journal.OpenView(d.view.layout.ViewJournal())
	if err != nil {
		return false
	}
	m := now.Number(d.gen.Number)
	return m != nil && m.State == manifest.Dropped
}

// finished tells whether another process has written down that a run is checked.
func (s *Service) finished(d due) bool {
	s.mu.Lock()
	own := d.run.Checked != nil
	s.mu.Unlock()
	now, err := journal.OpenGeneration(d.view.layout.GenerationJournal(d.gen.Identity))
	return err == nil && !own && now.LastChecked() >= d.run.Number
}

// taken reads the journals again after another process has written them.
func (s *Service) taken(ctx context.Context) (Report, error) {
	const why = "another process makes runs from this state folder, or a generation was dropped"
	s.tell(Event{Kind: EventSkipped, Step: why})
	return Report{Skipped: why}, s.open(ctx)
}

// register writes down the runs that are to be made, and returns them with those that were not finished.
func (s *Service) register(ctx context.Context) ([]due, error) {
	s.mu.Lock()
	views := s.views
	s.mu.Unlock()
	var list []due
	for _, v := range views {
		for _, g := range v.gens {
			if !g.made() {
				continue
			}
			cut, err := s.reach(ctx, g)
			if err != nil {
				return nil, err
			}
			run, fresh, err := s.next(g, cut)
			if err != nil {
				return nil, fmt.Errorf("registering a run of view %s: %w", g.View, err)
			}
			if run == nil {
				continue
			}
			if fresh {
				s.tell(Event{Kind: EventRegistered, View: g.View, Generation: g.Number, Run: run.Number})
			}
			s.mu.Lock()
			list = append(list, due{v, g, run, taskOf(v, g, run)})
			s.mu.Unlock()
		}
	}
	return list, nil
}

// reach returns the cut that the archive allows, never less than the last.
func (s *Service) reach(ctx context.Context, g *generation) (position.Cut, error) {
	s.mu.Lock()
	cut := maps.Clone(g.LastCut())
	s.mu.Unlock()
	if cut == nil {
		cut = position.Cut{}
	}
	for i := range g.Spec.Sources {
		name := g.Spec.Sources[i].Name
		_, have, err := s.cfg.Archive.Extent(ctx, name, g.Blocks[name])
		if err != nil {
			return nil, fmt.Errorf("listing the archive of source %s: %w", name, err)
		}
		for p, next := range have {
			cut[p] = max(cut[p], next)
		}
	}
	return cut, nil
}

// next returns the run to be made of a generation, nil if there is nothing new: the pending one with the cut that it was
// registered with, or the next, which is registered first.
func (s *Service) next(g *generation, cut position.Cut) (run *journal.Run, fresh bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := g.Pending(); p != nil {
		return p, false, nil
	}
	if g.LastCut().AtLeast(cut) {
		s.bare[g.Identity] = len(g.Runs) == 0
		return nil, false, nil
	}
	delete(s.bare, g.Identity)
	run, err = g.Register(cut, s.cfg.Every)
	return run, true, err
}

// taskOf returns what a run is to make. The journals are not to change meanwhile.
func taskOf(v *viewState, g *generation, run *journal.Run) *recompute.Task {
	t := &recompute.Task{
		Plan: g.plan, Identity: g.Identity, Run: run.Number, Kind: tile.KindDelta, Lanes: g.Lanes, Blocks: g.Blocks,
		From: run.From, To: run.Cut, Folder: v.layout.RunFolder(g.Identity, run.Number), FileName: journal.RunFileName,
		Open: v.opener(g),
	}
	if run.Kind == journal.Full {
		t.Kind = tile.KindBase
		return t
	}
	for r, base := range g.Bases(run.Number - 1) {
		if run.HasBases(r) {
			t.Bases[r] = base
		}
	}
	return t
}

// record puts the files of runs that passed their check in their places, and writes down what came of each.
func (s *Service) record(list []due, outs []*recompute.Outcome, took time.Duration) (report Report, err error) {
	var errs []error
	for i, d := range list {
		r, err := s.recordRun(d, outs[i])
		errs = append(errs, err)
		if err == nil {
			r.Took = took
			report.Runs = append(report.Runs, r)
		}
	}
	return report, errors.Join(errs...)
}

func (s *Service) recordRun(d due, out *recompute.Outcome) (RunReport, error) {
	e := Event{View: d.gen.View, Generation: d.gen.Number, Run: d.run.Number}
	if m := out.Mismatch; m != nil {
		s.mu.Lock()
		err := d.gen.Fail(journal.Failed{Run: d.run.Number, Entity: m.Key, Reason: m.Reason})
		s.mu.Unlock()
		if err != nil && !errors.Is(err, journal.ErrTaken) { // another process has come to its own verdict: this one stands beside it
			return RunReport{}, err
		}
		e.Kind, e.Err = EventFailed, fmt.Errorf("%w: %s: row %s: %s; it is not published: repair the cause, then batch --repeat %d makes it again", ErrCheck, d.task, m.Key, m.Reason, d.run.Number)
		s.tell(e)
		return RunReport{}, e.Err
	}
	if s.finished(d) {
		// Its files are being published: they are not moved aside, not even for equal ones.
		return RunReport{}, fmt.Errorf("committing %s: %w", d.task, journal.ErrTaken)
	}
	if err := out.Draft.Commit(); err != nil {
		return RunReport{}, err
	}
	checked := checkedOf(d.run.Number, out)
	s.mu.Lock()
	err := d.gen.Check(checked)
	s.mu.Unlock()
	if err != nil {
		return RunReport{}, err
	}
	e.Kind, e.Done, e.Total = EventChecked, out.Rows, out.Rows
	s.tell(e)
	return RunReport{
		View: d.gen.View, Generation: d.gen.Number, Run: d.run.Number, Kind: d.run.Kind, Cut: d.run.Cut,
		Checked: checked, Digest: checked.Digest(),
	}, nil
}

func checkedOf(run int64, out *recompute.Outcome) journal.Checked {
	c := journal.Checked{
		Run: run, Rows: out.Rows, Bytes: out.Bytes, Files: out.Files, Events: out.Events, Scanned: out.Scanned, Errors: out.Errors, Sampled: out.Sampled,
		Bases: out.Bases,
	}
	for _, l := range out.Lanes {
		c.Lanes = append(c.Lanes, journal.LaneFile{Rows: l.Rows, Bytes: l.Bytes, Digest: l.Digest})
	}
	return c
}
