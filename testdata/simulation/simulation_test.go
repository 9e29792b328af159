package simulation

import (
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	seeds     = flag.Uint64("seeds", 20_000, "how many random worlds TestSeeds runs")
	from      = flag.Uint64("from", 0, "the first seed of TestSeeds")
	ruleSeeds = flag.Uint64("rule-seeds", 100_000, "in how many worlds TestRules looks for a counter-example")
	keep      = flag.Bool("keep", false, "write the counter-examples of TestRules to the folder of cases")
)

// progressEvery is how often a long run says how far it is.
const progressEvery = 30 * time.Second

// TestSeeds runs random worlds by all rules, on all processors. A seed that breaks a law is shrunk and kept.
func TestSeeds(t *testing.T) {
	t.Parallel()
	var (
		wg     sync.WaitGroup
		failed atomic.Bool
		start  = time.Now()
		parts  = make([]*Simulator, runtime.GOMAXPROCS(0))
	)
	for i := range parts {
		parts[i] = New()
		wg.Go(func() { runSeeds(t, parts[i], uint64(i), uint64(len(parts)), &failed) })
	}
	wg.Wait()
	s, took := New(), time.Since(start)
	for _, part := range parts {
		s.Add(part)
	}
	t.Logf("%s in %v: %.0f worlds/s, %.0f steps/s", s, took.Round(time.Millisecond),
		float64(s.Worlds)/took.Seconds(), float64(s.Steps)/took.Seconds())
	t.Logf("%s", s.Report())
	if *seeds >= 20_000 && !failed.Load() {
		for _, what := range s.Missing() {
			t.Errorf("it never came about: %s", what)
		}
	}
}

// runSeeds runs every step-th seed from the first-th on.
func runSeeds(t *testing.T, s *Simulator, first, step uint64, failed *atomic.Bool) {
	start := time.Now()
	said := start
	for seed := *from + first; seed < *from+*seeds && !failed.Load(); seed += step {
		if cfg, choices, v := s.Random(seed, 0); v != "" {
			failed.Store(true)
			broken(t, s, seed, cfg, choices, v)
			return
		}
		if now := time.Now(); first == 0 && now.Sub(said) > progressEvery {
			said = now
			took := now.Sub(start)
			t.Logf("seed %d after %v: %s on this one of %d processors", seed, took.Round(time.Second), s, step)
		}
	}
}

// broken keeps a world that breaks a law by all rules.
func broken(t *testing.T, s *Simulator, seed uint64, cfg Config, choices []Choice, v string) {
	t.Helper()
	c := Case{Why: "Seed " + strconv.FormatUint(seed, 10) + ": " + v, Config: cfg, Choices: s.Plain(cfg, 0, s.Shrink(cfg, 0, choices))}
	path := filepath.Join("cases", "seed-"+strconv.FormatUint(seed, 10)+".txt")
	if err := os.WriteFile(path, []byte(c.String()), 0o600); err != nil {
		t.Error(err)
	}
	t.Errorf("seed %d: %s\nkept as %s:\n%s", seed, s.Run(cfg, 0, c.Choices), path, &c)
}

// TestCases makes the choices of every case that was kept: by all rules no law is broken, and without those that a case
// names one is.
func TestCases(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob(filepath.Join("cases", "*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d cases: %v", len(paths), err)
	}
	s := New()
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		c, err := ParseCase(string(text))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if c.String() != string(text) {
			t.Errorf("%s is not written as cases are", path)
		}
		if v := s.Run(c.Config, 0, c.Choices); v != "" {
			t.Errorf("%s: %s", path, v)
		}
		if c.Off != 0 && s.Run(c.Config, c.Off, c.Choices) == "" {
			t.Errorf("%s: no law is broken without %s", path, c.Off)
		}
	}
}

// TestSeedsRepeat runs worlds twice, once by their seed and once by the choices that this made.
func TestSeedsRepeat(t *testing.T) {
	t.Parallel()
	s := New()
	for seed := range uint64(500) {
		off := Without(Rule(seed) % Rules)
		cfg, choices, v := s.Random(seed, off)
		if again := s.Run(cfg, off, choices); again != v {
			t.Fatalf("seed %d without %s: %q, and by its choices: %q", seed, off, v, again)
		}
	}
}
