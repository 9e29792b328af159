package lookup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/view"
)

// Limits and defaults.
const (
	// DefaultCache is how long a manifest and marks are taken as read just now.
	DefaultCache = 100 * time.Millisecond
	// maxRead is how old marks may be when the row has been read: a reader that slept reads both again. It is far below
	// the grace after which rows of an earlier incarnation are deleted.
	maxRead = 5 * time.Second
	// maxTries bounds how often a read is begun again because the lane or the generation changed under it.
	maxTries = 4
	// maxAhead is how far the row's newest event may lie after the as_of asked for, ms; as_of is then raised to it.
	maxAhead = 10_000
)

// Stale tells, when a row has been read, whether marks read at a time are too old to claim anything of it.
func Stale(readAt, now time.Time) bool { return now.Sub(readAt) > maxRead }

// The classes of errors.
var (
	ErrNoView     = errors.New("no such view")
	ErrNoFeature  = errors.New("no such feature")
	ErrNoManifest = errors.New("view is not served yet")
	ErrKey        = view.ErrKey
	ErrAsOf       = errors.New("as_of is older than the profile")
	ErrTile       = errors.New("row cannot be read")
)

// Store is what lookups need of the store: see package lane for the contract.
type Store interface {
	Manifest(ctx context.Context, view string) (seq int64, body []byte, err error)
	Marks(ctx context.Context, lanes []lane.ID) ([]lane.Marks, error)
	Rows(ctx context.Context, rows []lane.RowID) ([][][]byte, error)
}

// Config says what a Reader reads.
type Config struct {
	Job   string
	Views []string
	Store Store
	// Now is the clock: it decides caches and the default as_of, nothing else.
	Now func() time.Time
	// Cache is how long a manifest and marks are reused. 0 = DefaultCache.
	Cache time.Duration
}

// Reader answers lookups. Safe for concurrent use.
type Reader struct {
	Stats Stats

	cfg   Config
	views map[string]*served
}

// NewReader returns a Reader of the job's views.
func NewReader(cfg Config) *Reader {
	if cfg.Cache == 0 {
		cfg.Cache = DefaultCache
	}
	r := &Reader{cfg: cfg, views: map[string]*served{}}
	for _, name := range cfg.Views {
		r.views[name] = &served{}
	}
	return r
}

// Views returns the names of the job's views in order.
func (r *Reader) Views() []string { return slices.Sorted(maps.Keys(r.views)) }

// served is a view's manifest and the marks of its lanes, cached.
type served struct {
	mu     sync.Mutex // one reader at a time asks the store; the others wait for what it brings
	seq    int64
	readAt time.Time
	spec   string // of gen, as JSON
	gen    *Generation
}

// Generation is the generation of a view that answers, compiled.
type Generation struct {
	Identity  string
	Number    int64
	Revision  string
	Namespace string
	Lanes     int
	Plan      *view.Plan

	mergers sync.Pool
	marks   []cachedMarks
}

// cachedMarks are the marks of a lane as last read. One reader at a time asks the store for them, the others wait for what it
// brings: of two reads under way at once nobody could say which saw the lane later, and a claim might go back.
type cachedMarks struct {
	turn   chan struct{} // holds one token while somebody reads or writes the rest
	readAt time.Time
	marks  lane.Marks
}

// Served returns the generation of the view that answers. Errors are of class ErrNoView, ErrNoManifest, or the store's.
func (r *Reader) Served(ctx context.Context, name string) (*Generation, error) {
	return r.served(ctx, name, r.cfg.Now().Add(-r.cfg.Cache))
}

// served returns the generation by a manifest read at or after since.
func (r *Reader) served(ctx context.Context, name string, since time.Time) (*Generation, error) {
	v := r.views[name]
	if v == nil {
		return nil, fmt.Errorf("%w: %q; job %s has %v", ErrNoView, name, r.cfg.Job, r.Views())
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.gen != nil && v.readAt.After(since) {
		return v.gen, nil
	}
	now := r.cfg.Now()
	seq, body, err := r.cfg.Store.Manifest(ctx, manifest.Key(r.cfg.Job, name))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading manifest of view %s: %w", name, err)
	case v.gen != nil && seq <= v.seq:
		// An older manifest, or none, is what a store that lost data shows until batch restores it.
		v.readAt = now
		return v.gen, nil
	case seq == 0:
		return nil, fmt.Errorf("%w: %s: the batch role has not written its manifest yet", ErrNoManifest, name)
	}
	m, err := manifest.Decode(body)
	if err != nil {
		return nil, fmt.Errorf("reading manifest of view %s: %w", name, err)
	}
	g := m.Served()
	if g == nil {
		return nil, fmt.Errorf("%w: %s: its manifest names no generation to serve", ErrNoManifest, name)
	}
	v.seq, v.readAt = seq, now
	spec, err := json.Marshal(g.Spec)
	if err != nil {
		return nil, fmt.Errorf("reading the spec of view %s: %w", name, err)
	}
	// Names, defaults and limits may change within a generation: the states stay, the plan is compiled anew.
	if v.gen != nil && v.gen.Identity == g.Identity && v.spec == string(spec) {
		return v.gen, nil
	}
	gen, err := NewGeneration(m, g)
	if err != nil {
		return nil, err
	}
	v.spec, v.gen = string(spec), gen
	return v.gen, nil
}

// NewGeneration compiles a generation of a manifest, whatever its state.
func NewGeneration(m *manifest.Manifest, g *manifest.Generation) (*Generation, error) {
	plan, err := view.Compile(g.Spec)
	if err != nil {
		return nil, fmt.Errorf("compiling view %s of generation %d: %w", m.View, g.Number, err)
	}
	out := &Generation{
		Identity: g.Identity, Number: g.Number, Revision: g.Revision, Namespace: m.Namespace(g), Lanes: g.Lanes, Plan: plan,
		marks: make([]cachedMarks, g.Lanes),
	}
	for n := range out.marks {
		out.marks[n].turn = make(chan struct{}, 1)
	}
	out.mergers.New = func() any { return plan.NewMerger() }
	return out, nil
}

// laneMarks returns marks of lanes read after since, when the oldest were read, and whether any come from the cache.
func (r *Reader) laneMarks(ctx context.Context, g *Generation, lanes []int, since time.Time) (got map[int]lane.Marks, oldest time.Time, cached bool, err error) {
	got = make(map[int]lane.Marks, len(lanes))
	var held []int
	defer func() {
		for _, n := range held {
			<-g.marks[n].turn
		}
	}()
	slices.Sort(lanes) // whoever takes turns at several lanes does so in this order
	for _, n := range lanes {
		c := &g.marks[n]
		select {
		case c.turn <- struct{}{}:
		case <-ctx.Done():
			return nil, oldest, false, fmt.Errorf("%w: waiting for marks that another lookup reads: %w", lane.ErrUnavailable, ctx.Err())
		}
		if !c.readAt.After(since) {
			held = append(held, n)
			continue
		}
		got[n], cached = c.marks, true
		if oldest.IsZero() || c.readAt.Before(oldest) {
			oldest = c.readAt
		}
		<-c.turn
	}
	now := r.cfg.Now()
	if oldest.IsZero() {
		oldest = now
	}
	if len(held) == 0 {
		return got, oldest, cached, nil
	}
	ids := make([]lane.ID, 0, len(held))
	for _, n := range held {
		ids = append(ids, lane.ID{Namespace: g.Namespace, N: n})
	}
	read, err := r.cfg.Store.Marks(ctx, ids)
	if err != nil {
		return nil, now, false, fmt.Errorf("reading marks: %w", err)
	}
	for i, n := range held {
		got[n] = read[i]
		g.marks[n].readAt, g.marks[n].marks = now, read[i]
	}
	return got, oldest, cached, nil
}
