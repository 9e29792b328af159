package memstore

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/tidemark-io/tidemark/serving/storelimit"
	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// DefaultHistory is the number of changes that New remembers, and so can lose.
const DefaultHistory = 10_000

// maxHeld bounds the calls in flight: a simulation that holds more has forgotten to release them.
const maxHeld = 10_000

// Store is a store in memory. It does what package lane says of stores' operations and is safe for concurrent use.
type Store struct {
	mu      sync.Mutex
	current *state
	base    *state   // the state before history
	history []change // the last changes, oldest first
	limit   int
	held    []*lane.Call
	hook    func(Op) Fate
}

// New returns an empty store that can lose up to DefaultHistory changes.
func New() *Store { return NewWithHistory(DefaultHistory) }

// NewWithHistory returns an empty store that remembers, and so can lose, the last n changes; 0 remembers none.
func NewWithHistory(n int) *Store {
	return &Store{current: newState(), base: newState(), limit: n}
}

// change is one entry of the history: an applied call or manifest.
type change struct {
	call     *lane.Call
	view     string
	manifest manifest
}

func (c change) replay(s *state) {
	if c.call == nil {
		s.putManifest(c.view, c.manifest)
		return
	}
	r, err := s.apply(c.call)
	invariant.Check(err == nil && r.Applied, "a change of lane %s does not apply again: %v", c.call.Lane, err)
}

// remember appends an applied change and lets the oldest go into the base when there are too many.
func (s *Store) remember(c change) {
	s.history = append(s.history, c)
	if len(s.history) <= s.limit {
		return
	}
	s.history[0].replay(s.base)
	s.history[0] = change{}
	s.history = s.history[1:]
}

// apply is one call reaching the store; it is called with the lock held.
func (s *Store) apply(c *lane.Call) lane.Outcome {
	r, err := s.current.apply(c)
	if err != nil {
		return lane.Outcome{Err: fmt.Errorf("%w: %w", lane.ErrStore, err)}
	}
	if r.Applied {
		s.remember(change{call: cloneCall(c)})
	}
	return lane.Outcome{Result: r}
}

// Apply applies each call as its fate has it.
func (s *Store) Apply(ctx context.Context, calls []lane.Call) []lane.Outcome {
	out := make([]lane.Outcome, len(calls))
	for i := range calls {
		out[i] = s.applyOne(ctx, &calls[i])
	}
	return out
}

func (s *Store) applyOne(ctx context.Context, c *lane.Call) lane.Outcome {
	if err := ctx.Err(); err != nil {
		return lane.Outcome{Err: fmt.Errorf("%w: %w", lane.ErrUnavailable, err)}
	}
	if err := storelimit.Call(c); err != nil {
		return lane.Outcome{Err: err}
	}
	fate := s.fate(Op{Kind: Apply, Call: c})
	s.mu.Lock()
	defer s.mu.Unlock()
	switch fate {
	case LoseCall:
		return lane.Outcome{Err: errLost}
	case Fail:
		return lane.Outcome{Err: errFailed}
	case Hold:
		invariant.Check(len(s.held) < maxHeld, "more than %d calls held", maxHeld)
		s.held = append(s.held, cloneCall(c))
		return lane.Outcome{Err: errLost}
	case LoseReply:
		s.apply(c)
		return lane.Outcome{Err: errLost}
	case Twice:
		if !c.Once {
			s.apply(c)
		}
		return s.apply(c)
	default:
		return s.apply(c)
	}
}

// Marks returns the marks of each lane.
func (s *Store) Marks(ctx context.Context, lanes []lane.ID) ([]lane.Marks, error) {
	if err := s.begin(ctx, Marks); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]lane.Marks, len(lanes))
	for i, id := range lanes {
		if err := storelimit.Lane(id); err != nil {
			return nil, err
		}
		out[i] = s.marks(id)
	}
	return out, nil
}

func (s *Store) marks(id lane.ID) lane.Marks {
	marks := lane.Marks{}
	maps.Copy(marks, s.current.lane(id).marks)
	return marks
}

// Rows returns the values of each row, in order of their names.
func (s *Store) Rows(ctx context.Context, rows []lane.RowID) ([][][]byte, error) {
	if err := s.begin(ctx, Rows); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([][][]byte, len(rows))
	for i, id := range rows {
		if err := storelimit.Row(id); err != nil {
			return nil, err
		}
		out[i] = [][]byte{}
		for _, f := range s.current.fields(id) {
			out[i] = append(out[i], f.Value)
		}
	}
	return out, nil
}

// Exact returns each row with its lane's marks.
func (s *Store) Exact(ctx context.Context, rows []lane.RowID) ([]lane.Exact, error) {
	if err := s.begin(ctx, Exact); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]lane.Exact, len(rows))
	for i, id := range rows {
		if err := storelimit.Row(id); err != nil {
			return nil, err
		}
		out[i] = lane.Exact{Marks: s.marks(id.Lane), Fields: s.current.fields(id)}
	}
	return out, nil
}

// Scan yields the rows that are there when it begins, in order; yield may use the store.
func (s *Store) Scan(ctx context.Context, namespace string, yield func(lane.RowID) error) error {
	if err := s.begin(ctx, Scan); err != nil {
		return err
	}
	if err := storelimit.Namespace(namespace); err != nil {
		return err
	}
	s.mu.Lock()
	ids := s.current.rowsOf(namespace)
	s.mu.Unlock()
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := yield(id); err != nil {
			return err
		}
	}
	return nil
}

// Manifest returns the manifest of a view.
func (s *Store) Manifest(ctx context.Context, view string) (int64, []byte, error) {
	if err := s.begin(ctx, Manifest); err != nil {
		return 0, nil, err
	}
	if err := storelimit.View(view); err != nil {
		return 0, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.current.manifests[view]
	return m.seq, bytes.Clone(m.body), nil
}

// PutManifest sets the manifest of a view unless the one there is as new.
func (s *Store) PutManifest(ctx context.Context, view string, seq int64, body []byte) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if err := storelimit.Manifest(view, seq, body); err != nil {
		return false, err
	}
	fate := s.fate(Op{Kind: PutManifest})
	if fate == LoseCall || fate == Hold {
		return false, errLost
	}
	if fate == Fail {
		return false, errFailed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := change{view: view, manifest: manifest{seq, bytes.Clone(body)}}
	ok := s.current.putManifest(view, c.manifest)
	if ok {
		s.remember(c)
	}
	if fate == LoseReply {
		return false, errLost
	}
	return ok, nil
}

// Close does nothing: the store of a test outlives the roles that it restarts.
func (s *Store) Close() error { return nil }

func (s *Store) begin(ctx context.Context, kind Kind) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.readFate(kind)
}

// cloneCall copies a call whose rows may lie in an arena that its caller uses again.
func cloneCall(c *lane.Call) *lane.Call {
	d := *c
	d.Replace, d.Raise = maps.Clone(c.Replace), slices.Clone(c.Raise)
	d.Rows = make([]lane.RowChange, len(c.Rows))
	for i, r := range c.Rows {
		d.Rows[i] = lane.RowChange{Key: bytes.Clone(r.Key), Del: slices.Clone(r.Del), Set: slices.Clone(r.Set)}
		for j := range d.Rows[i].Set {
			d.Rows[i].Set[j].Value = bytes.Clone(r.Set[j].Value)
		}
	}
	return &d
}

func (s *state) clone() *state {
	d := newState()
	maps.Copy(d.manifests, s.manifests)
	for id, l := range s.lanes {
		e := d.lane(id)
		e.marks = maps.Clone(l.marks)
		for k, row := range l.rows {
			e.rows[k] = maps.Clone(row) // values are never changed in place
		}
	}
	return d
}
