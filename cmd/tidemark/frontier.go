package main

import (
	"context"
	"fmt"

	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// behind tells which lane has not taken in the whole log yet; empty if all have.
func (n *node) behind(ctx context.Context) (string, error) {
	for _, name := range n.reader.Views() {
		g, err := n.reader.Served(ctx, name)
		if err != nil {
			return "", err
		}
		ids := make([]lane.ID, g.Lanes)
		for i := range ids {
			ids[i] = lane.ID{Namespace: g.Namespace, N: i}
		}
		marks, err := n.store.Marks(ctx, ids)
		if err != nil {
			return "", fmt.Errorf("reading marks: %w", err)
		}
		for i := range g.Plan.Spec().Sources {
			stretches, err := n.history.Stretches(ctx, &g.Plan.Spec().Sources[i])
			if err != nil {
				return "", err
			}
			for _, s := range stretches {
				for k, m := range marks {
					if why := lookup.Claims(m); why != "" {
						return fmt.Sprintf("lane %s: %s", ids[k], why), nil
					}
					mark, _, err := m.Partition(s.Partition)
					if err != nil {
						return "", err
					}
					if end := s.Range().Next; mark.Next < end {
						return fmt.Sprintf("lane %s is at %d of %s, the log ends at %d", ids[k], mark.Next, s.Partition, end), nil
					}
				}
			}
		}
	}
	return "", nil
}
