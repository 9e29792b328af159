// Package witness judges what clients saw. Clients append events and read profiles, through whatever happens to the
// processes in between; what each answer said, and when, is written down; when all is over, the history is held against
// the log. It knows times, offsets and counts. It knows nothing of tidemark's code, of lanes, tiles or stores.
//
// # What is checked
//
// Each entity's events are of one client and lie in one partition, in the order in which they were appended, so that an
// answer that has n events of the entity has the first n. Of each answer:
//
//   - complete: if it claims a frontier, every event of the entity below the frontier is in it. A client that waits until
//     the frontier passes its event therefore finds it in that very answer.
//   - not invented: it has no more events than clients had begun to append when it was given, and the events that it has
//     are those of the log: their newest time and the sum of their values are those of the first n. An answer that claims
//     nothing may have gaps, so that its n events may be any: its newest time is that of an event, its sum is possible.
//   - explained: it claims a frontier, or says why it claims none, by a reason that is known.
//   - never back: of two answers about an entity, of which one was given before the other was asked for, whoever asked,
//     the later one has no fewer events, and no partition of its frontier is lower. A store that lost data in between
//     excuses it, and nothing else does: no restart, takeover, rebalance or publication. A store that was given old data back
//     may have to be filled again after it has answered with these: until that is over (Loss.Filled), an answer that says that
//     it claims nothing may have fewer.
//
// A claim may be as old as its reader's cache. So one that was made before data were lost may stand beside a row that is read
// after: for so long after a loss (History.Cache), answers are not held to be complete, nor are later ones held to them.
//
// # What is not
//
// That an answer is recent: how long a client waits is measured beside, and bounded there. That two entities' answers are of
// one instant: nobody promises that.
package witness

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Event is one record of the log. A client that appends again because it got no answer makes two records, of one event.
type Event struct {
	Offset int64
	// Sent is when its client first began to append it, since the beginning of the history.
	Sent time.Duration
	// Time is its event time, ms; Value is what it adds to the sum that answers tell.
	Time, Value int64
}

// Entity is the events of one entity, in order of offsets.
type Entity struct {
	Partition string
	Events    []Event
}

// Read is one answer that a client was given.
type Read struct {
	Client, Entity string
	Began, Ended   time.Duration // when it was asked for, and when it was there
	Events         int64
	Newest         int64 // event time, ms; 0 without events
	Sum            int64
	// Reason is why no frontier is claimed, empty if one is.
	Reason   string
	Frontier map[string]int64 // by partition
}

// Loss is a stretch of time in which the store itself lost data.
type Loss struct {
	From, To time.Duration
	// Filled is when what had to be filled again because of it was.
	Filled time.Duration
	// Entities are those whose data it was; nil = all.
	Entities []string
}

func (l *Loss) concerns(entity string) bool {
	return l.Entities == nil || slices.Contains(l.Entities, entity)
}

// History is what happened.
type History struct {
	Log    map[string]*Entity // by name of the entity
	Reads  []Read
	Losses []Loss
	// Cache is how old a claim may be.
	Cache time.Duration
	// Reasons are the known ones: an answer's begins with one of them.
	Reasons []string
}

// The rules, as faults name them.
const (
	RuleComplete    = "complete"
	RuleNotInvented = "not invented"
	RuleExplained   = "explained"
	RuleNeverBack   = "never back"
)

// Fault is an answer that breaks a rule.
type Fault struct {
	Rule string
	Read Read
	What string
}

// String describes the fault.
func (f *Fault) String() string {
	return fmt.Sprintf("%s: client %s about %s, asked at %v, answered at %v: %s", f.Rule, f.Read.Client, f.Read.Entity, f.Read.Began, f.Read.Ended, f.What)
}

// Check returns every fault of the history, in order of answers.
func (h *History) Check() []Fault {
	var faults []Fault
	byEntity := map[string][]*Read{}
	for i := range h.Reads {
		r := &h.Reads[i]
		byEntity[r.Entity] = append(byEntity[r.Entity], r)
		for rule, what := range map[string]string{
			RuleComplete: h.incomplete(r), RuleNotInvented: h.invented(r), RuleExplained: h.unexplained(r),
		} {
			if what != "" {
				faults = append(faults, Fault{rule, *r, what})
			}
		}
	}
	for name, reads := range byEntity {
		faults = append(faults, h.backwards(name, reads)...)
	}
	slices.SortFunc(faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Read.Ended, b.Read.Ended), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Read.Client, b.Read.Client))
	})
	return faults
}

// incomplete says what is missing of what an answer claims.
func (h *History) incomplete(r *Read) string {
	e := h.Log[r.Entity]
	if r.Reason != "" || e == nil || h.amidLoss(r) {
		return ""
	}
	frontier := r.Frontier[e.Partition]
	below, _ := slices.BinarySearchFunc(e.Events, frontier, func(ev Event, f int64) int { return cmp.Compare(ev.Offset, f) })
	if int64(below) > r.Events {
		return fmt.Sprintf("it claims everything below %d of %s, where the log has %d events, and has %d", frontier, e.Partition, below, r.Events)
	}
	return ""
}

// amidLoss tells whether data were lost between an answer's claim and its row.
func (h *History) amidLoss(r *Read) bool {
	return slices.ContainsFunc(h.Losses, func(l Loss) bool {
		return l.concerns(r.Entity) && l.From <= r.Ended && r.Began <= l.To+h.Cache
	})
}

// invented says what an answer has that the log has not.
func (h *History) invented(r *Read) string {
	var events []Event
	if e := h.Log[r.Entity]; e != nil {
		events = e.Events
	}
	if r.Events > int64(len(events)) {
		return fmt.Sprintf("it has %d events, the log has %d", r.Events, len(events))
	}
	if r.Events > 0 && events[r.Events-1].Sent > r.Ended {
		return fmt.Sprintf("it has %d events, of which number %d was not sent before %v", r.Events, r.Events, events[r.Events-1].Sent)
	}
	if r.Reason != "" {
		return impossible(r, events)
	}
	newest, sum := int64(0), int64(0)
	for i := range events[:r.Events] {
		newest, sum = max(newest, events[i].Time), sum+events[i].Value
	}
	if newest != r.Newest || sum != r.Sum {
		return fmt.Sprintf("of its %d events the newest is of %d and the sum is %d; by the log %d and %d", r.Events, r.Newest, r.Sum, newest, sum)
	}
	return ""
}

// impossible says why no choice of as many events makes an answer that has gaps. Events are sent in the order of the log.
func impossible(r *Read, events []Event) string {
	sent := events[:0:0]
	newest := r.Events == 0 && r.Newest == 0
	for i := range events {
		if events[i].Sent <= r.Ended {
			sent = append(sent, events[i])
			newest = newest || (r.Events > 0 && events[i].Time == r.Newest)
		}
	}
	slices.SortFunc(sent, func(a, b Event) int { return cmp.Compare(a.Value, b.Value) })
	least, most := int64(0), int64(0)
	for i := range int(r.Events) {
		least, most = least+sent[i].Value, most+sent[len(sent)-1-i].Value
	}
	if !newest || r.Sum < least || r.Sum > most {
		return fmt.Sprintf("no %d events that were sent have the newest time %d and the sum %d", r.Events, r.Newest, r.Sum)
	}
	return ""
}

// unexplained says what an answer neither claims nor explains.
func (h *History) unexplained(r *Read) string {
	if r.Reason == "" && r.Frontier == nil {
		return "it claims no frontier and does not say why"
	}
	if r.Reason != "" && !slices.Contains(h.Reasons, r.Reason) {
		return fmt.Sprintf("%q is no reason that is known", r.Reason)
	}
	return ""
}

// backwards compares each answer about an entity with all that were given before it was asked for. The quadratic way is the
// one that is easy to believe.
func (h *History) backwards(name string, reads []*Read) (faults []Fault) {
	for _, late := range reads {
		if what := h.behind(name, late, reads); what != "" {
			faults = append(faults, Fault{RuleNeverBack, *late, what})
		}
	}
	return faults
}

// behind says which earlier answer had more than a later one, empty if none had.
func (h *History) behind(name string, late *Read, reads []*Read) string {
	// What was read before data were lost is no measure of what is read after it.
	floor := time.Duration(-1)
	for i := range h.Losses {
		l := &h.Losses[i]
		if !l.concerns(name) || l.From > late.Ended {
			continue
		}
		if late.Reason != "" && late.Began <= l.Filled {
			return ""
		}
		floor = max(floor, l.To+h.Cache)
	}
	for _, early := range reads {
		if early.Ended > late.Began || early.Began <= floor {
			continue
		}
		if early.Events > late.Events {
			return fmt.Sprintf("it has %d events, client %s was given %d at %v", late.Events, early.Client, early.Events, early.Ended)
		}
		for partition, was := range early.Frontier {
			if late.Reason == "" && late.Frontier[partition] < was {
				return fmt.Sprintf("it claims %s up to %d, client %s was told %d at %v", partition, late.Frontier[partition], early.Client, was, early.Ended)
			}
		}
	}
	return ""
}
