package publish

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tidemark-io/tidemark/batch/runfile"
	"github.com/tidemark-io/tidemark/shared/crash"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
)

// Store is what a publisher needs of the store (see package lane for what each does).
type Store interface {
	Apply(ctx context.Context, calls []lane.Call) []lane.Outcome
	Marks(ctx context.Context, lanes []lane.ID) ([]lane.Marks, error)
}

// Target is a generation to publish.
type Target struct {
	Generation
	// Open opens the file of a lane of a checked run.
	Open func(run int64, lane int) (*runfile.Reader, error)
}

// Status is how far a generation's lanes are, as of the last pass.
type Status struct {
	Namespace string
	Lanes     int
	Done      int   // lanes that have taken in all runs (or were dropped)
	Empty     int   // lanes without a batch mark
	Run       int64 // the lowest run that a lane may still take in; the last run + 1 if there is none
	RowsLeft  int64 // rows of the run files that lanes are still to take in
	// Refused says, in order of the lanes, why some were left alone until somebody acts. Not of lanes whose call's outcome is
	// unknown.
	Refused []error
	// Marks are the lanes' marks, by number, as last seen.
	Marks []lane.Marks
}

// Complete tells whether every lane has taken in all runs.
func (s *Status) Complete() bool { return s.Done == s.Lanes }

// Settled tells whether every lane has taken in all runs or was refused: whether there is nothing more to do at once.
func (s *Status) Settled() bool { return s.Done+len(s.Refused) == s.Lanes }

// Counts are what a publisher has done since it was made.
type Counts struct {
	Begun   int64 // lanes
	Rows    int64 // written
	Bytes   int64
	Refused int64 // calls that found another mark
	Unknown int64 // calls whose outcome is not known
}

// Publisher brings run files into a store. Not safe for concurrent use; several, also of several processes, may work on
// the same lanes: they waste work and break nothing.
type Publisher struct {
	store  Store
	limits Limits
	rows   pacer
	bytes  pacer
	counts Counts
	// Random fills b with random bytes; by default crypto/rand's. Simulations set it.
	Random func(b []byte)
}

// New returns a publisher. Errors are of class ErrLimits.
func New(store Store, limits Limits) (*Publisher, error) {
	l, err := limits.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Publisher{
		store: store, limits: l, rows: pacer{perSecond: l.RowsPerSecond}, bytes: pacer{perSecond: l.BytesPerSecond},
		Random: func(b []byte) { _, _ = rand.Read(b) }, // never fails: it ends the process instead
	}, nil
}

// Counts returns what was done so far.
func (p *Publisher) Counts() Counts { return p.counts }

// ErrLane is the class of errors about one lane whose run file does not read or whose marks make no sense; the others are
// served.
var ErrLane = errors.New("lane cannot be published to")

// passTime is how long a pass works before it looks at all marks again: a lane that was emptied waits no longer.
const passTime = time.Second

// Pass reads the marks of all lanes and does what they need, for about a second or until all are done. It returns how
// far each target is. An error of class lane.ErrUnavailable says that the store was not reached or an outcome is unknown:
// call Pass again. Others (of class ErrLane, with ErrNewer, lane.ErrMark or
// runfile.ErrDamaged, or lane.ErrStore) need somebody to act. Lanes that
// have none of them were worked on all the same: the statuses are there with such an error, and say of which lanes it is.
func (p *Publisher) Pass(ctx context.Context, targets []*Target) ([]Status, error) {
	works, err := p.look(ctx, targets)
	if err != nil {
		return nil, err
	}
	err = p.work(ctx, works)
	closeAll(works)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, w := range works {
		errs = append(errs, w.Err)
	}
	return statuses(targets, works), errors.Join(errs...)
}

// work makes calls until the lanes need nothing more or the time of a pass is over. Errors are the context's.
func (p *Publisher) work(ctx context.Context, works []*work) error {
	for start := time.Now(); time.Since(start) < passTime; {
		batch := active(works, p.limits.CallsInFlight)
		if len(batch) == 0 {
			break
		}
		if err := p.round(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// Publish makes passes until every lane of every target is done. Errors are those of Pass; after one it may be called
// again and goes on where the marks say.
func (p *Publisher) Publish(ctx context.Context, targets []*Target, progress func([]Status)) error {
	for {
		all, err := p.Pass(ctx, targets)
		if err != nil {
			return err
		}
		if progress != nil {
			progress(all)
		}
		done := true
		for i := range all {
			done = done && all[i].Complete()
		}
		if done {
			return nil
		}
	}
}

// work is one lane under way in a pass.
type work struct {
	Follower
	target *Target
	unread bool  // the store refuses to give its marks
	rows   int64 // of the call under way
	file   cursor
}

// look reads the marks of all lanes and plans each.
func (p *Publisher) look(ctx context.Context, targets []*Target) ([]*work, error) {
	var ids []lane.ID
	var works []*work
	for _, t := range targets {
		for n := range t.Lanes {
			ids = append(ids, t.LaneID(n))
			works = append(works, &work{Follower: Follower{Of: &t.Generation, N: n}, target: t, file: cursor{open: t.Open}})
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	marks, refused, err := p.marks(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i, w := range works {
		if w.Err, w.unread = refused[i], refused[i] != nil; !w.unread {
			w.Observe(marks[i])
		}
	}
	return works, nil
}

// marks reads the marks of lanes, and says of each lane why the store refuses to give them, nil if it does not: what
// somebody has put in the place of one lane's marks keeps none of the others. Errors are of class lane.ErrUnavailable, or
// the context's.
func (p *Publisher) marks(ctx context.Context, ids []lane.ID) (marks []lane.Marks, refused []error, err error) {
	marks, err = p.store.Marks(ctx, ids)
	switch {
	case err == nil:
		return marks, make([]error, len(ids)), nil
	case !errors.Is(err, lane.ErrStore):
		return nil, nil, fmt.Errorf("reading marks: %w", err)
	case len(ids) == 1:
		return make([]lane.Marks, 1), []error{fmt.Errorf("%w: reading the marks of lane %s: %w", ErrLane, ids[0], err)}, nil
	}
	half := len(ids) / 2
	marks, refused, err = p.marks(ctx, ids[:half])
	if err != nil {
		return nil, nil, err
	}
	more, why, err := p.marks(ctx, ids[half:])
	return append(marks, more...), append(refused, why...), err
}

// active returns lanes that need something: those to be begun before all others, because until a lane is begun, speed waits;
// then those that are furthest behind in the runs, so that where runs come faster than they can be published no lane is left
// behind by the others.
func active(works []*work, most int) []*work {
	var begin, bring []*work
	for _, w := range works {
		switch {
		case w.Err != nil:
		case w.Step.Action == Begin:
			begin = append(begin, w)
		case w.Step.Action == Bring:
			bring = append(bring, w)
		}
	}
	slices.SortStableFunc(bring, func(a, b *work) int { return cmp.Compare(a.behind(), b.behind()) })
	all := append(begin, bring...)
	return all[:min(most, len(all))]
}

// behind orders lanes of whatever generations by how many runs they are behind, most first.
func (w *work) behind() int64 { return w.Step.Mark.Run - w.Of.Last() }

// round makes one call for each of these lanes.
func (p *Publisher) round(ctx context.Context, batch []*work) error {
	var calls []lane.Call
	var of []*work
	var rows, size int64
	for _, w := range batch {
		call, n, err := p.call(w)
		if err != nil {
			w.Err = fmt.Errorf("%w: %s: %w", ErrLane, w.target.LaneID(w.N), err)
			continue
		}
		calls, of = append(calls, call), append(of, w)
		w.rows = int64(len(call.Rows))
		rows, size = rows+w.rows, size+n
	}
	if err := errors.Join(p.rows.take(ctx, float64(rows)), p.bytes.take(ctx, float64(size))); err != nil {
		return err
	}
	if len(calls) == 0 {
		return nil
	}
	p.counts.Bytes += size
	outcomes := p.store.Apply(ctx, calls)
	for _, w := range of {
		w.crash()
	}
	for i, out := range outcomes {
		p.settle(of[i], &calls[i], &out)
	}
	return ctx.Err()
}

// call makes the next call of a lane and tells the bytes that it writes.
func (p *Publisher) call(w *work) (lane.Call, int64, error) {
	g := &w.target.Generation
	if w.Step.Action == Begin {
		var random [manifest.IdentityLength]byte
		p.Random(random[:])
		return BeginCall(g, w.N, w.Marks, lane.Incarnation(manifest.NewIdentity(random))), 0, nil
	}
	rows, size, err := w.file.take(w.N, &w.Step, p.limits.RowsPerCall, p.limits.BytesPerCall)
	if err != nil {
		return lane.Call{}, 0, err
	}
	return BringCall(g, w.N, &w.Step, rows), size, nil
}

// crash is where a publisher may die that has made a call and does not know yet what came of it.
func (w *work) crash() {
	if w.Step.Action == Begin {
		crash.Point(crash.LaneBegun)
		return
	}
	switch done := w.Step.Mark.Rows + w.rows; {
	case done == w.Step.Rows:
		crash.Point(crash.LaneLast)
	case w.Step.Mark.Rows == 0:
		crash.Point(crash.LaneFirst)
	default:
		crash.Point(crash.LaneSome)
	}
}

// settle takes over what came of a call.
func (p *Publisher) settle(w *work, call *lane.Call, out *lane.Outcome) {
	begins := w.Step.Action == Begin
	w.Settle(call, out)
	switch {
	case errors.Is(out.Err, lane.ErrUnavailable):
		p.counts.Unknown++
	case out.Err != nil:
	case !out.Applied:
		p.counts.Refused++
	default:
		if begins {
			p.counts.Begun++
		}
		p.counts.Rows += w.rows
	}
}

func closeAll(works []*work) {
	for _, w := range works {
		if err := w.file.close(); err != nil && w.Err == nil {
			w.Err = fmt.Errorf("%w: %s: closing a run file: %w", ErrLane, w.target.LaneID(w.N), err)
		}
	}
}

func statuses(targets []*Target, works []*work) []Status {
	all := make([]Status, 0, len(targets))
	for _, t := range targets {
		s := Status{Namespace: t.Namespace, Lanes: t.Lanes, Run: t.Last() + 1}
		for n := range t.Lanes {
			w := works[0]
			works = works[1:]
			s.Marks = append(s.Marks, w.Marks)
			s.add(&t.Generation, n, w)
		}
		all = append(all, s)
	}
	return all
}

// refuse notes why a lane is left alone, if it is until somebody acts.
func (s *Status) refuse(err error) {
	if err != nil && !errors.Is(err, lane.ErrUnavailable) {
		s.Refused = append(s.Refused, err)
	}
}

// add counts a lane.
func (s *Status) add(g *Generation, n int, w *work) {
	s.refuse(w.Err)
	if w.Marks[lane.BatchName] == "" {
		s.Empty++
	}
	switch {
	case w.unread:
		s.Run = min(s.Run, g.Lowest) // how far it is is not known: it may need any file that is left
		return
	case w.Err != nil && w.Step.Action == Nothing:
		return // its marks make no sense: it is begun again once they are deleted
	case w.Step.Action == Nothing:
		s.Done++
		return
	case w.Step.Action == Begin:
		// A process that knows of fewer runs may be beginning it, with older bases: it may need any file that is left.
		s.Run = min(s.Run, g.Lowest)
		for run := g.BasesFrom; run <= g.Last(); run++ {
			s.RowsLeft += g.Runs[run-1].Rows[n]
		}
		return
	}
	s.Run = min(s.Run, w.Step.Mark.Run)
	for run := w.Step.Mark.Run; run <= g.Last(); run++ {
		s.RowsLeft += g.Runs[run-1].Rows[n]
	}
	s.RowsLeft -= w.Step.Mark.Rows
}
