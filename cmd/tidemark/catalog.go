package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/serving/store"
	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/speed/service"
)

// catalog knows the generations that the manifests of a job's views name, compiled. Safe for concurrent use.
type catalog struct {
	job   *job.Job
	store store.Store

	mu    sync.Mutex
	seen  map[string]int64 // highest seq by view: an older manifest is what a store shows that lost data
	last  map[string]*manifest.Manifest
	plans map[string]*view.Plan // by namespace
}

func newCatalog(j *job.Job, s store.Store) *catalog {
	return &catalog{job: j, store: s, seen: map[string]int64{}, last: map[string]*manifest.Manifest{}, plans: map[string]*view.Plan{}}
}

// manifests returns the newest manifest seen of each view that has one, in order of views.
func (c *catalog) manifests(ctx context.Context) ([]*manifest.Manifest, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*manifest.Manifest
	for i := range c.job.Views {
		name := c.job.Views[i].Name
		seq, body, err := c.store.Manifest(ctx, manifest.Key(c.job.Name, name))
		if err != nil {
			return nil, fmt.Errorf("reading manifest of view %s: %w", name, err)
		}
		if seq > c.seen[name] {
			m, err := manifest.Decode(body)
			if err != nil {
				return nil, fmt.Errorf("reading manifest of view %s: %w", name, err)
			}
			c.seen[name], c.last[name] = seq, m
		}
		if m := c.last[name]; m != nil {
			out = append(out, m)
		}
	}
	return out, nil
}

// generations returns what the speed layer feeds.
func (c *catalog) generations(ctx context.Context) ([]service.Generation, error) {
	ms, err := c.manifests(ctx)
	if err != nil {
		return nil, err
	}
	var out []service.Generation
	for _, m := range ms {
		for i := range m.Generations {
			g := &m.Generations[i]
			if g.State == manifest.Dropped {
				continue
			}
			plan, err := c.plan(m, g)
			if err != nil {
				return nil, err
			}
			out = append(out, service.Generation{Namespace: m.Namespace(g), Number: g.Number, Plan: plan, Lanes: g.Lanes, Block: g.Blocks, Origin: g.Origin, Served: g.State == manifest.Served})
		}
	}
	return out, nil
}

// fed returns the generations of a view that are fed, compiled.
func (c *catalog) fed(ctx context.Context, viewName string) ([]*lookup.Generation, error) {
	ms, err := c.manifests(ctx)
	if err != nil {
		return nil, err
	}
	var out []*lookup.Generation
	for _, m := range ms {
		for i := range m.Generations {
			if g := &m.Generations[i]; m.View == viewName && g.State != manifest.Dropped {
				one, err := lookup.NewGeneration(m, g)
				if err != nil {
					return nil, err
				}
				out = append(out, one)
			}
		}
	}
	return out, nil
}

// lanes returns the lanes of all generations that are fed.
func (c *catalog) lanes(ctx context.Context) ([]lane.ID, error) {
	ms, err := c.manifests(ctx)
	if err != nil {
		return nil, err
	}
	var out []lane.ID
	for _, m := range ms {
		for i := range m.Generations {
			if g := &m.Generations[i]; g.State != manifest.Dropped {
				out = append(out, m.LaneIDs(g)...)
			}
		}
	}
	return out, nil
}

func (c *catalog) plan(m *manifest.Manifest, g *manifest.Generation) (*view.Plan, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.plans[m.Namespace(g)]; p != nil {
		return p, nil
	}
	p, err := view.Compile(g.Spec)
	if err != nil {
		return nil, fmt.Errorf("compiling generation %d of view %s: %w", g.Number, m.View, err)
	}
	c.plans[m.Namespace(g)] = p
	return p, nil
}
