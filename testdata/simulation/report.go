package simulation

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidemark-io/tidemark/speed/flush"
)

// what must come about in many random worlds, beside every action, fate and refusal: else they prove little.
var expected = []string{
	"entry taken", "lane begun", "lane dropped", "late call applied", "late call refused", "leftover row deleted",
	"publisher refused", "read from the archive", "reader answered", "reader began again", "reader degraded",
	"run failed its check", "run file deleted before it was read", "run files deleted", "run made by another", "sweeper refused",
}

// Add counts what happened in another simulator's worlds, too.
func (s *Simulator) Add(o *Simulator) {
	s.Worlds, s.Steps = s.Worlds+o.Worlds, s.Steps+o.Steps
	for i, n := range o.Done {
		s.Done[i] += n
	}
	for i, n := range o.Fates {
		s.Fates[i] += n
	}
	for i, n := range o.Refusals {
		s.Refusals[i] += n
	}
	for what, n := range o.Seen {
		s.Seen[what] += n
	}
}

// Report lists how often what came about.
func (s *Simulator) Report() string {
	var b strings.Builder
	b.WriteString("choices:")
	for a, n := range s.Done {
		fmt.Fprintf(&b, " %s %d,", Action(a), n)
	}
	b.WriteString("\nfates of calls:")
	for f, n := range s.Fates {
		fmt.Fprintf(&b, " %s %d,", fateNames[f], n)
	}
	b.WriteString("\nanswers to flushes:")
	for r, n := range s.Refusals {
		fmt.Fprintf(&b, " %s %d,", flush.Refusal(r), n)
	}
	b.WriteString("\nand:")
	for _, what := range slices.Sorted(maps.Keys(s.Seen)) {
		fmt.Fprintf(&b, " %s %d,", what, s.Seen[what])
	}
	return strings.ReplaceAll(strings.TrimSuffix(b.String(), ","), ",\n", "\n")
}

// Missing names what never came about.
func (s *Simulator) Missing() (all []string) {
	note := func(what string, n int64) {
		if n == 0 {
			all = append(all, what)
		}
	}
	for a, n := range s.Done {
		note(Action(a).String(), n)
	}
	for f, n := range s.Fates {
		note("call: "+fateNames[f], n)
	}
	for r, n := range s.Refusals {
		note("flush: "+flush.Refusal(r).String(), n)
	}
	for _, what := range expected {
		note(what, s.Seen[what])
	}
	return all
}
