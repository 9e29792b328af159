package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/speed/flush"
)

// Service is the speed layer of one job in one process.
type Service struct {
	cfg   Config
	Stats Stats

	abandoned atomic.Bool
	waited    bool // said so: no generation yet
}

// New returns a service that does nothing until Run.
func New(cfg Config) (*Service, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Service{cfg: cfg}, nil
}

// Abandon makes the end of Run like a crash: nothing is drained. For demonstrations and tests.
func (s *Service) Abandon() { s.abandoned.Store(true) }

// Run owns partitions and works on them until ctx ends; then it drains and returns nil. It returns an error if the
// ownership failed for good.
func (s *Service) Run(ctx context.Context) error {
	for {
		a, err := s.cfg.Ownership.Next(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("waiting for partitions: %w", err)
		}
		s.own(ctx, a)
		a.Drained()
	}
}

// own works on an assignment until it is lost or ctx ends, then drains it.
func (s *Service) own(ctx context.Context, a *Assignment) {
	work, stop := context.WithCancel(a.Lost)
	defer stop()
	defer context.AfterFunc(ctx, stop)()
	var beside sync.WaitGroup
	var workers []*worker
	for i := range s.cfg.Sources {
		src := &s.cfg.Sources[i]
		partitions := a.Partitions[src.Topic]
		if len(partitions) == 0 {
			continue
		}
		owned, err := s.source(work, &beside, src, partitions)
		if err != nil {
			s.cfg.Logger.Error("source cannot be read", "source", src.Name, "error", err)
			continue
		}
		workers = append(workers, owned...)
	}
	s.cfg.Logger.Info("partitions assigned", "partitions", names(workers))
	beside.Go(func() { s.follow(work, workers) })
	<-work.Done()
	beside.Wait()
	s.drain(ctx, workers)
	for _, w := range workers {
		s.Stats.disown(w.partition.String())
	}
}

// source starts the fetcher of a source and the workers of its partitions.
func (s *Service) source(ctx context.Context, beside *sync.WaitGroup, src *schema.Source, partitions []int32) ([]*worker, error) {
	decoder, err := decode.Compile(src)
	if err != nil {
		return nil, fmt.Errorf("compiling the decoder of source %s: %w", src.Name, err)
	}
	f := &fetcher{
		src: src, log: s.cfg.NewLog(src.Topic), archive: s.cfg.Archive, wait: s.cfg.FetchWait, decoder: decoder,
		feeds: map[int32]*feed{}, wake: make(chan struct{}, 1), logger: s.cfg.Logger, stats: &s.Stats, spawn: beside.Go,
	}
	var workers []*worker
	for _, p := range partitions {
		fd := newFeed(p, func() *column.Batch { return column.NewBatch(src, p, false) }, f.wake)
		f.feeds[p] = fd
		part := position.Partition{Source: src.Name, ID: p}
		workers = append(workers, &worker{
			cfg: &s.cfg, src: src, partition: part, feed: fd, logger: s.cfg.Logger, stats: &s.Stats,
			progress: s.Stats.own(part.String()), generations: make(chan []Generation, 1), done: make(chan reply, maxReplies),
			gens: map[string]*running{}, expect: paused,
		})
	}
	beside.Go(func() { f.run(ctx) })
	for _, w := range workers {
		beside.Go(func() { w.run(ctx) })
	}
	return workers, nil
}

// maxReplies is more than the requests that generations of one partition can have under way: one each. It keeps their
// goroutines from staying behind when a worker is gone.
const maxReplies = 256

// follow keeps the workers told of the generations that the manifests name.
func (s *Service) follow(ctx context.Context, workers []*worker) {
	for ctx.Err() == nil {
		gens, err := s.cfg.Generations(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.cfg.Logger.Warn("manifest cannot be read; going on with the generations known", "error", err)
		case len(gens) == 0 && !s.waited:
			s.waited = true
			s.cfg.Logger.Info("no manifest in the store yet; waiting for the batch role to write it")
		case len(gens) > 0:
			s.waited = false
			for _, w := range workers {
				select {
				case <-w.generations: // an older list that was not taken yet
				default:
				}
				w.generations <- gens
			}
		}
		pause(ctx, s.cfg.ManifestEvery)
	}
}

// drain writes what is folded, unless the service is abandoned.
func (s *Service) drain(ctx context.Context, workers []*worker) {
	if s.abandoned.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Drain)
	defer cancel()
	var all sync.WaitGroup
	for _, w := range workers {
		if w.feed.failure() == nil {
			all.Go(func() { w.drain(ctx) })
		}
	}
	all.Wait()
}

// Failed returns why partitions are stopped; empty if none is.
func (s *Service) Failed() error {
	var errs []error
	for _, p := range s.Stats.Partitions() {
		if p.Failed != "" {
			errs = append(errs, errors.New(p.Failed))
		}
	}
	return errors.Join(errs...)
}

// report brings the partition's figures up to date.
func (w *worker) report() {
	failed := w.feed.failure()
	w.progress.change(func(s *PartitionState) {
		s.Blocks, s.Bytes, s.Waiting = 0, 0, 0
		for _, g := range w.gens {
			blocks, bytes := g.Open()
			s.Blocks += blocks
			s.Bytes += bytes
			for i := range g.Lanes() {
				if g.Lanes()[i].State() == flush.Waiting {
					s.Waiting++
				}
			}
		}
		if failed != nil {
			s.Failed = failed.Error()
		}
	})
}

func names(ws []*worker) []string {
	out := make([]string, 0, len(ws))
	for _, w := range ws {
		out = append(out, w.partition.String())
	}
	slices.Sort(out)
	return out
}
