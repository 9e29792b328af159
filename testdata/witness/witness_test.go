package witness_test

import (
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/testdata/witness"
)

const at = time.Second

// good is a history in which all is well: three events, four answers, one of them degraded after a loss.
func good() *witness.History {
	answer := func(client string, began, ended time.Duration, events, newest, sum, frontier int64) witness.Read {
		return witness.Read{
			Client: client, Entity: "e", Began: began, Ended: ended, Events: events, Newest: newest, Sum: sum,
			Frontier: map[string]int64{"events/0": frontier, "events/1": 7},
		}
	}
	h := &witness.History{
		Log: map[string]*witness.Entity{"e": {Partition: "events/0", Events: []witness.Event{
			{Offset: 10, Sent: 1 * at, Time: 100, Value: 1},
			{Offset: 20, Sent: 3 * at, Time: 90, Value: 0},
			{Offset: 30, Sent: 5 * at, Time: 110, Value: 1},
		}}},
		Reads: []witness.Read{
			answer("a", 1*at, 2*at, 1, 100, 1, 11),
			answer("b", 3*at, 4*at, 2, 100, 1, 15), // more than it claims
			answer("a", 6*at, 7*at, 3, 110, 2, 31),
			{Client: "a", Entity: "e", Began: 10 * at, Ended: 11 * at, Events: 1, Newest: 100, Sum: 1, Reason: "filling"},
			answer("b", 12*at, 13*at, 2, 100, 1, 21), // the store lost what it had
			answer("c", 12*at, 14*at, 3, 110, 2, 35),
		},
		Losses:  []witness.Loss{{From: 8 * at, To: 9 * at}},
		Reasons: []string{"filling"},
	}
	return h
}

// TestGood: a history in which all is well has no fault.
func TestGood(t *testing.T) {
	for _, f := range good().Check() {
		t.Error(f.String())
	}
}

// TestBad: each rule finds the history that breaks it, and names the answer.
func TestBad(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(h *witness.History)
		rule  string
		read  int
	}{
		{"an event below the frontier is missing", func(h *witness.History) { h.Reads[0].Frontier["events/0"] = 21 }, witness.RuleComplete, 0},
		{"the frontier passes the event by one", func(h *witness.History) { h.Log["e"].Events[1].Offset = 10 }, witness.RuleComplete, 0},
		{"an event twice", func(h *witness.History) { h.Reads[5].Events = 4 }, witness.RuleNotInvented, 5},
		{"an event before it was sent", func(h *witness.History) { h.Log["e"].Events[1].Sent = 5 * at }, witness.RuleNotInvented, 1},
		{"another newest event", func(h *witness.History) { h.Reads[2].Newest = 100 }, witness.RuleNotInvented, 2},
		{"another value", func(h *witness.History) { h.Reads[2].Sum = 3 }, witness.RuleNotInvented, 2},
		{"an entity that the log has not", func(h *witness.History) { h.Reads[3].Entity = "other" }, witness.RuleNotInvented, 3},
		{"a gap in an answer that claims", func(h *witness.History) { h.Reads[4].Newest, h.Reads[4].Sum = 110, 2 }, witness.RuleNotInvented, 4},
		{"more events than were sent, claiming nothing", func(h *witness.History) { h.Reads[3].Events = 4 }, witness.RuleNotInvented, 3},
		{"a time that no event has, claiming nothing", func(h *witness.History) { h.Reads[3].Newest = 105 }, witness.RuleNotInvented, 3},
		{"a sum that one event cannot have, claiming nothing", func(h *witness.History) { h.Reads[3].Sum = 2 }, witness.RuleNotInvented, 3},
		{"no events and a time, claiming nothing", func(h *witness.History) { h.Reads[3].Events, h.Reads[3].Sum = 0, 0 }, witness.RuleNotInvented, 3},
		{"no claim and no reason", func(h *witness.History) { h.Reads[0].Frontier = nil }, witness.RuleExplained, 0},
		{"an unknown reason", func(h *witness.History) { h.Reads[3].Reason = "tired" }, witness.RuleExplained, 3},
		{"content goes back", func(h *witness.History) {
			h.Reads[1].Events, h.Reads[1].Newest, h.Reads[1].Sum, h.Reads[1].Frontier["events/0"] = 0, 0, 0, 0
		}, witness.RuleNeverBack, 1},
		{"a claim goes back", func(h *witness.History) { h.Reads[2].Frontier["events/1"] = 6 }, witness.RuleNeverBack, 2},
		{"a partition is claimed no more", func(h *witness.History) { delete(h.Reads[2].Frontier, "events/1") }, witness.RuleNeverBack, 2},
		{"a loss that was none of its", func(h *witness.History) { h.Losses[0].Entities = []string{"other"} }, witness.RuleNeverBack, 3},
		{"a loss that was over before", func(h *witness.History) {
			h.Losses[0] = witness.Loss{From: 5 * at, To: 5500 * time.Millisecond}
		}, witness.RuleNeverBack, 3},
		{"a loss that was yet to come", func(h *witness.History) { h.Losses[0] = witness.Loss{From: 20 * at, To: 21 * at} }, witness.RuleNeverBack, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := good()
			c.spoil(h)
			faults := h.Check()
			if len(faults) == 0 {
				t.Fatal("nothing was found")
			}
			for _, f := range faults {
				if f.Rule == c.rule && f.Read.Ended == h.Reads[c.read].Ended {
					return
				}
			}
			t.Errorf("it finds %s", faults[0].String())
		})
	}
}

// TestGaps: an answer that claims nothing may lack what is older than what it has.
func TestGaps(t *testing.T) {
	h := good()
	h.Reads[3].Newest = 110
	for _, f := range h.Check() {
		t.Error(f.String())
	}
}

// TestFilled: what was told of old data that a store was given back is no measure of a degraded answer while the store is
// filled again, but one of what is claimed then, and of every answer afterwards.
func TestFilled(t *testing.T) {
	for _, c := range []struct {
		name   string
		filled time.Duration
		reason string
		fine   bool
	}{
		{"degraded, while it is filled", 16 * at, "filling", true},
		{"claimed, while it is filled", 16 * at, "", false},
		{"degraded, when it was filled", 14 * at, "filling", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := good()
			h.Losses[0].Filled = c.filled
			r := witness.Read{Client: "a", Entity: "e", Began: 15 * at, Ended: 16 * at, Reason: c.reason}
			if c.reason == "" {
				r.Frontier = map[string]int64{"events/0": 0, "events/1": 0}
			}
			h.Reads = append(h.Reads, r)
			faults := h.Check()
			if (len(faults) == 0) != c.fine || len(faults) > 0 && faults[0].Rule != witness.RuleNeverBack {
				t.Errorf("%v", faults)
			}
		})
	}
}

// TestCache: a claim that is older than a loss may stand in an answer for as long as readers keep claims, and not longer.
func TestCache(t *testing.T) {
	for _, c := range []struct {
		cache time.Duration
		fine  bool
	}{{2 * at, true}, {2*at - 1, false}} {
		h := good()
		h.Cache = c.cache
		h.Reads[3].Began, h.Reads[3].Reason, h.Reads[3].Frontier = 11*at, "", map[string]int64{"events/0": 31, "events/1": 7}
		if faults := h.Check(); (len(faults) == 0) != c.fine {
			t.Errorf("with a cache of %v: %v", c.cache, faults)
		}
	}
}

// TestAtOnce: answers that overlap in time may be told in either order.
func TestAtOnce(t *testing.T) {
	h := good()
	h.Reads[1].Began, h.Reads[1].Ended, h.Reads[2].Began = 3*at, 7*at, 6*at
	h.Reads[1].Frontier["events/1"] = 9
	for _, f := range h.Check() {
		t.Error(f.String())
	}
}
