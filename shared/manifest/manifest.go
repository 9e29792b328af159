package manifest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/view"
)

// State is what is done with a generation.
type State string

// The states of a generation. Speed feeds all but the dropped ones, so that each is exact at all times.
const (
	Building State = "building" // not yet complete, beside the one that is served
	Served   State = "served"   // the one that answers
	Kept     State = "kept"     // complete, kept for rollback
	Dropped  State = "dropped"  // neither begun nor fed any more
)

// Known tells whether s is one of the states above.
func (s State) Known() bool {
	return slices.Contains([]State{Building, Served, Kept, Dropped}, s)
}

// Manifest is what there is of one view. Generations stand in order of their numbers.
type Manifest struct {
	Seq         int64        `json:"seq"` // ≥ 1; of two manifests of a view the higher one is the newer
	Job         string       `json:"job"`
	View        string       `json:"view"`
	Generations []Generation `json:"generations"`
}

// Generation is one complete set of a view's rows.
type Generation struct {
	Identity string `json:"identity"` // random, 10 characters of [a-z2-7]; part of the namespace
	Number   int64  `json:"number"`   // 1, 2, 3, … within the view
	Revision string `json:"revision"` // hash of all that decides states (view.Plan)
	State    State  `json:"state"`
	// Spec compiles to the plan that every role folds and merges with.
	Spec view.Spec `json:"spec"`
	// Lanes and Blocks were fixed when the generation was created, whatever a later job file says: the number of lanes,
	// and the block size of each source by name.
	Lanes  int              `json:"lanes"`
	Blocks map[string]int64 `json:"blocks"`
	// Origin is cut 0: the archive's first offsets when the generation was created.
	Origin position.Cut `json:"origin"`
	// Topics are the very topics that the generation is made of, by source, as far as they were known when it was created:
	// whoever reads another one stops.
	Topics map[string]schema.Topic `json:"topics,omitempty"`
	// Run is the last checked run, 0 for none, and Cut its cut; without a run it is the origin.
	Run int64        `json:"run"`
	Cut position.Cut `json:"cut"`
	// Failed says that the run after Run did not pass its check: no more runs are made until it is repeated. Nil
	// otherwise.
	Failed *Failed `json:"failed,omitempty"`
}

// Failed is a run that its check refused.
type Failed struct {
	Run    int64  `json:"run"`
	Entity string `json:"entity"` // the first that differed
	Reason string `json:"reason"`
}

// Key returns the name under which stores keep the manifest of a view.
func Key(job, viewName string) string { return job + "." + viewName }

// Namespace returns the namespace of a generation's lanes and rows. The identity in it is random, so that the rows of
// two journals never meet.
func Namespace(job, viewName, identity string) string { return job + ":" + viewName + ":" + identity }

// Namespace returns the namespace of generation g of the manifest's view.
func (m *Manifest) Namespace(g *Generation) string { return Namespace(m.Job, m.View, g.Identity) }

// Served returns the generation that answers; nil where there is none yet.
func (m *Manifest) Served() *Generation {
	for i := range m.Generations {
		if m.Generations[i].State == Served {
			return &m.Generations[i]
		}
	}
	return nil
}

// Generation returns the generation of that identity, nil if there is none.
func (m *Manifest) Generation(identity string) *Generation {
	for i := range m.Generations {
		if m.Generations[i].Identity == identity {
			return &m.Generations[i]
		}
	}
	return nil
}

// LaneIDs returns the ids of all lanes of a generation in order.
func (m *Manifest) LaneIDs(g *Generation) []lane.ID {
	ids := make([]lane.ID, g.Lanes)
	for n := range ids {
		ids[n] = lane.ID{Namespace: m.Namespace(g), N: n}
	}
	return ids
}

// ErrInvalid is the class of errors about a manifest whose content cannot be.
var ErrInvalid = errors.New("invalid manifest")

// Validate tells all that is wrong with the manifest at once; errors are of class ErrInvalid.
func (m *Manifest) Validate() error {
	var errs []error
	fault := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w of view %s.%s: %s", ErrInvalid, m.Job, m.View, fmt.Sprintf(format, args...)))
	}
	if m.Seq < 1 || m.Job == "" || m.View == "" {
		fault("seq %d", m.Seq)
	}
	served := 0
	for i := range m.Generations {
		g := &m.Generations[i]
		if i > 0 && g.Number <= m.Generations[i-1].Number {
			fault("generation %d follows %d", g.Number, m.Generations[i-1].Number)
		}
		if g.State == Served {
			served++
		}
		g.faults(fault)
	}
	if served > 1 {
		fault("%d generations are served", served)
	}
	return errors.Join(errs...)
}

func (g *Generation) faults(fault func(format string, args ...any)) {
	if !ValidIdentity(g.Identity) {
		fault("generation %d: identity %q", g.Number, g.Identity)
	}
	if !g.State.Known() {
		fault("generation %d: unknown state %q", g.Number, g.State)
	}
	if g.Number < 1 || g.Run < 0 || g.Revision == "" {
		fault("generation %d: run %d, revision %q", g.Number, g.Run, g.Revision)
	}
	if !lane.ValidLanes(g.Lanes) {
		fault("generation %d: %d lanes", g.Number, g.Lanes)
	}
	for source, b := range g.Blocks {
		if !position.ValidBlock(b) {
			fault("generation %d: block size %d of source %s", g.Number, b, source)
		}
	}
	for source, t := range g.Topics {
		if !t.Valid() {
			fault("generation %d: topic %q with id %q of source %s", g.Number, t.Name, t.ID, source)
		}
	}
	for i := range g.Spec.Sources {
		if name := g.Spec.Sources[i].Name; g.Blocks[name] == 0 {
			fault("generation %d: no block size of source %s", g.Number, name)
		}
	}
	if !g.Cut.AtLeast(g.Origin) {
		fault("generation %d: cut %s lies before origin %s", g.Number, g.Cut, g.Origin)
	}
}

// CheckTopic returns an error of class schema.ErrTopic if the generation is made of another topic of the source than this one.
func (m *Manifest) CheckTopic(g *Generation, source string, now schema.Topic) error {
	return schema.CheckTopic(source, fmt.Sprintf("generation %d of view %s", g.Number, m.View), g.Topics[source], now)
}

// IdentityLength is the number of characters of an identity.
const IdentityLength = 10

// identityAlphabet has 32 characters, so that random bytes map on it evenly: that of RFC 4648's base 32, lower case.
const identityAlphabet = "abcdefghijklmnopqrstuvwxyz234567"

// NewIdentity makes an identity (or a lane's incarnation, which has the same form) of random bytes.
func NewIdentity(random [IdentityLength]byte) string {
	for i, b := range random {
		random[i] = identityAlphabet[b&31]
	}
	return string(random[:])
}

// ValidIdentity tells whether s has the form that NewIdentity makes.
func ValidIdentity(s string) bool {
	if len(s) != IdentityLength {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}
