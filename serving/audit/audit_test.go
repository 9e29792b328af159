package audit_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/tidemark-io/tidemark/serving/audit"
	"github.com/tidemark-io/tidemark/serving/verify"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/history"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run has an auditor at work for a time, on rounds that round makes, and returns it and what it said.
func run(t *testing.T, rate float64, length time.Duration, round func(n int) (*verify.Report, error)) (*audit.Auditor, string) {
	t.Helper()
	var said bytes.Buffer
	n := 0
	a, err := audit.New(audit.Config{
		Rate: rate, Logger: slog.New(slog.NewTextHandler(&said, nil)),
		Round: func(context.Context) (*verify.Report, error) { n++; return round(n) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	a.Run(ctx)
	return a, said.String()
}

// TestRate: no more entities a second than it may verify, however fast rounds are, and no fewer where they are.
func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, said := run(t, 10, time.Hour, func(int) (*verify.Report, error) {
			time.Sleep(300 * time.Millisecond)
			return &verify.Report{Entities: 50, Tiles: 120}, nil
		})
		if n := a.Stats.Entities.Load(); n < 10*3600-100 || n > 10*3600+50 {
			t.Errorf("%d entities in an hour", n)
		}
		if rounds := a.Stats.Rounds.Load(); a.Stats.Tiles.Load() != 120*rounds || a.Stats.Wrong.Load() != 0 || said != "" {
			t.Errorf("%+v, and it said %q", &a.Stats, said)
		}
		if last := time.Unix(0, a.Stats.Last.Load()); time.Since(last) > 6*time.Second {
			t.Errorf("the last round was %v ago", time.Since(last))
		}
		// Rounds that take longer than the rate asks for follow one another, with a pause.
		if a, _ := run(t, 10, time.Minute, func(int) (*verify.Report, error) {
			time.Sleep(9 * time.Second)
			return &verify.Report{Entities: 50}, nil
		}); a.Stats.Rounds.Load() != 6 {
			t.Errorf("%d rounds", a.Stats.Rounds.Load())
		}
	})
}

// TestWrong: each wrong entity is told once and counted each time; what a lane does not claim is neither wrong nor told.
func TestWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, said := run(t, 100, time.Minute, func(n int) (*verify.Report, error) {
			r := &verify.Report{Entities: 100, Wrong: 3, Degraded: 1, Faults: []verify.Fault{
				{View: "user", Entity: "u:1", Lane: "l/1", Feature: "n", Want: "4", Got: "5", What: "the states differ", Positions: "clicks/0@9"},
				{View: "user", Entity: "u:2", Lane: "l/2", What: "cannot be verified", Degraded: true},
				{View: "item", Entity: "u:1", Lane: "l/1", What: "gone"},
			}}
			if n == 1 {
				r.Wrong = 7 // of which three are not described
				r.Degraded = 2
			}
			return r, nil
		})
		rounds := a.Stats.Rounds.Load()
		if a.Stats.Wrong.Load() != 2*rounds+3 || a.Stats.Degraded.Load() != rounds+1 || a.Stats.Entities.Load() != 99*rounds-1 {
			t.Errorf("%d wrong, %d degraded of %d in %d rounds", a.Stats.Wrong.Load(), a.Stats.Degraded.Load(), a.Stats.Entities.Load(), rounds)
		}
		for text, times := range map[string]int{
			"level=ERROR": 3, "entity=u:1": 2, "entity=u:2": 0, "entities=3": 1,
			`view=user entity=u:1 lane=l/1 what="the states differ" feature=n by_the_log=4 by_the_store=5 positions=clicks/0@9`: 1,
		} {
			if n := strings.Count(said, text); n != times {
				t.Errorf("%q is said %d times, want %d, in\n%s", text, n, times, said)
			}
		}
	})
}

// listener is told of each line of a log while it is written. It is slog's handler.
type listener struct{ heard func() }

func (l listener) Enabled(context.Context, slog.Level) bool  { return true }
func (l listener) Handle(context.Context, slog.Record) error { l.heard(); return nil }
func (l listener) WithAttrs([]slog.Attr) slog.Handler        { return l }
func (l listener) WithGroup(string) slog.Handler             { return l }

// TestToldFirst: what is counted has been told.
func TestToldFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var a *audit.Auditor
		told := false
		a, err := audit.New(audit.Config{
			Rate: 1,
			Logger: slog.New(listener{func() {
				if told = true; a.Stats.Wrong.Load() > 0 {
					t.Error("it is counted before it is told")
				}
			}}),
			Round: func(context.Context) (*verify.Report, error) {
				return &verify.Report{Entities: 1, Wrong: 1, Faults: []verify.Fault{{View: "user", Entity: "u:1"}}}, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		a.Run(ctx)
		if !told || a.Stats.Wrong.Load() == 0 {
			t.Errorf("told: %t, %d counted", told, a.Stats.Wrong.Load())
		}
	})
}

// TestToldIsBounded: past a thousand wrong entities they are told by number.
func TestToldIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, said := run(t, 10_000, 29500*time.Millisecond, func(n int) (*verify.Report, error) {
			r := &verify.Report{Entities: 100, Wrong: 100}
			for i := range 100 {
				r.Faults = append(r.Faults, verify.Fault{View: "v", Entity: strings.Repeat("x", 100*n+i)})
			}
			return r, nil
		})
		if one, more := strings.Count(said, "an entity is wrong"), strings.Count(said, "more entities are wrong"); one != 1000 || more < 15 || more > 20 {
			t.Errorf("%d are told by name, and %d times by number", one, more)
		}
	})
}

// TestTrouble: rounds that cannot be carried out are tried again, more and more rarely, and told of once.
func TestTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := errors.New("away")
		failed := 0
		var last, longest time.Duration
		start := time.Now()
		a, said := run(t, 100, time.Hour, func(n int) (*verify.Report, error) {
			longest = max(longest, time.Since(start)-last)
			last = time.Since(start)
			if time.Since(start) < 30*time.Minute {
				failed = n
				return nil, away
			}
			return &verify.Report{Entities: 1}, nil
		})
		if a.Stats.Failures.Load() != int64(failed) || failed < 30 || failed > 40 || longest != time.Minute || a.Trouble() != nil {
			t.Errorf("%d of %d failures, at most %v apart, at last %v", a.Stats.Failures.Load(), failed, longest, a.Trouble())
		}
		if strings.Count(said, "cannot be verified") != 1 || strings.Count(said, "are verified again") != 1 {
			t.Errorf("it said\n%s", said)
		}
	})
}

func TestConfig(t *testing.T) {
	t.Parallel()
	good := audit.Config{Rate: audit.MaxRate, Logger: slog.New(slog.DiscardHandler), Round: func(context.Context) (*verify.Report, error) { return nil, nil }}
	if _, err := audit.New(good); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*audit.Config){
		"no rate": func(c *audit.Config) { c.Rate = 0 }, "too fast": func(c *audit.Config) { c.Rate = audit.MaxRate + 1 },
		"no round": func(c *audit.Config) { c.Round = nil }, "no logger": func(c *audit.Config) { c.Logger = nil },
	} {
		c := good
		spoil(&c)
		if _, err := audit.New(c); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// slow is a log, and a store, of steps that take a while each.
type slow struct {
	verify.Store
	steps int
	each  time.Duration
}

func (s *slow) Stretches(context.Context, *schema.Source) ([]history.Stretch, error) { return nil, nil }

func (s *slow) run(step func() error) error {
	for range s.steps {
		time.Sleep(s.each)
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

type slowLog struct{ slow }

func (s *slowLog) Scan(_ context.Context, _ *schema.Source, _ history.Stretch, _ position.Range, _ bool, yield func(*column.Batch) error) error {
	return s.run(func() error { return yield(nil) })
}

type slowStore struct{ slow }

func (s *slowStore) Scan(_ context.Context, _ string, yield func(lane.RowID) error) error {
	return s.run(func() error { return yield(lane.RowID{}) })
}

// TestPace: reading log and store takes so many times as long as the work, in steps however small, and ends with the context.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, each := range []time.Duration{10 * time.Microsecond, 20 * time.Millisecond} {
			s := slow{steps: int(2 * time.Second / each), each: each}
			seen := 0
			count := func() error { seen++; return nil }
			readLog := func(ctx context.Context) error {
				l := &audit.PacedLog{Log: &slowLog{s}, Parts: 10}
				return l.Scan(ctx, nil, history.Stretch{}, position.Range{}, false, func(*column.Batch) error { return count() })
			}
			readStore := func(ctx context.Context) error {
				return (&audit.PacedStore{Store: &slowStore{s}, Parts: 10}).Scan(ctx, "", func(lane.RowID) error { return count() })
			}
			for name, read := range map[string]func(context.Context) error{"log": readLog, "store": readStore} {
				start := time.Now()
				seen = 0
				if err := read(t.Context()); err != nil || seen != s.steps {
					t.Errorf("%s: %v after %d steps", name, err, seen)
				}
				if took := time.Since(start); took < 19500*time.Millisecond || took > 20*time.Second {
					t.Errorf("%s: two seconds of work by %v took %v", name, each, took)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				if err := read(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: ended by its context it says %v", name, err)
				}
				cancel()
			}
		}
	})
}
