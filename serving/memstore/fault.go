package memstore

import (
	"fmt"
	"slices"

	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// Kind says which operation a fate is asked for.
type Kind int

// The operations of a store.
const (
	Apply Kind = iota
	Marks
	Rows
	Exact
	Scan
	Manifest
	PutManifest
)

// Op is one operation, as the fault hook sees it. An Apply of several calls asks for each call on its own.
type Op struct {
	Kind Kind
	Call *lane.Call // of an Apply; not to be changed or kept
}

// Fate is what becomes of one operation.
type Fate int

// The fates. Reads know only Deliver, LoseCall (LoseReply and Hold are the same to them) and Fail.
const (
	// Deliver lets the operation through.
	Deliver Fate = iota
	// LoseCall answers lane.ErrUnavailable; the store never saw the call.
	LoseCall
	// LoseReply applies the call and answers lane.ErrUnavailable.
	LoseReply
	// Twice applies the call and then its repeat, and answers with the repeat's result, as a client library does that
	// sends again after a lost reply. A call that must be sent once is delivered once.
	Twice
	// Hold answers lane.ErrUnavailable and keeps the call in flight until Release.
	Hold
	// Fail answers lane.ErrStore; nothing is changed.
	Fail
)

// SetFaults installs the hook that decides the fate of every operation; nil is Deliver for all. The hook is called
// without the store's lock, so it may block (that is a slow store) and may use the store.
func (s *Store) SetFaults(hook func(Op) Fate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = hook
}

func (s *Store) fate(op Op) Fate {
	s.mu.Lock()
	hook := s.hook
	s.mu.Unlock()
	if hook == nil {
		return Deliver
	}
	return hook(op)
}

// readFate returns the error, if any, that the hook wants a read to end with.
func (s *Store) readFate(kind Kind) error {
	switch s.fate(Op{Kind: kind}) {
	case LoseCall, LoseReply, Hold:
		return errLost
	case Fail:
		return errFailed
	default:
		return nil
	}
}

var (
	errLost   = fmt.Errorf("%w: injected fault", lane.ErrUnavailable)
	errFailed = fmt.Errorf("%w: injected fault", lane.ErrStore)
)

// Held returns the number of calls in flight.
func (s *Store) Held() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.held)
}

// Release lets the i-th held call (0 ≤ i < Held) reach the store, in whatever order the simulation likes, and tells
// whether it was applied. Nobody but the simulation gets the answer: the caller has long given up.
func (s *Store) Release(i int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	invariant.Check(i >= 0 && i < len(s.held), "releasing call %d of %d held", i, len(s.held))
	c := s.held[i]
	s.held = slices.Delete(s.held, i, i+1)
	return s.apply(c).Applied
}

// DropHeld forgets the calls in flight: they never arrive.
func (s *Store) DropHeld() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = nil
}

// Empty takes everything away, manifests too, as a server does that restarts without persistence.
func (s *Store) Empty() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current, s.base, s.history = newState(), newState(), nil
}

// EmptyLane takes away one lane's marks and rows. What it held can not be brought back by losing less of the history.
func (s *Store) EmptyLane(id lane.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.current.lanes, id)
	delete(s.base.lanes, id)
	s.history = slices.DeleteFunc(s.history, func(e change) bool { return e.call != nil && e.call.Lane == id })
}

// History returns how many changes can be lost.
func (s *Store) History() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.history)
}

// LoseSuffix takes back the last n applied changes of the whole store (0 ≤ n ≤ History), as a crash without a synced
// log does, or the promotion of a replica that was behind.
func (s *Store) LoseSuffix(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	invariant.Check(n >= 0 && n <= len(s.history), "losing %d of %d changes", n, len(s.history))
	s.rebuild(s.history[:len(s.history)-n])
}

// LoseLaneSuffix takes back the last n applied changes of one lane (all of them if the history has fewer), as a store
// does whose lanes lie on several servers.
func (s *Store) LoseLaneSuffix(id lane.ID, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := slices.Clone(s.history)
	for i := len(kept) - 1; i >= 0 && n > 0; i-- {
		if kept[i].call != nil && kept[i].call.Lane == id {
			kept = slices.Delete(kept, i, i+1)
			n--
		}
	}
	s.rebuild(kept)
}

// rebuild makes the state from the base and these changes. Each was applied when it was made, and a suffix of its lane
// is all that may be missing before it, so each applies again.
func (s *Store) rebuild(changes []change) {
	changes = slices.Clone(changes)
	s.current = s.base.clone()
	for _, c := range changes {
		c.replay(s.current)
	}
	s.history = changes
}
