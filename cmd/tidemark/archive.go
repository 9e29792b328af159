package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/speed/archive"
)

// startArchive archives every source beside.
func (n *node) startArchive(ctx context.Context) error {
	for i := range n.job.Sources {
		src := n.job.Sources[i]
		t, err := n.kafka.Topic(ctx, src.Topic)
		if err != nil {
			return fmt.Errorf("describing topic %s: %w", src.Topic, err)
		}
		a, err := archive.New(archive.Config{
			Dir: n.o.archive, Source: src, Topic: topicOf(t), Log: n.kafka.NewFetcher(t), Logger: n.logger, TailAge: n.tailAge,
			Partitions: func(ctx context.Context) ([]int32, error) { return n.partitions(ctx, &src) },
		})
		if err != nil {
			return err
		}
		n.mu.Lock()
		n.archivers = append(n.archivers, a)
		n.mu.Unlock()
		n.beside.Go(func() { n.fail(guard(func() error { return a.Run(ctx) })) })
	}
	return nil
}

func (n *node) partitions(ctx context.Context, src *schema.Source) ([]int32, error) {
	t, err := n.kafka.Topic(ctx, src.Topic)
	if err == nil {
		n.metrics.retention.set(src.Name, t.Retention)
	}
	return t.Partitions, err
}

// archiving returns the archivers that were started, in order of sources.
func (n *node) archiving() []*archive.Archiver {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.archivers)
}

// archived returns how far the archive of every partition is, in order of sources and partitions; nothing of a source whose
// partitions are not known yet.
func (n *node) archived() [][]archive.Progress {
	all := n.archiving()
	out := make([][]archive.Progress, 0, len(all))
	for _, a := range all {
		out = append(out, a.Stats.Partitions())
	}
	return out
}

// archiveReady tells why the archive is not filled, nil if it is.
func (n *node) archiveReady() error {
	known := n.archived()
	if len(known) < len(n.job.Sources) {
		return errors.New("archiving has not begun")
	}
	var errs []error
	for i, all := range known {
		if len(all) == 0 {
			errs = append(errs, fmt.Errorf("the partitions of source %s are not known yet", n.job.Sources[i].Name))
		}
		for _, p := range all {
			if p.Failed != "" {
				errs = append(errs, fmt.Errorf("archiving %s stopped: %s", p.Partition, p.Failed))
			}
		}
	}
	return errors.Join(errs...)
}
