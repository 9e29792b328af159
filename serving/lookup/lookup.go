package lookup

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/view"
)

// Lookup answers for keys, all from one generation. Errors that concern one key stand in its profile; an error of the
// whole is of class ErrNoView, ErrNoFeature, ErrNoManifest, or the store's.
func (r *Reader) Lookup(ctx context.Context, viewName string, keys []string, opt Options) (*Answer, error) {
	since := r.cfg.Now().Add(-r.cfg.Cache)
	for try := 1; ; try++ {
		g, err := r.served(ctx, viewName, since)
		if err != nil {
			return nil, err
		}
		a := &Answer{View: viewName, Generation: g, Profiles: make([]Profile, len(keys))}
		if a.Features, err = features(g.Plan, opt.Features); err != nil {
			return nil, err
		}
		again, err := r.fill(ctx, a, keys, opt, since)
		if err != nil {
			return nil, err
		}
		if again && try == maxTries {
			a.distrust()
			again = false
		}
		if !again {
			r.Stats.answered(a)
			return a, nil
		}
		r.Stats.Again.Add(1)
		// The lane was begun again, the generation dropped, or this reader slept: nothing cached counts any more.
		since = r.cfg.Now()
	}
}

// features returns the indices of the features named, all if none is.
func features(p *view.Plan, names []string) ([]int, error) {
	var idx []int
	if names == nil {
		for i := range p.Features() {
			idx = append(idx, i)
		}
		return idx, nil
	}
	var unknown []string
	for _, n := range names {
		i := p.Feature(n)
		if i < 0 {
			unknown = append(unknown, n)
		}
		idx = append(idx, i)
	}
	if len(unknown) > 0 {
		all := make([]string, 0, len(p.Features()))
		for i := range p.Features() {
			all = append(all, p.Features()[i].Spec.Name)
		}
		return nil, fmt.Errorf("%w: %s; the view has %s", ErrNoFeature, strings.Join(unknown, ", "), strings.Join(all, ", "))
	}
	return idx, nil
}

// want is a key that was understood: where its row lies.
type want struct {
	profile int
	row     lane.RowID
	lane    int
}

// fill reads the rows of the keys and sets the answer's profiles. again says that what was read cannot be trusted to be
// current and reading anew may help.
func (r *Reader) fill(ctx context.Context, a *Answer, keys []string, opt Options, since time.Time) (again bool, err error) {
	g := a.Generation
	wants, lanes := r.parse(a, keys)
	marks, readAt, cached, err := r.laneMarks(ctx, g, lanes, since)
	if err != nil {
		return false, err
	}
	claims := make(map[int]Claim, len(lanes))
	for n, m := range marks {
		c := ClaimOf(m)
		claims[n] = c
		again = again || c.Dropped
	}
	rows := make([]lane.RowID, 0, len(wants))
	for i := range wants {
		wants[i].row.Incarnation = cmp.Or(claims[wants[i].lane].Incarnation, noIncarnation)
		rows = append(rows, wants[i].row)
	}
	values, err := r.cfg.Store.Rows(ctx, rows)
	if err != nil {
		return false, fmt.Errorf("reading rows: %w", err)
	}
	now := r.cfg.Now()
	if Stale(readAt, now) {
		again = true
	}
	// A row that is empty under cached marks may be one of a store that was emptied since: the marks say so when they are
	// read again.
	if cached {
		again = again || slices.ContainsFunc(values, func(tiles [][]byte) bool { return len(tiles) == 0 })
	}
	for i, w := range wants {
		p := &a.Profiles[w.profile]
		c := claims[w.lane]
		p.Degraded, p.Through = c.Degraded, c.Through
		if opt.Frontier {
			p.Frontier = c.Frontier
		}
		a.tiles += len(values[i])
	}
	a.mergeAll(wants, values, opt, now.UnixMilli())
	return again, nil
}

// parse understands the keys and finds their lanes, each once.
func (r *Reader) parse(a *Answer, keys []string) (wants []want, lanes []int) {
	g := a.Generation
	seen := make([]bool, g.Lanes)
	for i, text := range keys {
		key, err := g.Plan.ParseKey(text)
		if err != nil {
			a.Profiles[i] = Profile{Key: text, Err: err}
			continue
		}
		n := lane.Of(view.Hash(key), g.Lanes)
		a.Profiles[i].Key = string(key)
		wants = append(wants, want{profile: i, lane: n, row: lane.RowID{Lane: lane.ID{Namespace: g.Namespace, N: n}, Key: key}})
		if !seen[n] {
			seen[n] = true
			lanes = append(lanes, n)
		}
	}
	return wants, lanes
}

// AsOf decides the time to read a profile at whose newest event is newest (0 for none): what was asked for, now by
// default, raised to newest if that is at most 10 s later. Errors are of class ErrAsOf.
func AsOf(opt Options, newest, now int64) (int64, error) {
	asOf := opt.AsOf
	switch {
	case opt.Newest && newest > 0:
		return newest, nil
	case asOf == 0 || opt.Newest:
		asOf = now
	}
	if newest <= asOf {
		return asOf, nil
	}
	if newest-asOf > maxAhead {
		return 0, fmt.Errorf("%w: %s was asked for, the newest event is of %s; ask for a later time, or for newest",
			ErrAsOf, time.UnixMilli(asOf).UTC().Format(time.RFC3339Nano), time.UnixMilli(newest).UTC().Format(time.RFC3339Nano))
	}
	return newest, nil
}
