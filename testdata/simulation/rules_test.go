package simulation

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// backed are the rules without which no law was seen broken, and why: another rule does the same. Where that one is off
// too, there is a counter-example.
var backed = map[Rule]struct {
	by   Set
	says string
}{
	JoinWhenWhole: {Without(ClaimWhole), "readers claim nothing of a lane whose bases are not all in, joined or not"},
	BeginLow:      {Without(ClaimWhole), "readers claim nothing of a lane whose bases are not all in, joined or not"},
	ClaimWhole:    {Without(BeginLow), "the marks of a lane that is being filled are not joined"},
	SweepGrace:    {Without(EmptyAgain) | Calm, "a row that was deleted under a reader is empty, and the reader begins again"},
	MarksAge:      {Without(EmptyAgain) | Calm, "a row that was deleted under a reader is empty, and the reader begins again"},
}

// backedWorlds is how many worlds are looked at without a rule that is backed by another.
const backedWorlds = 5_000

// TestRules turns off each rule and sees the simulator find a world that breaks a law.
func TestRules(t *testing.T) {
	t.Parallel()
	for r := NoRule + 1; r < Rules; r++ {
		t.Run(r.String(), func(t *testing.T) {
			t.Parallel()
			off := Without(r)
			if b, ok := backed[r]; ok {
				holds(t, off, backedWorlds)
				t.Logf("no counter-example in %d worlds: %s", backedWorlds, b.says)
				off |= b.by
			}
			breaks(t, off)
		})
	}
}

// TestEmptyAgain shows that beginning again on an empty row is what the other two rules are backed by, not what worlds of
// these kinds break without.
func TestEmptyAgain(t *testing.T) {
	t.Parallel()
	holds(t, Without(EmptyAgain)|Calm, backedWorlds)
}

// breaks finds a world that breaks a law without some rules, and keeps it if asked to.
func breaks(t *testing.T, off Set) {
	t.Helper()
	s := New()
	for seed := range *ruleSeeds {
		cfg, choices, v := s.Random(seed, off)
		if v == "" {
			continue
		}
		least := s.Shrink(cfg, off, choices)
		t.Logf("seed %d, %d choices, shrunk to %d: %s", seed, len(choices), len(least), s.Run(cfg, off, least))
		if *keep {
			least = s.Plain(cfg, off, least)
			c := Case{Why: s.Run(cfg, off, least), Off: off &^ Calm, Config: cfg, Choices: least}
			name := strings.ReplaceAll(c.Off.String(), ",", "+") + ".txt"
			if err := os.WriteFile(filepath.Join("cases", name), []byte(c.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	t.Errorf("no counter-example in %s", s)
}

// holds runs so many worlds without some rules, all of which keep the laws.
func holds(t *testing.T, off Set, seeds uint64) {
	t.Helper()
	s := New()
	for seed := range seeds {
		if _, _, v := s.Random(seed, off); v != "" {
			t.Fatalf("seed %d: %s", seed, v)
		}
	}
}
