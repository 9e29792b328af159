package lookup_test

import (
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// TestClaimOf: of marks that leave anything open nothing is claimed, and the answer says why.
func TestClaimOf(t *testing.T) {
	const whole = "aaaaaaaaaa 3 0 2"
	for _, c := range []struct {
		name   string
		marks  lane.Marks
		reason string // empty: the frontier is claimed
	}{
		{"whole and joined", lane.Marks{"batch": whole, "clicks/0": "aaaaaaaaaa j 10 0"}, ""},
		{"no partition yet", lane.Marks{"batch": whole}, ""},
		{"never begun", lane.Marks{}, lookup.ReasonNotBegun},
		{"emptied but for a partition", lane.Marks{"clicks/0": "aaaaaaaaaa j 10 0"}, lookup.ReasonNotBegun},
		{"dropped", lane.Marks{"batch": lane.Dropped}, lookup.ReasonDropped},
		{"one partition not joined", lane.Marks{"batch": whole, "clicks/0": "aaaaaaaaaa j 10 0", "clicks/1": "aaaaaaaaaa 4 10 0"}, lookup.ReasonFilling},
		{"bases not all in", lane.Marks{"batch": "aaaaaaaaaa 2 0 2", "clicks/0": "aaaaaaaaaa j 10 0"}, lookup.ReasonFilling},
		{"a mark of another filling", lane.Marks{"batch": whole, "clicks/0": "bbbbbbbbbb j 10 0"}, lookup.ReasonDamaged},
		{"a mark that does not read", lane.Marks{"batch": whole, "clicks/0": "aaaaaaaaaa j"}, lookup.ReasonDamaged},
		{"a batch mark that does not read", lane.Marks{"batch": "aaaaaaaaaa 0 0 0"}, lookup.ReasonDamaged},
	} {
		claim := lookup.ClaimOf(c.marks)
		if !strings.HasPrefix(claim.Degraded, c.reason) || (claim.Degraded == "") != (c.reason == "") {
			t.Errorf("%s: degraded is %q, want %q", c.name, claim.Degraded, c.reason)
		}
		if (claim.Frontier == nil) != (c.reason != "") {
			t.Errorf("%s: the frontier claimed is %v", c.name, claim.Frontier)
		}
	}
}

// TestMarksAreReadFirst: what is flushed after the row was read is not claimed, for it is not in the answer.
func TestMarksAreReadFirst(t *testing.T) {
	w := newWorld(t)
	w.store.afterRows = func() {
		next := lane.Mark{Incarnation: incarnation, Low: lane.Joined, Next: 20}
		w.apply(lane.Call{Name: "clicks/0", AnyMark: true, Set: next.Wire()})
	}
	if p := w.get(); p.Frontier["clicks/0"] != 10 {
		t.Errorf("a row that was read when the mark was at 10 claims %v", p.Frontier)
	}
}

// TestManifestNeverGoesBack: a store that lost its newest manifest, with the generation that it names, does not make a
// reader answer from the generation before.
func TestManifestNeverGoesBack(t *testing.T) {
	w := newWorld(t)
	before := w.store.History()
	w.serve("cccccccccc", w.plan.Spec())
	w.fill()
	if p := w.get(); !p.Found || p.Degraded != "" {
		t.Fatalf("%+v", p)
	}
	w.store.LoseSuffix(w.store.History() - before)
	w.now = w.now.Add(2 * lookup.DefaultCache)
	if p := w.get(); p.Found || !strings.HasPrefix(p.Degraded, lookup.ReasonNotBegun) {
		t.Errorf("after the store went back: %+v", p)
	}
}
