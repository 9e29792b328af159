package simulation

import (
	"testing"
)

// TestRules turns off each rule and looks for a world that breaks a law.
func TestRules(t *testing.T) {
	for off := NoRule + 1; off < Rules; off++ {
		t.Run(off.String(), func(t *testing.T) { breaks(t, Without(off)) })
	}
	t.Run("join-when-whole+claim-whole", func(t *testing.T) { breaks(t, Without(JoinWhenWhole, ClaimWhole)) })
	t.Run("begin-low+claim-whole", func(t *testing.T) { breaks(t, Without(BeginLow, ClaimWhole)) })
}

func breaks(t *testing.T, off Set) {
	s := New()
	for seed := range uint64(*ruleSeeds) {
		cfg, choices, v := s.Random(seed, off)
		if v == "" {
			continue
		}
		if again := s.Run(cfg, off, choices); again != v {
			t.Fatalf("seed %d: %s; run again: %q", seed, v, again)
		}
		least := s.Shrink(cfg, off, choices)
		t.Logf("seed %d, %d choices, shrunk to %d: %s", seed, len(choices), len(least), s.Run(cfg, off, least))
		return
	}
	t.Errorf("no counter-example in %s", s)
}
