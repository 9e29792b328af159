package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tidemark-io/tidemark/batch/publish"
	"github.com/tidemark-io/tidemark/batch/recompute"
	"github.com/tidemark-io/tidemark/batch/schedule"
	batch "github.com/tidemark-io/tidemark/batch/service"
	"github.com/tidemark-io/tidemark/serving/store"
	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/view"
)

// batchLayer is the batch role of a process.
type batchLayer struct {
	service *batch.Service
}

// leftoverGrace is how long rows that nobody can reach are kept. Tests shorten it, in processes of their own.
var leftoverGrace = publish.Grace

// judge is what computes sampled rows of a run a second time, nil for the oracle. Tests let it lie, in processes of their own.
var judge func(*view.Plan) (recompute.Judge, error)

// batchConfig is what every use of batch has in common. Blocks are those of the job, which --block may have changed.
func batchConfig(j *job.Job, o *options, s store.Store, l logger) (batch.Config, error) {
	var plans []*view.Plan
	for i := range j.Views {
		p, err := view.Compile(j.Views[i])
		if err != nil {
			return batch.Config{}, fmt.Errorf("compiling view %s: %w", j.Views[i].Name, err)
		}
		plans = append(plans, p)
	}
	return batch.Config{
		Job: j.Name, Plans: plans, State: o.state, Archive: recompute.Folder(o.archive), Store: s, Memory: int64(o.memory), Every: o.every, Wait: o.wait, Logger: l,
		Grace: leftoverGrace, Topics: archiveTopics(o.archive), Judge: judge,
	}, nil
}

func newBatchLayer(n *node) (*batchLayer, error) {
	cfg, err := batchConfig(n.job, n.o, n.store, n.logger)
	if err != nil {
		return nil, err
	}
	if cfg.Schedule, err = schedule.Parse(n.cron); err != nil {
		return nil, usagef("--cron: %w", err)
	}
	cfg.Starts, cfg.Topics = n.starts, n.topicOf
	s, err := batch.New(cfg)
	if err != nil {
		return nil, err
	}
	return &batchLayer{service: s}, nil
}

// starts returns the first offsets that the topic of a source has.
func (n *node) starts(ctx context.Context, src *schema.Source) (map[int32]int64, error) {
	t, err := n.kafka.Topic(ctx, src.Topic)
	if err != nil {
		return nil, fmt.Errorf("describing topic %s: %w", src.Topic, err)
	}
	bounds, err := n.kafka.Bounds(ctx, t.Name, t.Partitions)
	if err != nil {
		return nil, err
	}
	starts := make(map[int32]int64, len(bounds))
	for p, b := range bounds {
		starts[p] = b.LogStart
	}
	return starts, nil
}

// run works until ctx ends. A run that failed its check, or an archive or earlier run files at fault, stop batch and nothing else: what is
// published goes on being fed and served, and readyz says why.
func (b *batchLayer) run(ctx context.Context) error {
	err := guard(func() error { return b.service.Run(ctx) })
	if errors.Is(err, batch.ErrCheck) || errors.Is(err, batch.ErrArchive) || errors.Is(err, recompute.ErrPast) || errors.Is(err, recompute.ErrPanic) {
		return nil // failure says so while the process runs
	}
	return batchError(err)
}

// failure returns why batch has stopped, nil if it has not.
func (b *batchLayer) failure() error { return b.service.Failure() }

// stopped tells whether it has.
func (b *batchLayer) stopped() bool { return b.failure() != nil }

// refused returns which lanes batch leaves alone until somebody acts, and why; nil if there are none.
func (b *batchLayer) refused() error { return b.service.Refused() }

// summary says in a few words how far batch is, and what is wrong.
func (b *batchLayer) summary() string {
	text := b.reached()
	if err := b.failure(); err != nil {
		text = "batch stopped: " + err.Error()
	}
	if err := b.refused(); err != nil {
		text += "; lanes left alone: " + err.Error()
	}
	return text
}

// reached says how far batch is, views that are equally far together.
func (b *batchLayer) reached() string {
	var words []string
	views := map[string][]string{}
	for _, v := range b.service.Status() {
		text := "no run yet"
		if v.Run > 0 {
			text = fmt.Sprintf("run %d (%s), cut at %d records", v.Run, v.Kind, recordsBelow(v.Cut))
		}
		if v.Run > 0 && !v.Lanes.Complete() {
			text += fmt.Sprintf(", in %d of %d lanes", v.Lanes.Done, v.Lanes.Lanes)
		}
		if views[text] == nil {
			words = append(words, text)
		}
		views[text] = append(views[text], v.View)
	}
	switch len(words) {
	case 0:
		return "no run yet"
	case 1:
		return words[0]
	}
	for i, text := range words {
		words[i] = strings.Join(views[text], ", ") + ": " + text
	}
	return strings.Join(words, "; ")
}

// published returns the highest run that every lane of every view has taken in, and whether that is all there is: no run
// is pending, none is still to be brought to a lane.
func (b *batchLayer) published() (run int64, settled bool) {
	all := b.service.Status()
	settled = len(all) > 0
	for i := range all {
		v := &all[i]
		in := max(v.Lanes.Run-1, 0)
		if i == 0 || in < run {
			run = in
		}
		settled = settled && v.Pending == 0 && in == v.Run
	}
	return run, settled || b.stopped()
}

// recordsBelow returns how many offsets lie below a cut.
func recordsBelow(c position.Cut) int64 {
	total := int64(0)
	for _, next := range c {
		total += next
	}
	return total
}
