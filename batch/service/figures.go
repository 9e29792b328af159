package service

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/tidemark-io/tidemark/batch/journal"
	"github.com/tidemark-io/tidemark/batch/publish"
)

// Figures are what this role has done since it was made. Times are zero for what has not happened yet.
type Figures struct {
	// Runs counts the runs that passed their check, by kind, and Failed the times that one or more did not.
	Runs   map[journal.Kind]int64
	Failed int64
	// Events counts the accepted events with an entity in these runs.
	Events int64
	// Took is how long the last recompute was at work, of all runs that shared its scan, and Made when it ended.
	Took time.Duration
	Made time.Time
	// Looked is when it was last seen, without an error, whether there is something to do, and what there was had been made.
	Looked time.Time
	// Published counts what was brought to lanes.
	Published publish.Counts
}

// Figures tells what was done so far. It may be called at any time.
func (s *Service) Figures() Figures {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.figures
	f.Runs = maps.Clone(f.Runs)
	return f
}

// tick makes one run of each generation that has something new, or repeats the one that is pending, and counts.
func (s *Service) tick(ctx context.Context) (Report, error) {
	report, err := s.makeDue(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	f := &s.figures
	if f.Runs == nil {
		f.Runs = map[journal.Kind]int64{}
	}
	for i := range report.Runs {
		r := &report.Runs[i]
		f.Runs[r.Kind]++
		f.Events += r.Checked.Events
		f.Took, f.Made = r.Took, time.Now()
	}
	if errors.Is(err, ErrCheck) {
		f.Failed++
	}
	if err == nil {
		f.Looked = time.Now()
	}
	return report, err
}
