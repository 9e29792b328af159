// Package schedule says when batch looks for something to do. It knows cron expressions and nothing of what is done.
package schedule

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/robfig/cron/v3"
)

// Default is the schedule of a role that is given none: every 15 minutes.
const Default = "*/15 * * * *"

// ErrSpec is the class of errors about a text that is no schedule.
var ErrSpec = errors.New("invalid schedule")

// Schedule is a parsed cron expression. It is immutable.
type Schedule struct {
	text string
	cron cron.Schedule
}

// Parse reads five fields of cron (minute hour day month weekday, in UTC), or @every and a duration of at least a second,
// or @hourly, @daily, @weekly. Errors are of class ErrSpec.
func Parse(text string) (Schedule, error) {
	s, err := cron.ParseStandard(text)
	if err != nil {
		return Schedule{}, fmt.Errorf("%w %q: %w; want five fields such as %q, or @every 15s", ErrSpec, text, err, Default)
	}
	return Schedule{text: text, cron: s}, nil
}

// String returns the text that was parsed.
func (s Schedule) String() string { return s.text }

// Run calls tick at each time of the schedule, and whenever now has something (nil: never), until ctx ends, and returns its
// error then. Ticks never overlap. Those that
// come while one is under way collapse into one, which follows it at once: what was missed is made up for, and once. An
// error of tick ends Run and is returned.
func (s Schedule) Run(ctx context.Context, now <-chan struct{}, tick func(ctx context.Context) error) error {
	due := make(chan struct{}, 1)
	c := cron.New(cron.WithLocation(time.UTC), cron.WithChain(cron.SkipIfStillRunning(cron.DiscardLogger)))
	c.Schedule(s.cron, cron.FuncJob(func() {
		select {
		case due <- struct{}{}:
		default: // one waits already
		}
	}))
	c.Start()
	defer func() { <-c.Stop().Done() }()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-due:
		case <-now:
		}
		if err := tick(ctx); err != nil {
			return err
		}
	}
}
