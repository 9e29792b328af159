package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/position"
)

// batchLayer stands in for the batch role until package batch/service has landed: it begins lanes at the origin, without runs.
type batchLayer struct{ n *node }

func newBatchLayer(n *node) (*batchLayer, error) { return &batchLayer{n}, nil }
func (b *batchLayer) nudge()                     {}
func (b *batchLayer) failure() error             { return nil }
func (b *batchLayer) summary() string            { return "no batch" }
func (b *batchLayer) run(ctx context.Context) error {
	for ctx.Err() == nil {
		for i := range b.n.job.Plans {
			p := b.n.job.Plans[i]
			m := &manifest.Manifest{Seq: 1, Job: b.n.job.Name, View: p.Spec().Name, Generations: []manifest.Generation{{
				Identity: "aaaaaaaaaa", Number: 1, Revision: p.Revision(), State: manifest.Served, Spec: *p.Spec(), Lanes: 16, Blocks: map[string]int64{b.n.job.Sources[0].Name: b.n.job.Sources[0].Block}, Origin: position.Cut{}, Cut: position.Cut{}}}}
			e, err := m.Encode()
			if err != nil {
				return err
			}
			if _, err := b.n.store.PutManifest(ctx, manifest.Key(m.Job, m.View), 1, e); err != nil {
				return err
			}
			for _, id := range m.LaneIDs(&m.Generations[0]) {
				b.n.store.Apply(ctx, []lane.Call{{Lane: id, Name: lane.BatchName, Set: lane.BatchMark{Incarnation: "bbbbbbbbbb", Run: 1}.Wire(), Once: true, Replace: map[string]string{}}})
			}
		}
		time.Sleep(time.Second)
	}
	return nil
}
func newBatch() *cobra.Command    { return &cobra.Command{Use: "batch"} }
func newVersions() *cobra.Command { return &cobra.Command{Use: "versions"} }
