package schedule_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark-io/tidemark/batch/schedule"
)

func parse(t *testing.T, text string) schedule.Schedule {
	t.Helper()
	s, err := schedule.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Thirty days of quarters of an hour, at the minutes that cron says.
func TestThirtyDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*24*time.Hour+time.Minute)
		defer cancel()
		n := 0
		err := parse(t, schedule.Default).Run(ctx, nil, func(context.Context) error {
			if now := time.Now().UTC(); now.Minute()%15 != 0 || now.Second() != 0 {
				t.Errorf("a tick at %v", now)
			}
			n++
			return nil
		})
		if !errors.Is(err, context.DeadlineExceeded) || n != 30*24*4 {
			t.Errorf("%d ticks, %v", n, err)
		}
	})
}

// A tick that takes longer than the time between ticks: no overlap, and one tick for all that were missed.
func TestMissedTicksCollapse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 19*time.Minute+30*time.Second)
		defer cancel()
		start := time.Now()
		running, at := false, []time.Duration{}
		err := parse(t, "@every 1m").Run(ctx, nil, func(context.Context) error {
			if running {
				t.Error("two ticks at once")
			}
			running = true
			at = append(at, time.Since(start))
			if len(at) == 2 {
				time.Sleep(10*time.Minute + 30*time.Second)
			}
			running = false
			return nil
		})
		// Minutes 1 and 2; the second takes until 12:30, when the missed ones are made up for once; then each minute.
		if !errors.Is(err, context.DeadlineExceeded) || len(at) != 2+1+7 || at[2] != 12*time.Minute+30*time.Second || at[3] != 13*time.Minute {
			t.Errorf("ticks at %v, %v", at, err)
		}
	})
}

func TestErrorEndsRun(t *testing.T) {
	broken := errors.New("broken")
	synctest.Test(t, func(t *testing.T) {
		if err := parse(t, "@every 15s").Run(t.Context(), nil, func(context.Context) error { return broken }); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
	})
}

func TestInvalid(t *testing.T) {
	for _, text := range []string{"", "15", "* * * *", "61 * * * *", "@every soon"} {
		if _, err := schedule.Parse(text); !errors.Is(err, schedule.ErrSpec) {
			t.Errorf("%q: got %v", text, err)
		}
	}
	if s := parse(t, "@every 15s"); s.String() != "@every 15s" {
		t.Errorf("got %s", s)
	}
}
