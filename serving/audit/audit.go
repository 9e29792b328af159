package audit

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidemark-io/tidemark/serving/verify"
)

// Bounds of an auditor.
const (
	// MaxRate is the most entities a second.
	MaxRate = 10_000
	// maxTold bounds the wrong entities that are remembered as told. Those after it are counted.
	maxTold = 1000
	// minPause is how long it waits at least between two rounds, so that an empty store is not scanned without end.
	minPause = time.Second
	// maxBackoff is how long it waits at most after rounds that could not be carried out, doubled from minPause.
	maxBackoff = time.Minute
)

// Config says what an auditor does. All fields are required.
type Config struct {
	// Round verifies some entities chosen anew. An error says that it could not be carried out.
	Round func(ctx context.Context) (*verify.Report, error)
	// Rate bounds the entities verified in a second, on average: above 0, at most MaxRate.
	Rate float64
	// Logger is told each wrong entity, and once when rounds cannot be carried out.
	Logger *slog.Logger
}

// Stats are what an auditor has found since it was made. Safe for concurrent use.
type Stats struct {
	Rounds   atomic.Int64 // carried out
	Failures atomic.Int64 // rounds that were not
	Entities atomic.Int64 // compared
	Tiles    atomic.Int64 // that their rows were made of
	Wrong    atomic.Int64 // entities, each as often as it was found to be
	// Degraded counts the entities that could not be compared because their lane claims nothing, of which answers tell.
	Degraded atomic.Int64
	// Last is when the last round ended that was carried out, ns of Unix time; 0 before.
	Last atomic.Int64
}

// Auditor verifies samples. Its Stats may be read at any time.
type Auditor struct {
	Stats Stats

	cfg    Config
	failed int // rounds in a row
	told   map[[2]string]bool

	mu      sync.Mutex
	trouble error
}

// New returns an auditor that does nothing until Run.
func New(cfg Config) (*Auditor, error) {
	if cfg.Round == nil || cfg.Logger == nil || !(cfg.Rate > 0 && cfg.Rate <= MaxRate) {
		return nil, fmt.Errorf("audit: %v entities a second, want above 0 and at most %d; Round and Logger are required", cfg.Rate, MaxRate)
	}
	return &Auditor{cfg: cfg, told: map[[2]string]bool{}}, nil
}

// Trouble returns why the last round could not be carried out, nil if it was.
func (a *Auditor) Trouble() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.trouble
}

// Run makes rounds until ctx ends. Nothing that it finds ends it.
func (a *Auditor) Run(ctx context.Context) {
	for ctx.Err() == nil {
		start := time.Now()
		report, err := a.cfg.Round(ctx)
		if ctx.Err() != nil {
			return
		}
		wait := a.settle(report, err) - time.Since(start)
		if pause(ctx, max(wait, minPause)) != nil {
			return
		}
	}
}

// settle takes over what came of a round, and returns how long it has to have taken for the rate.
func (a *Auditor) settle(report *verify.Report, err error) time.Duration {
	a.say(err)
	if err != nil {
		a.Stats.Failures.Add(1)
		a.failed++
		return min(minPause<<min(a.failed, 30), maxBackoff)
	}
	a.failed = 0
	a.tell(report) // before it is counted: who is called by the counter finds in the log what it is
	s := &a.Stats
	s.Entities.Add(int64(report.Entities - report.Degraded))
	s.Wrong.Add(int64(report.Wrong - report.Degraded))
	s.Degraded.Add(int64(report.Degraded))
	s.Tiles.Add(report.Tiles)
	s.Rounds.Add(1)
	s.Last.Store(time.Now().UnixNano())
	return time.Duration(float64(report.Entities) / a.cfg.Rate * float64(time.Second))
}

// say tells when rounds cannot be carried out, and when they can again.
func (a *Auditor) say(err error) {
	a.mu.Lock()
	was := a.trouble
	a.trouble = err
	a.mu.Unlock()
	switch {
	case err != nil && was == nil:
		a.cfg.Logger.Warn("entities cannot be verified; trying again", "error", err)
	case err == nil && was != nil:
		a.cfg.Logger.Info("entities are verified again")
	}
}

// tell logs each wrong entity when it is first found to be. What is known already is left to the counter.
func (a *Auditor) tell(report *verify.Report) {
	untold := report.Wrong - report.Degraded // those that the report does not describe are told by number
	for i := range report.Faults {
		f := &report.Faults[i]
		id := [2]string{f.View, f.Entity}
		if f.Degraded {
			continue
		}
		untold--
		switch {
		case a.told[id]:
		case len(a.told) >= maxTold:
			untold++
		default:
			a.told[id] = true
			a.cfg.Logger.Error("an entity is wrong in the store", "view", f.View, "entity", f.Entity, "lane", f.Lane, "what", f.What,
				"feature", f.Feature, "by_the_log", f.Want, "by_the_store", f.Got, "positions", f.Positions)
		}
	}
	if untold > 0 {
		a.cfg.Logger.Error("more entities are wrong in the store; verify names all", "entities", untold)
	}
}
