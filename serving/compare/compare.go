package compare

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"time"

	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/view"
)

// Bounds of one comparison.
const (
	// DefaultSample is how many entities are compared unless said otherwise.
	DefaultSample = 1000
	// MaxExamples bounds the examples of each feature; all differences are counted.
	MaxExamples = 3
	rowsAtOnce  = 256
	// A row is read this often, at this pace, until both generations hold the same events of it: lanes without events
	// move their marks each second.
	maxTries = 40
	tryEvery = 100 * time.Millisecond
)

// Store is what comparing reads.
type Store interface {
	lookup.ExactStore
	Scan(ctx context.Context, namespace string, yield func(lane.RowID) error) error
}

// Config says what is compared.
type Config struct {
	Store Store
	// Old is the generation that is served, New the one that is held against it.
	Old, New *lookup.Generation
	// Sample bounds the entities compared, chosen anew each time among those of both; 0 = DefaultSample.
	Sample int
}

// Report is what was found.
type Report struct {
	View         string          `json:"view"`
	Old          int64           `json:"old"` // generations
	New          int64           `json:"new"`
	SameRevision bool            `json:"same_revision"`
	Entities     int             `json:"entities"` // compared
	Differ       int             `json:"differ"`   // of them, in any feature or, within one revision, in any byte
	Moving       int             `json:"moving"`   // not compared: the two never held the same events, or a lane claims nothing
	Why          string          `json:"why_moving,omitempty"`
	Features     []FeatureReport `json:"features"`
}

// FeatureReport is what was found of one feature.
type FeatureReport struct {
	Feature  string    `json:"feature"`
	In       string    `json:"in"` // "both", "old" or "new"
	Equal    int       `json:"equal"`
	Differ   int       `json:"differ"`
	Examples []Example `json:"examples"`
}

// Example is one entity for which the two answer differently, as JSON.
type Example struct {
	Entity string `json:"entity"`
	Old    string `json:"old"`
	New    string `json:"new"`
}

// Run compares samples. An error says that it could not be carried out.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	if cfg.Sample == 0 {
		cfg.Sample = DefaultSample
	}
	c := &comparison{cfg: &cfg, old: newSide(cfg.Old), new: newSide(cfg.New)}
	c.report = &Report{
		View: cfg.Old.Plan.Spec().Name, Old: cfg.Old.Number, New: cfg.New.Number, SameRevision: cfg.Old.Revision == cfg.New.Revision,
	}
	c.features()
	keys, err := c.sample(ctx)
	if err != nil {
		return nil, err
	}
	for chunk := range slices.Chunk(keys, rowsAtOnce) {
		if err := c.compare(ctx, chunk); err != nil {
			return nil, err
		}
	}
	return c.report, nil
}

type comparison struct {
	cfg      *Config
	old, new *side
	pairs    []pair // of features, parallel to report.Features
	report   *Report
}

// pair is where a feature stands in the two plans; -1: not at all.
type pair struct{ old, new int }

// side is one generation with the row that is looked at.
type side struct {
	gen    *lookup.Generation
	merger *view.Merger
	body   []byte
	claims map[position.Partition]int64
	last   map[position.Partition]int64
}

func newSide(g *lookup.Generation) *side { return &side{gen: g, merger: g.Plan.NewMerger()} }

// features lists those of the new plan in its order, then those that only the old one has.
func (c *comparison) features() {
	old, fresh := c.cfg.Old.Plan, c.cfg.New.Plan
	add := func(name, in string, p pair) {
		c.pairs = append(c.pairs, p)
		c.report.Features = append(c.report.Features, FeatureReport{Feature: name, In: in, Examples: []Example{}})
	}
	for i := range fresh.Features() {
		name := fresh.Features()[i].Spec.Name
		if at := old.Feature(name); at >= 0 {
			add(name, "both", pair{at, i})
		} else {
			add(name, "new", pair{-1, i})
		}
	}
	for i := range old.Features() {
		if name := old.Features()[i].Spec.Name; fresh.Feature(name) < 0 {
			add(name, "old", pair{i, -1})
		}
	}
}

// sample returns random keys among all rows of both: those with the smallest hashes.
func (c *comparison) sample(ctx context.Context) ([]string, error) {
	type hashed struct {
		hash uint64
		key  string
	}
	seed := maphash.MakeSeed()
	var kept []hashed
	most := ^uint64(0) // a key above is not among the smallest
	shrink := func() {
		slices.SortFunc(kept, func(a, b hashed) int { return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.key, b.key)) })
		kept = slices.Compact(kept)
		if len(kept) > c.cfg.Sample {
			kept = kept[:c.cfg.Sample]
			most = kept[len(kept)-1].hash
		}
	}
	for _, g := range []*lookup.Generation{c.cfg.Old, c.cfg.New} {
		err := c.cfg.Store.Scan(ctx, g.Namespace, func(id lane.RowID) error {
			if h := maphash.Bytes(seed, id.Key); h <= most {
				kept = append(kept, hashed{h, string(id.Key)})
			}
			if len(kept) > 4*c.cfg.Sample {
				shrink()
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("scanning rows of generation %d: %w", g.Number, err)
		}
	}
	shrink()
	keys := make([]string, 0, len(kept))
	for _, k := range kept {
		keys = append(keys, k.key)
	}
	slices.Sort(keys)
	return keys, nil
}

// compare compares the rows of some keys, reading those again that are not at rest.
func (c *comparison) compare(ctx context.Context, keys []string) error {
	for try := 1; len(keys) > 0; try++ {
		var again []string
		why, err := c.round(ctx, keys, func(key string) { again = append(again, key) })
		if err != nil {
			return err
		}
		if keys = again; try == maxTries {
			c.report.Moving += len(again)
			c.report.Why = why
			return nil
		}
		if len(keys) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(tryEvery):
		}
	}
	return nil
}

// round reads the rows of keys once and judges those that hold the same events; the others go to again. why tells of the
// last of them.
func (c *comparison) round(ctx context.Context, keys []string, again func(string)) (why string, err error) {
	raw := make([][]byte, len(keys))
	for i, k := range keys {
		raw[i] = []byte(k)
	}
	olds, err := lookup.ExactRows(ctx, c.cfg.Store, c.cfg.Old, raw)
	if err != nil {
		return "", err
	}
	news, err := lookup.ExactRows(ctx, c.cfg.Store, c.cfg.New, raw)
	if err != nil {
		return "", err
	}
	for i, key := range keys {
		moving := cmp.Or(c.old.read(&olds[i]), c.new.read(&news[i]))
		if moving == "" {
			moving = c.apart()
		}
		if moving != "" {
			why = key + ": " + moving
			again(key)
			continue
		}
		c.judge(key)
	}
	return why, nil
}

// read merges a row; it returns why the row cannot be compared now.
func (s *side) read(r *lookup.Row) string {
	name := fmt.Sprintf("generation %d", s.gen.Number)
	if why := lookup.Claims(r.Marks); why != "" {
		return name + ": " + why
	}
	s.claims, s.last, s.body = map[position.Partition]int64{}, map[position.Partition]int64{}, nil
	s.merger.Reset()
	for _, t := range r.Values() {
		if _, err := s.merger.AddTile(t); err != nil {
			return name + ": " + err.Error()
		}
	}
	if err := s.merger.Finish(); err != nil {
		return name + ": " + err.Error()
	}
	for mark, wire := range r.Marks {
		p, err := position.ParsePartition(mark)
		m, merr := lane.ParseMark(wire)
		if mark == lane.BatchName || err != nil || merr != nil {
			continue // Claims has judged them
		}
		s.claims[p] = m.Next
		if rank := s.gen.Plan.SourceRank(p.Source); rank >= 0 && s.merger.Found() {
			s.last[p] = s.merger.Last(rank, p.ID)
		}
	}
	if s.merger.Found() {
		s.body = s.merger.AppendBody(nil)
	}
	return ""
}

// apart tells where one of the two may hold an event of the entity that the other does not yet; empty if nowhere.
func (c *comparison) apart() string {
	for _, pair := range [][2]*side{{c.old, c.new}, {c.new, c.old}} {
		for p, last := range pair[0].last {
			if other := pair[1]; other.gen.Plan.SourceRank(p.Source) >= 0 && last >= other.claims[p] {
				return fmt.Sprintf("generation %d holds offset %d of %s, generation %d is at %d",
					pair[0].gen.Number, last, p, other.gen.Number, other.claims[p])
			}
		}
	}
	return ""
}

// judge compares what the two answer of an entity, both at the newest event of either.
func (c *comparison) judge(key string) {
	c.report.Entities++
	differs := c.report.SameRevision && !bytes.Equal(c.old.body, c.new.body)
	asOf := max(c.old.merger.Newest(), c.new.merger.Newest())
	for i, p := range c.pairs {
		f := &c.report.Features[i]
		if f.In != "both" {
			continue
		}
		was, is := c.old.value(p.old, asOf), c.new.value(p.new, asOf)
		if was == is {
			f.Equal++
			continue
		}
		differs = true
		f.Differ++
		if len(f.Examples) < MaxExamples {
			f.Examples = append(f.Examples, Example{Entity: key, Old: was, New: is})
		}
	}
	if differs {
		c.report.Differ++
	}
}

// value returns what a feature answers, as JSON.
func (s *side) value(feature int, asOf int64) string {
	v, _ := s.gen.Plan.FeatureValue(s.merger.Value(feature, asOf), s.gen.Plan.Features()[feature].Spec)
	return string(v.AppendJSON(nil))
}
