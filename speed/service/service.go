package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tidemark-io/tidemark/shared/crash"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// Service is the speed layer of one job in one process.
type Service struct {
	cfg      Config
	decoders [][2]*decode.Decoder // by source, one for each of its fetchers
	Stats    Stats

	abandoned atomic.Bool

	// What follow has said.
	waited     bool // no generation yet
	unreadable bool // the manifest cannot be read
}

// ErrNotDrained is the class of errors about partitions of which something that was folded could not be written in time
// when they were let go. Nothing is lost: their next owner folds it again.
var ErrNotDrained = errors.New("the store did not take all that was folded; it is folded again by whoever goes on")

// New returns a service that does nothing until Run. The error names all that is wrong with the configuration.
func New(cfg Config) (*Service, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Service{cfg: cfg, decoders: make([][2]*decode.Decoder, len(cfg.Sources))}
	for i := range cfg.Sources {
		for k := range s.decoders[i] {
			if s.decoders[i][k], err = decode.Compile(&cfg.Sources[i]); err != nil {
				return nil, fmt.Errorf("compiling the decoder of source %s: %w", cfg.Sources[i].Name, err)
			}
		}
	}
	return s, nil
}

// OpenLimit returns Config.MaxOpenBytes as it is used.
func (s *Service) OpenLimit() int64 { return s.cfg.MaxOpenBytes }

// Abandon makes the end of Run like a crash: nothing is drained. For demonstrations and tests.
func (s *Service) Abandon() { s.abandoned.Store(true) }

// Run owns partitions and works on them until ctx ends; then it drains. It returns an error if the ownership failed for
// good, and, at the end, why partitions that it still owned were stopped, or that they could not be drained
// (ErrNotDrained). When it returns nothing of it runs any more.
func (s *Service) Run(ctx context.Context) error {
	for {
		a, err := s.cfg.Ownership.Next(ctx)
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("waiting for partitions: %w", err)
		}
		if err == nil {
			err = s.own(ctx, a)
			a.Drained()
		}
		if ctx.Err() != nil {
			return ignore(err, ctx.Err())
		}
	}
}

// ignore returns err unless it is only the end of a context.
func ignore(err, end error) error {
	if errors.Is(err, end) {
		return nil
	}
	return err
}

// own works on an assignment until it is lost or ctx ends, drains it, and returns why partitions were stopped.
func (s *Service) own(ctx context.Context, a *Assignment) error {
	work, stop := context.WithCancel(a.Lost)
	defer stop()
	defer context.AfterFunc(ctx, stop)()
	var beside sync.WaitGroup
	var workers []*worker
	for i := range s.cfg.Sources {
		if partitions := a.Partitions[s.cfg.Sources[i].Topic]; len(partitions) > 0 {
			workers = append(workers, s.source(work, &beside, i, partitions)...)
		}
	}
	s.cfg.Logger.Info("partitions assigned", "partitions", names(workers))
	beside.Go(func() { s.follow(work, workers) })
	<-work.Done()
	beside.Wait()
	crashWhere(ctx, crash.DrainBegun, crash.RevokeBegun)
	undone := s.drain(ctx, workers)
	crashWhere(ctx, crash.DrainDone, crash.RevokeDone)
	failed := errors.Join(s.Failed(), undone)
	for _, w := range workers {
		s.Stats.disown(w.partition.String())
	}
	return failed
}

// crashWhere is where a process may die that hands partitions over: because it ends, or because another one begins.
func crashWhere(ctx context.Context, ends, goesOn crash.Place) {
	if ctx.Err() != nil {
		crash.Point(ends)
		return
	}
	crash.Point(goesOn)
}

// source starts the fetchers of the i-th source and the workers of its partitions.
func (s *Service) source(ctx context.Context, beside *sync.WaitGroup, i int, partitions []int32) []*worker {
	src := &s.cfg.Sources[i]
	lead, trail := s.fetcher(i, 0, beside), s.fetcher(i, 1, beside)
	var workers []*worker
	for _, p := range partitions {
		workers = append(workers, s.worker(ctx, src, lead.feed(p), trail.feed(p)))
	}
	beside.Go(func() { lead.run(ctx) })
	beside.Go(func() { trail.run(ctx) })
	for _, w := range workers {
		beside.Go(func() { w.run(ctx) })
	}
	return workers
}

// fetcher returns the k-th fetcher of the i-th source, without feeds.
func (s *Service) fetcher(i, k int, beside *sync.WaitGroup) *fetcher {
	src := &s.cfg.Sources[i]
	return &fetcher{
		src: src, log: s.cfg.NewLog(src.Topic), archive: s.cfg.Archive, wait: s.cfg.FetchWait, decoder: s.decoders[i][k],
		feeds: map[int32]*feed{}, wake: make(chan struct{}, 1), logger: s.cfg.Logger, stats: &s.Stats, spawn: beside.Go,
		asks: map[int32]ask{}, unreachable: map[int32]bool{},
	}
}

func (s *Service) worker(ctx context.Context, src *schema.Source, lead, trail *feed) *worker {
	part := position.Partition{Source: src.Name, ID: lead.partition}
	w := &worker{
		cfg: &s.cfg, src: src, partition: part, lead: newStream(lead), trail: newStream(trail), logger: s.cfg.Logger, stats: &s.Stats, progress: s.Stats.own(part.String()),
		generations: make(chan []Generation, 1), gens: map[string]*running{}, refused: map[string]error{},
		done: make(chan *reply),
	}
	// A request is not cut off when the partition is lost: its outcome would be unknown for nothing.
	w.alive, w.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return w
}

// follow keeps the workers told of the generations that the manifests name.
func (s *Service) follow(ctx context.Context, workers []*worker) {
	for ; ctx.Err() == nil; pause(ctx, s.cfg.ManifestEvery) {
		gens, err := s.cfg.Generations(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if !s.unreadable {
				s.unreadable = true
				s.cfg.Logger.Warn("manifest cannot be read; going on with the generations known", "error", err)
			}
			continue
		case len(gens) == 0 && !s.waited:
			s.waited = true
			s.cfg.Logger.Info("no manifest in the store yet; waiting for the batch role to write it")
		case len(gens) > 0:
			s.waited = false
		}
		s.unreadable = false
		for _, w := range workers {
			select {
			case <-w.generations: // an older list that was not taken yet
			default:
			}
			w.generations <- gens
		}
	}
}

// drain writes what is folded, unless the service is abandoned, and ends the workers. The error names the partitions of
// which something is not written.
func (s *Service) drain(ctx context.Context, workers []*worker) error {
	bound := s.cfg.Drain
	if ctx.Err() != nil {
		bound = s.cfg.Grace
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), bound)
	defer cancel()
	var all sync.WaitGroup
	errs := make([]error, len(workers))
	for i, w := range workers {
		all.Go(func() {
			defer w.end()
			if !s.abandoned.Load() && !w.drain(ctx) {
				errs[i] = fmt.Errorf("%w: partition %s", ErrNotDrained, w.partition)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// Failed returns why partitions are stopped, or generations not fed; nil if all is well.
func (s *Service) Failed() error {
	var errs []error
	for _, p := range s.Stats.Partitions() {
		if p.Failed != "" {
			errs = append(errs, errors.New(p.Failed))
		}
	}
	return errors.Join(errs...)
}

func names(ws []*worker) []string {
	out := make([]string, 0, len(ws))
	for _, w := range ws {
		out = append(out, w.partition.String())
	}
	slices.Sort(out)
	return out
}
