package service

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/tidemark-io/tidemark/batch/journal"
	"github.com/tidemark-io/tidemark/batch/publish"
	"github.com/tidemark-io/tidemark/batch/recompute"
	"github.com/tidemark-io/tidemark/shared/crash"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// Service is the batch role of one job. One of Once, Run, Check and Versions may be under way at a time; Status may be
// called at any time.
type Service struct {
	cfg       Config
	engine    *recompute.Engine
	publisher *publish.Publisher
	sweeper   *publish.Sweeper

	mu    sync.Mutex // of the journals in views, of status and figures
	views []*viewState
	seen  map[string]publish.Status // by namespace, as of the last pass
	told  map[string]int64          // by namespace: the last run that was told to be published
	begun int64                     // lanes begun, as last told

	figures Figures
	failed  error // why no more runs are made
	refused error // why lanes are left alone

	// Of generations that are built beside the served one, by identity: the archive has nothing that a run could be made
	// of, so that their lanes are begun without one.
	bare     map[string]bool
	kick     chan struct{} // asks for a tick before its time
	gone     dropping
	sweeping sweeping

	known   chan struct{} // closed when the journals have been held against the store's manifests, and agreed
	knownBy sync.Once
}

// New returns the batch role of a job. It reads and writes nothing yet. Errors are of class ErrConfig or
// publish.ErrLimits.
func New(cfg Config) (*Service, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Service{cfg: cfg, seen: map[string]publish.Status{}, told: map[string]int64{}, known: make(chan struct{}), bare: map[string]bool{}, kick: make(chan struct{}, 1)}
	s.engine = &recompute.Engine{Archive: cfg.Archive, Memory: cfg.Memory, Workers: cfg.Workers, Judge: cfg.Judge, Progress: func(p recompute.Progress) {
		s.tell(Event{Kind: EventProgress, Step: p.Step, Done: int64(p.Done), Total: int64(p.Total)})
	}}
	if s.publisher, err = publish.New(cfg.Store, cfg.Limits); err != nil {
		return nil, err
	}
	s.publisher.Random = cfg.Random
	if s.sweeper, err = publish.NewSweeper(cfg.Store, cfg.Limits); err != nil {
		return nil, err
	}
	s.sweeper.Grace = cfg.Grace
	return s, nil
}

// Once makes one run of each generation that has something new, or repeats the one that died, and publishes all that is
// checked until every lane has it. Errors: fatal ones as the package says, one of class lane.ErrUnavailable if the store
// was away for longer than Config.Wait, and those of lanes that somebody has to mend.
func (s *Service) Once(ctx context.Context) (Report, error) {
	if err := s.patient(ctx, func() error { return s.open(ctx) }); err != nil {
		return Report{}, err
	}
	// The first pass begins lanes: speed need not wait for the run. Of lanes at fault the last passes tell.
	var all []publish.Status
	if err := s.patient(ctx, func() (err error) { all, err = s.tend(ctx); return err }); err != nil && !besides(all, err) {
		return Report{}, err
	}
	report, err := s.tick(ctx)
	if err != nil && !stopsRuns(err) {
		return report, err
	}
	// What could be made is brought, beside what could not, and the manifest tells everybody of a run that failed its check.
	return report, errors.Join(err, s.publishAll(ctx))
}

// publishAll brings all that is checked to every lane, but those that somebody has to mend: it returns their errors when
// the others are done.
func (s *Service) publishAll(ctx context.Context) error {
	for {
		var all []publish.Status
		err := s.patient(ctx, func() (err error) { all, err = s.tend(ctx); return err })
		switch {
		case err != nil && !besides(all, err):
			return err
		case settled(all):
			return errors.Join(err, s.tidy(all))
		}
	}
}

// Run looks for something to do, as soon as the store's manifests have been seen and then by the schedule, and takes care
// of the lanes each second, until ctx ends (then it returns nil, having finished what is under way within moments) or
// something fatal happens. A run that fails its check, and an archive that does not give what a run needs, end the making
// of runs (Failure tells) and not the care of lanes: what was published goes on being served, and a lane that is emptied
// is filled again. Run then returns that failure when ctx ends.
func (s *Service) Run(ctx context.Context) error {
	if err := s.awaitOpen(ctx); err != nil {
		return stopped(ctx, err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	wg.Go(func() { cancel(guard(func() error { return s.care(ctx) })) })
	wg.Go(func() { cancel(guard(func() error { return s.makeRuns(ctx) })) })
	wg.Wait()
	return errors.Join(stopped(ctx, context.Cause(ctx)), s.Failure())
}

// makeRuns makes runs until ctx ends or something fatal happens. After a failure it makes none until there is reason to
// expect more of the next.
func (s *Service) makeRuns(ctx context.Context) error {
	for {
		err := s.ticks(ctx)
		if !stopsRuns(err) {
			return err
		}
		s.fail(err)
		s.tell(Event{Kind: EventStopped, Err: err})
		if err := s.awaitMended(ctx, err); err != nil {
			return err
		}
		s.fail(nil)
		s.tell(Event{Kind: EventResumed})
	}
}

// awaitMended waits until the journals say that runs may be made again, which another process has written to.
func (s *Service) awaitMended(ctx context.Context, why error) error {
	generations, entries := s.written()
	for {
		if err := pause(ctx, careEvery); err != nil {
			return err
		}
		if err := s.reread(ctx); err != nil {
			return err
		}
		if n, more := s.written(); n > generations || (s.failedRuns() == 0 && (more > entries || errors.Is(why, ErrCheck))) {
			// A generation was begun, in the place of the one at fault perhaps. Or no run that failed its check is left: it
			// was repeated (batch --repeat, once the cause was mended), or its generation dropped; what has no other sign of
			// being mended is tried again when anything was done. What still fails then stops runs again.
			return nil
		}
	}
}

// written returns how many generations there are, and how many entries of journals were read or written.
func (s *Service) written() (generations int, entries int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.views {
		generations += len(v.gens)
		entries += v.entries()
	}
	return generations, entries
}

// failedRuns returns of how many live generations the pending run failed its check.
func (s *Service) failedRuns() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.views {
		for _, g := range v.gens {
			if p := g.Pending(); g.live() && p != nil && p.Failed != nil {
				n++
			}
		}
	}
	return n
}

// reread reads the journals again if another process has written to them: generations are made, promoted and dropped by
// commands beside the role.
func (s *Service) reread(ctx context.Context) error {
	s.mu.Lock()
	moved := slices.ContainsFunc(s.views, (*viewState).moved)
	s.mu.Unlock()
	if !moved {
		return nil
	}
	err := s.open(ctx)
	select {
	case s.kick <- struct{}{}: // there may be a generation that wants its first run
	default:
	}
	return err
}

// stopsRuns tells which errors end the making of runs and nothing else: nothing of the run was published, and until
// somebody has repaired the cause the next one would end as this one did.
func stopsRuns(err error) bool {
	return (errors.Is(err, ErrCheck) || errors.Is(err, ErrArchive) || ofOneView(err)) && !fatal(err)
}

// ofOneView tells which errors of a run concern its own generation alone, so that runs that shared its scan are made without
// it: the files of earlier runs do not read, or an operator panics.
func ofOneView(err error) bool {
	return errors.Is(err, recompute.ErrPast) || errors.Is(err, recompute.ErrPanic)
}

// ticks makes runs by the schedule, and the first at once when the journals have been held against the store. Before that
// nobody knows whether these are all there were: restored from an older backup they lack runs that the store has, and
// would give a number out a second time, for another cut.
func (s *Service) ticks(ctx context.Context) error {
	select {
	case <-s.known:
	case <-ctx.Done():
		return ctx.Err()
	}
	tick := func(ctx context.Context) error { _, err := s.tick(ctx); return err }
	if err := tick(ctx); err != nil {
		return err
	}
	return s.cfg.Schedule.Run(ctx, s.kick, tick)
}

func (s *Service) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = err
}

// Failure returns why Run makes no more runs, an error of class ErrCheck, ErrArchive, recompute.ErrPast or ErrPanic; nil as
// long as it does. It may be called at any time.
func (s *Service) Failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// stopped returns nil for the end of a context, which is how a role is told to stop.
func stopped(ctx context.Context, err error) error {
	if errors.Is(err, context.Canceled) || (ctx.Err() != nil && errors.Is(err, ctx.Err())) {
		return nil
	}
	return err
}

// errPanic is the class of a panic of the role itself, which ends it; one of an operator in a run is recompute.ErrPanic.
var errPanic = errors.New("batch panicked")

func guard(do func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v\n%s", errPanic, r, debug.Stack())
		}
	}()
	return do()
}

// awaitOpen opens the journals, waiting for a store or a log that is away.
func (s *Service) awaitOpen(ctx context.Context) error {
	trouble := &trouble{s: s}
	for {
		err := s.open(ctx)
		if err == nil || fatal(err) || ctx.Err() != nil {
			return err
		}
		trouble.observe(err)
		if err := pause(ctx, careEvery); err != nil {
			return err
		}
	}
}

// fatal tells which errors end the role: all but those of a store that is away or of a lane that somebody has to mend, and
// those that end the making of runs alone.
func fatal(err error) bool {
	for _, class := range []error{publish.ErrNewer, schema.ErrTopic, ErrForeign, ErrRevision, ErrGone, journal.ErrDamaged, journal.ErrCodec, errPanic} {
		if errors.Is(err, class) {
			return true
		}
	}
	for _, class := range []error{lane.ErrUnavailable, lane.ErrStore, publish.ErrLane, ErrCheck, ErrArchive, recompute.ErrPast, recompute.ErrPanic, ErrStarts, ErrLeft} {
		if errors.Is(err, class) {
			return false
		}
	}
	return err != nil
}

// retryEvery is how long a command waits before it tries a store again that is away.
const retryEvery = 250 * time.Millisecond

// patient does something again as long as the store, or the log that is to say where it begins, is away, for Config.Wait at most.
func (s *Service) patient(ctx context.Context, do func() error) error {
	deadline := time.Now().Add(s.cfg.Wait)
	trouble := &trouble{s: s}
	for {
		err := do()
		away := errors.Is(err, lane.ErrUnavailable) || errors.Is(err, ErrStarts)
		if !away || fatal(err) || ctx.Err() != nil || !time.Now().Before(deadline) {
			return err
		}
		trouble.observe(err)
		if pause(ctx, retryEvery) != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// keepManifests makes the store hold the manifest of every view as the journals have it.
func (s *Service) keepManifests(ctx context.Context) error {
	for i := range s.cfg.Plans {
		if err := s.keepManifest(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) keepManifest(ctx context.Context, i int) error {
	s.mu.Lock()
	v := s.views[i]
	m, err := v.manifest()
	s.mu.Unlock()
	if err != nil {
		return err
	}
	key := manifest.Key(m.Job, m.View)
	seq, body, err := s.cfg.Store.Manifest(ctx, key)
	if err != nil {
		return fmt.Errorf("reading the manifest of view %s: %w", m.View, err)
	}
	want, err := m.Encode()
	if err != nil {
		return err
	}
	if seq > 0 {
		s.mu.Lock()
		err := v.known(m.Seq, want, seq, body)
		s.mu.Unlock()
		if err != nil || seq == m.Seq {
			return err
		}
	}
	crash.Point(crash.ManifestBefore)
	if _, err := s.cfg.Store.PutManifest(ctx, key, m.Seq, want); err != nil {
		return fmt.Errorf("writing the manifest of view %s: %w", m.View, err)
	}
	crash.Point(crash.ManifestAfter)
	return nil
}
