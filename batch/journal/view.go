package journal

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/view"
)

// Member is one generation in the journal of its view.
type Member struct {
	Identity string         `json:"identity"`
	Number   int64          `json:"number"`
	Revision string         `json:"revision"`
	State    manifest.State `json:"state"`

	// Spec replaces that of the generation's genesis, nil if it does not: the same states, answered otherwise.
	Spec *view.Spec `json:"-"`
	// Inherited is what the store's manifest said of a generation whose own journal was lost, nil of any other. It goes
	// on being fed and served; no run is made of it and no lane of it begun, for nobody has its run files.
	Inherited *manifest.Generation `json:"-"`

	before string // identity of the generation that was served when this one took its place; empty if none was
}

// Inherited is what a view's journal begins with whose predecessor was lost: the manifest that the store has.
type Inherited struct {
	Seq         int64                 `json:"seq"` // of that manifest: ours go on from it
	Generations []manifest.Generation `json:"generations"`
}

// Spelled is a change of what does not decide states: names, defaults, limits, a source's topic.
type Spelled struct {
	Identity string    `json:"identity"`
	Spec     view.Spec `json:"spec"`
}

// Turn is a change of what is done with a generation.
type Turn struct {
	Identity string         `json:"identity"`
	State    manifest.State `json:"state"`
}

// The kinds of entries of a view's journal.
const (
	entryCreated = "generation created"
	entryTurned  = "generation turned"
	entrySpelled = "generation spelled"
	entryInherit = "view inherited"
)

// View is the journal of a view. Not safe for concurrent use.
type View struct {
	Members []Member // in order of their numbers

	seq int64 // of the manifest that was inherited, 0 if none was
	log *log
}

// OpenView reads the journal of a view; one without entries has no generations. Errors are of class ErrDamaged or
// ErrCodec, or the file system's.
func OpenView(dir string) (*View, error) {
	l, entries, err := openLog(dir, "view")
	if err != nil {
		return nil, err
	}
	v := &View{log: l}
	for i := range entries {
		if err := v.replay(&entries[i]); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (v *View) replay(e *entry) error {
	switch e.kind {
	case entryCreated:
		var m Member
		if err := e.parse(&m); err != nil {
			return err
		}
		return placed(e, v.created(m))
	case entryTurned:
		var t Turn
		if err := e.parse(&t); err != nil {
			return err
		}
		return placed(e, v.turned(t))
	case entrySpelled:
		var sp Spelled
		if err := e.parse(&sp); err != nil {
			return err
		}
		return placed(e, v.spelled(sp))
	case entryInherit:
		var in Inherited
		if err := e.parse(&in); err != nil {
			return err
		}
		return placed(e, v.inherited(in))
	}
	return e.unknown()
}

func (v *View) inherited(in Inherited) error {
	if len(v.Members) > 0 || in.Seq < 1 || len(in.Generations) == 0 {
		return fmt.Errorf("%w: %d generations of manifest %d inherited by a view that has %d", ErrOrder, len(in.Generations), in.Seq, len(v.Members))
	}
	var all []Member
	for i := range in.Generations {
		g := &in.Generations[i]
		if g.Number != int64(i)+1 || !manifest.ValidIdentity(g.Identity) || !g.State.Known() || g.State == manifest.Building {
			return fmt.Errorf("%w: generation %d (%s, %s) inherited as number %d", ErrOrder, g.Number, g.Identity, g.State, i+1)
		}
		all = append(all, Member{Identity: g.Identity, Number: g.Number, Revision: g.Revision, State: g.State, Inherited: g})
	}
	v.Members, v.seq = all, in.Seq
	return nil
}

// Inherit begins the journal of a view whose journals were lost, with the manifest that the store has of it. What was
// served or kept goes on being so; a generation that was being built cannot be completed and is dropped. Errors: ErrOrder
// if the journal has entries, ErrTaken if another process began it meanwhile.
func (v *View) Inherit(m *manifest.Manifest) error {
	in := Inherited{Seq: m.Seq, Generations: slices.Clone(m.Generations)}
	for i := range in.Generations {
		if g := &in.Generations[i]; g.State == manifest.Building {
			g.State = manifest.Dropped
		}
	}
	trial := &View{Members: slices.Clone(v.Members)}
	if err := trial.inherited(in); err != nil {
		return err
	}
	if err := v.log.append(entryInherit, in); err != nil {
		return err
	}
	return v.inherited(in)
}

func (v *View) created(m Member) error {
	if want := int64(len(v.Members)) + 1; m.Number != want || !manifest.ValidIdentity(m.Identity) || v.find(m.Identity) != nil {
		return fmt.Errorf("%w: generation %d (%s), want number %d and an identity of its own", ErrOrder, m.Number, m.Identity, want)
	}
	if m.State != manifest.Building {
		return fmt.Errorf("%w: generation %d is created as %q: it begins as %q", ErrOrder, m.Number, m.State, manifest.Building)
	}
	v.Members = append(v.Members, m)
	return nil
}

func (v *View) turned(t Turn) error {
	m := v.find(t.Identity)
	if m == nil {
		return fmt.Errorf("%w: generation %q is unknown", ErrOrder, t.Identity)
	}
	if !t.State.Known() || t.State == manifest.Building || m.State == manifest.Dropped || (m.State == manifest.Served && t.State != manifest.Served) {
		return fmt.Errorf("%w: generation %d turns from %q to %q", ErrOrder, m.Number, m.State, t.State)
	}
	if t.State == manifest.Served {
		v.moveAlias(m)
	}
	m.State = t.State
	return nil
}

// moveAlias makes way for a generation that is served from now on. One entry moves the alias, so that there is never a
// moment with two served generations, or none. A generation that takes the place of another remembers it, unless that one
// had taken its own place: then the alias goes back.
func (v *View) moveAlias(to *Member) {
	from := v.Served()
	if from == nil || from == to {
		return
	}
	from.State = manifest.Kept
	if from.before != to.Identity {
		to.before = from.Identity
	}
}

// Served returns the generation that answers, nil if there is none yet.
func (v *View) Served() *Member {
	for i := range v.Members {
		if v.Members[i].State == manifest.Served {
			return &v.Members[i]
		}
	}
	return nil
}

// Before returns the generation in whose place the served one came, nil if there is none: where rollback goes. It may
// have been dropped since.
func (v *View) Before() *Member {
	served := v.Served()
	if served == nil || served.before == "" {
		return nil
	}
	return v.find(served.before)
}

// Number returns generation n, nil if there is none.
func (v *View) Number(n int64) *Member {
	if n < 1 || n > int64(len(v.Members)) {
		return nil
	}
	return &v.Members[n-1]
}

// Moved tells whether somebody has written more to the journal than was read.
func (v *View) Moved() bool { return v.log.moved() }

func (v *View) spelled(s Spelled) error {
	m := v.find(s.Identity)
	if m == nil || m.State == manifest.Dropped {
		return fmt.Errorf("%w: generation %q is unknown or dropped", ErrOrder, s.Identity)
	}
	m.Spec = &s.Spec
	return nil
}

// Spell writes down a spec that makes the same states of the same log as the generation's, so that it answers by it from
// now on. Whether it does so is for the caller to know.
func (v *View) Spell(identity string, spec *view.Spec) error {
	s := Spelled{Identity: identity, Spec: *spec}
	if m := v.find(identity); m == nil || m.State == manifest.Dropped {
		return fmt.Errorf("%w: generation %q is unknown or dropped", ErrOrder, identity)
	}
	if err := v.log.append(entrySpelled, s); err != nil {
		return err
	}
	return v.spelled(s)
}

// Spec returns the spec that a generation answers by. Its blocks are the generation's own, whatever was spelled.
func (v *View) Spec(g *Generation) *view.Spec {
	if m := v.find(g.Identity); m != nil && m.Spec != nil {
		return g.WithBlocks(m.Spec)
	}
	return g.WithBlocks(&g.Spec)
}

func (v *View) find(identity string) *Member {
	for i := range v.Members {
		if v.Members[i].Identity == identity {
			return &v.Members[i]
		}
	}
	return nil
}

// Create writes down a new generation, which begins as building. Its own journal must have been created before: whoever
// reads of a generation here finds it there.
func (v *View) Create(identity, revision string) error {
	m := Member{Identity: identity, Number: v.NextNumber(), Revision: revision, State: manifest.Building}
	before := len(v.Members)
	if err := v.created(m); err != nil {
		return err
	}
	if err := v.log.append(entryCreated, m); err != nil {
		v.Members = v.Members[:before]
		return err
	}
	return nil
}

// Turn writes down what is done with a generation from now on. Turning one to served keeps the one that was.
func (v *View) Turn(identity string, state manifest.State) error {
	trial := &View{Members: slices.Clone(v.Members)}
	t := Turn{Identity: identity, State: state}
	if err := trial.turned(t); err != nil {
		return err
	}
	if err := v.log.append(entryTurned, t); err != nil {
		return err
	}
	return v.turned(t)
}

// NextNumber returns the number of the next generation.
func (v *View) NextNumber() int64 { return int64(len(v.Members)) + 1 }

// Entries returns how many entries the journal has. It only grows.
func (v *View) Entries() int64 { return v.log.last }

// ErrNoGeneration says that a view has no generation yet.
var ErrNoGeneration = errors.New("view has no generation yet")

// Manifest returns what the other layers need to know, made of the view's journal and those of its generations, in the
// order of v.Members. Its Seq is the number of all their entries, so that it grows with each of them and is the same
// for every process that reads the same journals.
func (v *View) Manifest(generations []*Generation) (*manifest.Manifest, error) {
	if len(generations) == 0 {
		return nil, ErrNoGeneration
	}
	m := &manifest.Manifest{Seq: v.seq + v.Entries(), Job: generations[0].Job, View: generations[0].View}
	for i, g := range generations {
		if i >= len(v.Members) || v.Members[i].Identity != g.Identity || len(generations) != len(v.Members) {
			return nil, fmt.Errorf("%w: generation %s is not number %d of its view", ErrOrder, g.Identity, i+1)
		}
		m.Seq += g.Entries()
		m.Generations = append(m.Generations, v.summary(&v.Members[i], g))
	}
	return m, nil
}

func (v *View) summary(m *Member, g *Generation) manifest.Generation {
	k := g.LastChecked()
	out := manifest.Generation{
		Identity: g.Identity, Number: g.Number, Revision: g.Revision, State: m.State,
		Spec: *v.Spec(g), Lanes: g.Lanes, Blocks: g.Blocks, Origin: g.Origin, Run: k, Cut: g.Cut(k), Topics: g.Topics,
	}
	if in := m.Inherited; in != nil {
		out.Run, out.Cut = in.Run, in.Cut
	}
	if p := g.Pending(); p != nil && p.Failed != nil && m.State != manifest.Dropped {
		out.Failed = &manifest.Failed{Run: p.Number, Entity: p.Failed.Entity, Reason: p.Failed.Reason}
	}
	return out
}
