package simulation

import (
	"flag"
	"testing"
	"time"
)

var seeds = flag.Int64("seeds", 2000, "seeds")
var ruleSeeds = flag.Int64("rule-seeds", 3000, "seeds")

func TestSeeds(t *testing.T) {
	s := New()
	start := time.Now()
	for seed := range uint64(*seeds) {
		cfg, choices, v := s.Random(seed, 0)
		if v != "" {
			choices = s.Shrink(cfg, 0, choices)
			v = s.Run(cfg, 0, choices)
			t.Logf("%s", cfg)
			for _, c := range choices {
				t.Logf("%s", c)
			}
			t.Fatalf("seed %d: %s", seed, v)
		}
	}
	t.Logf("%s in %v", s, time.Since(start))
	for i, n := range s.Done {
		t.Logf("%s %d", Action(i), n)
	}
	t.Log(s.Fates, s.Refusals, s.Seen)
}
