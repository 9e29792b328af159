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
	// Encode gives each profile its features as JSON, Encoded, and no Values. Then Release should be called.
	Encode bool
}

// Answer is what one generation of a view answers for some keys.
type Answer struct {
	View       string
	Generation *Generation
	Features   []int     // indices into the plan's features, in the order answered
	Profiles   []Profile // in the order of the keys asked for, doubles kept

	tiles   int // that the rows were made of
	encoded []*[]byte
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
	Values   []FeatureValue // parallel to Answer.Features; nil if Encoded is set
	// Encoded are the features as the members of an object, as view.Plan.AppendAnswer writes them, in the order of
	// Answer.Features and with commas between them; valid until Answer.Release.
	Encoded []byte
}

// FeatureValue is one feature of a profile.
type FeatureValue struct {
	Value  operator.Value
	Status view.Status
}

// Claim is what the marks of a lane let an answer say.
type Claim struct {
	Incarnation lane.Incarnation // whose rows are read; empty of a lane that is not begun
	Degraded    string           // why nothing is claimed; empty if something is
	Through     int64            // the newest append time taken in, ms
	// Frontier is, by partition, the offset below which every event of the lane's entities is in; nil if degraded.
	Frontier map[string]int64
	Dropped  bool // the generation is: the manifest should be read again
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

// ClaimOf reads what the marks of a lane allow to claim. Every partition mark must be joined: an entity's events may come
// from any partition.
func ClaimOf(marks lane.Marks) Claim {
	if marks[lane.BatchName] == lane.Dropped {
		return Claim{Degraded: ReasonDropped + ": the manifest read is old, or the generation was dropped while served", Dropped: true}
	}
	batch, begun, err := marks.Batch()
	if err != nil {
		return Claim{Degraded: ReasonDamaged + ": " + err.Error()}
	}
	if !begun {
		return Claim{Degraded: ReasonNotBegun + ": batch has yet to fill it"}
	}
	c := Claim{Incarnation: batch.Incarnation, Frontier: make(map[string]int64, len(marks)-1)}
	filling := "" // the first of the partitions that are not joined, so that the same marks always say the same
	for name, wire := range marks {
		if name == lane.BatchName {
			continue
		}
		m, err := lane.ParseMark(wire)
		switch {
		case err != nil:
			return Claim{Incarnation: batch.Incarnation, Degraded: ReasonDamaged + ": " + err.Error()}
		case m.Incarnation != batch.Incarnation:
			return Claim{Incarnation: batch.Incarnation, Degraded: ReasonDamaged + ": " + name + " is of another incarnation"}
		case !m.Joined() && (filling == "" || name < filling):
			filling = name
		}
		c.Through = max(c.Through, m.Append)
		c.Frontier[name] = m.Next
	}
	switch {
	case filling != "":
		c.Degraded = ReasonFilling + ": batch has yet to bring what lies below " + filling
	case !batch.Whole():
		c.Degraded = ReasonFilling + ": not all bases are in"
	}
	if c.Degraded != "" {
		c.Frontier = nil
	}
	return c
}

// Claims tells why a lane with these marks cannot claim what it holds of the log; empty if it can.
func Claims(marks lane.Marks) string { return ClaimOf(marks).Degraded }
