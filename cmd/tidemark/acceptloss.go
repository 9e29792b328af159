package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/speed/archive"
)

// loss is what --accept-loss names: records of a partition that nobody has.
type loss struct {
	src       *schema.Source
	partition int32
	lost      position.Range
}

// parseLoss reads P:FROM-TO, or SOURCE/P:FROM-TO of a job with several sources.
func parseLoss(j *job.Job, text string) (loss, error) {
	malformed := usagef("--accept-loss %q: want P:FROM-TO or SOURCE/P:FROM-TO, such as %s/0:1000-2000 for offsets 1000 to 1999", text, j.Sources[0].Name)
	name, rest, named := strings.Cut(text, "/")
	if !named {
		name, rest = "", text
	}
	partition, offsets, ok := strings.Cut(rest, ":")
	from, to, ranged := strings.Cut(offsets, "-")
	if !ok || !ranged {
		return loss{}, malformed
	}
	id, err1 := strconv.ParseUint(partition, 10, 31)
	first, err2 := strconv.ParseInt(from, 10, 64)
	next, err3 := strconv.ParseInt(to, 10, 64)
	if errors.Join(err1, err2, err3) != nil || first >= next || next > position.MaxOffset {
		return loss{}, malformed
	}
	src, err := pickSource(j, name)
	if err != nil {
		return loss{}, err
	}
	return loss{src: src, partition: int32(id), lost: position.Range{From: first, Next: next}}, nil
}

// acceptLosses writes the archive files that say that records are lost, each if Kafka does not have them.
func (d *deployment) acceptLosses(cmd *cobra.Command, folder string, texts []string) error {
	j, err := loadJob(folder)
	if err != nil {
		return err
	}
	var all []loss
	for _, text := range texts {
		l, err := parseLoss(j, text)
		if err != nil {
			return err
		}
		all = append(all, l)
	}
	c, err := dialKafka(cmd.Context(), &d.options, newToolLogger(cmd.ErrOrStderr()))
	if err != nil {
		return err
	}
	defer c.Close()
	for _, l := range all {
		if err := l.accept(cmd.Context(), c, d.archive, cmd.OutOrStdout()); err != nil {
			return err
		}
	}
	return nil
}

// accept writes one of the files.
func (l *loss) accept(ctx context.Context, c *kafkalog.Client, dir string, w io.Writer) error {
	p := position.Partition{Source: l.src.Name, ID: l.partition}
	t, err := c.Topic(ctx, l.src.Topic)
	if err != nil {
		return err
	}
	if !slices.Contains(t.Partitions, l.partition) {
		return usagef("--accept-loss: topic %s has no partition %d", t.Name, l.partition)
	}
	if err := archivefile.CheckTopic(dir, l.src.Name, topicOf(t)); err != nil {
		return err
	}
	bounds, err := c.Bounds(ctx, t.Name, []int32{l.partition})
	if err != nil {
		return err
	}
	path, err := archive.AcceptLoss(archivefile.OS{}, dir, l.src, l.partition, l.lost, bounds[l.partition].LogStart)
	if errors.Is(err, archive.ErrNotLost) {
		return asUsage(err)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "of %s the records %s are lost, says %s; what the speed layer had taken in of them goes when a run covers their blocks, "+
		"or at once by refill of every lane\n", p, l.lost, path)
	return nil
}
