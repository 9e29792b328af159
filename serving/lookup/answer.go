package lookup

import (
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/view"
)

// Options says what of the profiles is wanted.
type Options struct {
	// Features are the names of the features wanted; nil = all, in the order of the view.
	Features []string
	// AsOf is the time to read at, ms; 0 = now.
	AsOf int64
	// Newest reads each profile at its own newest event instead.
	Newest bool
	// Frontier adds the claimed frontier to each profile.
	Frontier bool
}

// Answer is what one generation of a view answers for some keys.
type Answer struct {
	View       string
	Generation *Generation
	Features   []int     // indices into the plan's features, in the order answered
	Profiles   []Profile // in the order of the keys asked for, doubles kept
}

// Profile is the answer for one key. With Err nothing else but Key is set.
type Profile struct {
	Key string // as canonical text; as asked for with an Err
	Err error  // of class ErrKey, ErrAsOf or ErrTile

	Found  bool
	AsOf   int64 // ms: the time the features were read at
	Newest int64 // ms: the entity's newest event; 0 if not found
	Events int64 // accepted events of the entity
	// Degraded is why no frontier can be claimed; empty if one is.
	Degraded string
	// Through is the newest append time, ms, that the lane has taken in, of any partition; 0 = not known.
	Through int64
	// Frontier is, by partition, the offset below which every event of the entity is in. Nil when degraded or not asked
	// for.
	Frontier map[string]int64
	Values   []FeatureValue // parallel to Answer.Features
}

// FeatureValue is one feature of a profile.
type FeatureValue struct {
	Value  operator.Value
	Status view.Status
}

// claim is what the marks of a lane let an answer say.
type claim struct {
	incarnation lane.Incarnation
	degraded    string
	through     int64
	frontier    map[string]int64
	dropped     bool
}

// distrust takes back the claims of an answer whose marks were too old each time its rows had been read.
func (a *Answer) distrust() {
	for i := range a.Profiles {
		if p := &a.Profiles[i]; p.Err == nil && p.Degraded == "" {
			p.Degraded, p.Frontier = ReasonSlow+": the marks were too old when the row had been read", nil
		}
	}
}

// Reasons for a degraded answer, stable words for programs; a colon and words for people may follow.
const (
	ReasonNotBegun = "lane not begun"
	ReasonDropped  = "generation dropped"
	ReasonFilling  = "lane filling"
	ReasonDamaged  = "marks damaged"
	ReasonSlow     = "reader too slow"
)

// claimOf reads what the marks of a lane allow to claim. Every partition mark must be joined: an entity's events may come
// from any partition.
func claimOf(marks lane.Marks) claim {
	if marks[lane.BatchName] == lane.Dropped {
		return claim{degraded: ReasonDropped + ": the manifest read is old, or the generation was dropped while served", dropped: true}
	}
	batch, begun, err := marks.Batch()
	if err != nil {
		return claim{degraded: ReasonDamaged + ": " + err.Error()}
	}
	if !begun {
		return claim{degraded: ReasonNotBegun + ": batch has yet to fill it"}
	}
	c := claim{incarnation: batch.Incarnation, frontier: make(map[string]int64, len(marks)-1)}
	for name, wire := range marks {
		if name == lane.BatchName {
			continue
		}
		m, err := lane.ParseMark(wire)
		switch {
		case err != nil:
			return claim{incarnation: batch.Incarnation, degraded: ReasonDamaged + ": " + err.Error()}
		case m.Incarnation != batch.Incarnation:
			return claim{incarnation: batch.Incarnation, degraded: ReasonDamaged + ": " + name + " is of another incarnation"}
		case !m.Joined():
			c.degraded = ReasonFilling + ": batch has yet to bring what lies below " + name
		}
		c.through = max(c.through, m.Append)
		c.frontier[name] = m.Next
	}
	if c.degraded == "" && !batch.Whole() {
		c.degraded = ReasonFilling + ": not all bases are in"
	}
	if c.degraded != "" {
		c.frontier = nil
	}
	return c
}

// Claims tells why a lane with these marks cannot claim what it holds of the log; empty if it can.
func Claims(marks lane.Marks) string { return claimOf(marks).degraded }
