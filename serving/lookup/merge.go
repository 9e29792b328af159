package lookup

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"

	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/view"
)

// share is the least number of rows that are worth a goroutine: merging one takes up to some 100 µs.
const share = 16

// mergeAll sets the profiles from their rows, side by side on as many processors as the rows are worth. What panics in
// one of them panics here, where whoever answers the request expects it.
func (a *Answer) mergeAll(wants []want, values [][][]byte, opt Options, now int64) {
	part := max(share, (len(wants)+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0))
	parts := max(1, (len(wants)+part-1)/part)
	if opt.Encode {
		a.encoded = make([]*[]byte, parts)
	}
	if parts == 1 {
		a.mergePart(0, wants, values, opt, now)
		return
	}
	var beside sync.WaitGroup
	caught := make(chan string, parts)
	for i := range parts - 1 {
		some, theirs := wants[i*part:(i+1)*part], values[i*part:(i+1)*part]
		beside.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					caught <- fmt.Sprintf("%v\n%s", p, debug.Stack())
				}
			}()
			a.mergePart(i, some, theirs, opt, now)
		})
	}
	func() {
		defer beside.Wait()
		last := (parts - 1) * part
		a.mergePart(parts-1, wants[last:], values[last:], opt, now)
	}()
	close(caught)
	for p := range caught {
		invariant.Fail("merging a row panicked: %s", p)
	}
}

// mergePart sets some profiles, one after the other.
func (a *Answer) mergePart(part int, wants []want, values [][][]byte, opt Options, now int64) {
	g := a.Generation
	m, ok := g.mergers.Get().(*view.Merger)
	if !ok {
		m = g.Plan.NewMerger()
	}
	m.Want(a.Features)
	r := rowReader{plan: g.Plan, merger: m, features: a.Features, opt: opt, now: now}
	if opt.Encode {
		a.encoded[part] = buffer()
		r.buf = *a.encoded[part]
		defer func() { *a.encoded[part] = r.buf }()
	}
	for i, w := range wants {
		r.read(&a.Profiles[w.profile], values[i])
	}
	g.mergers.Put(m) // not after a panic: what it then holds may be anything
}

// rowReader reads rows into profiles, one after the other.
type rowReader struct {
	plan     *view.Plan
	merger   *view.Merger
	features []int
	opt      Options
	now      int64
	buf      []byte // with Options.Encode: what was encoded so far
}

// read adds up the tiles of one row and reads the features.
func (r *rowReader) read(p *Profile, tiles [][]byte) {
	asOf, err := r.merge(p, tiles)
	if err != nil {
		*p = Profile{Key: p.Key, Err: err}
		return
	}
	p.AsOf = asOf
	if !r.opt.Encode {
		p.Values = make([]FeatureValue, len(r.features))
		for i, f := range r.features {
			v, status := r.plan.FeatureValue(r.merger.Value(f, asOf), r.plan.Features()[f].Spec)
			p.Values[i] = FeatureValue{Value: v, Status: status}
		}
		return
	}
	// When the buffer moves, what was encoded stays where it was until the answer is released.
	from := len(r.buf)
	for i, f := range r.features {
		if i > 0 {
			r.buf = append(r.buf, ',')
		}
		r.buf = r.merger.AppendAnswer(r.buf, f, asOf)
	}
	p.Encoded = r.buf[from:len(r.buf):len(r.buf)]
}

// merge adds up the tiles of one row, notes what it says of itself, and returns the time to read it at.
func (r *rowReader) merge(p *Profile, tiles [][]byte) (asOf int64, err error) {
	m := r.merger
	m.Reset()
	for _, t := range tiles {
		if _, err := m.AddTile(t); err != nil {
			return 0, fmt.Errorf("%w: %w", ErrTile, err)
		}
	}
	if err := m.Finish(); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrTile, err)
	}
	p.Found, p.Newest, p.Events = m.Found(), m.Newest(), m.Events()
	return AsOf(r.opt, p.Newest, r.now)
}
