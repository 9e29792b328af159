package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark-io/tidemark/batch/publish"
	"github.com/tidemark-io/tidemark/batch/recompute"
	"github.com/tidemark-io/tidemark/batch/schedule"
	batch "github.com/tidemark-io/tidemark/batch/service"
	"github.com/tidemark-io/tidemark/serving/store"
	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/view"
)

// batchLayer is the batch role within a process of all roles.
type batchLayer struct {
	service *batch.Service
}

// leftoverGrace is how long rows that nobody can reach are kept. Tests shorten it, in processes of their own.
var leftoverGrace = publish.Grace

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
		Grace: leftoverGrace,
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
	cfg.Starts = n.starts
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

// summary says in a few words how far batch is, views that are equally far together.
func (b *batchLayer) summary() string {
	if err := b.failure(); err != nil {
		return "batch stopped: " + err.Error()
	}
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
	return run, settled || b.failure() != nil
}

// recordsBelow returns how many offsets lie below a cut.
func recordsBelow(c position.Cut) int64 {
	total := int64(0)
	for _, next := range c {
		total += next
	}
	return total
}

func newBatch() *cobra.Command {
	var o options
	var once, check bool
	var repeat, block int64
	cmd := &cobra.Command{
		Use:   "batch JOB --once | --check | --repeat RUN",
		Short: "Make one run and publish it, or recompute everything and compare",
		Long: `batch --once makes a run of every view that has new complete blocks in the archive, checks it, and publishes it until every
lane has it; with nothing new it says so and exits 0. batch --check recomputes all states at the last cut from the whole
archive and compares them with what the run files make together; it exits 1 if a row is wrong. After a run that failed its
check no more are made: mend the cause, then batch --repeat RUN makes that run again, with its cut, and goes on as --once
does; a running up goes on by itself then.`,
		ValidArgsFunction: completeJob,
		Args:              oneJob,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := fromEnvironment(cmd, &o); err != nil {
				return err
			}
			if n := count(once, check, repeat != 0); n != 1 || repeat < 0 {
				return usagef("say one of --once, --check and --repeat RUN")
			}
			j, err := loadJob(args[0])
			if err != nil {
				return err
			}
			if err := setBlock(j, block); err != nil {
				return err
			}
			s, err := openStore(cmd.Context(), &o, newToolLogger(cmd.ErrOrStderr()), changeStore)
			if err != nil {
				return err
			}
			defer s.Close()
			if block == 0 {
				if err := adoptBlocks(cmd.Context(), newCatalog(j, s)); err != nil {
					return err
				}
			}
			cfg, err := batchConfig(j, &o, s, slog.New(slog.DiscardHandler)) // Events tell what happens
			if err != nil {
				return err
			}
			cfg.Events = batchProgress(cmd.ErrOrStderr())
			service, err := batch.New(cfg)
			if err != nil {
				return err
			}
			if check {
				return batchCheck(cmd.Context(), service, cmd.OutOrStdout())
			}
			work := service.Once
			if repeat != 0 {
				work = func(ctx context.Context) (batch.Report, error) { return service.Repeat(ctx, repeat) }
			}
			return batchOnce(cmd.Context(), work, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	o.storeFlag(f)
	o.archiveFlag(f)
	o.stateFlag(f)
	o.runFlags(f)
	o.waitFlag(f)
	f.BoolVar(&once, "once", false, "make and publish one run, if there is something new")
	f.BoolVar(&check, "check", false, "recompute everything and compare it with the run files")
	f.Int64Var(&repeat, "repeat", 0, "make the run of this number again, which failed its check")
	f.Int64Var(&block, "block", 0, "offsets in a block of every source, a power of two; 0 = as the views were made with, or as the sources declare")
	return cmd
}

// count returns how many are true.
func count(all ...bool) (n int) {
	for _, one := range all {
		if one {
			n++
		}
	}
	return n
}

// batchProgress prints what batch does, at most every few seconds where it is only progress.
func batchProgress(w io.Writer) func(batch.Event) {
	var mu sync.Mutex
	var last time.Time
	return func(e batch.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Kind == batch.EventProgress {
			if time.Since(last) < progressEvery {
				return
			}
			last = time.Now()
			fmt.Fprintf(w, "%s: %d of %d\n", e.Step, e.Done, e.Total)
			return
		}
		if line := batchLine(e); line != "" {
			fmt.Fprintln(w, line)
		}
	}
}

// batchLine says what happened; empty for what the command's own last lines say.
func batchLine(e batch.Event) string {
	line := string(e.Kind)
	switch e.Kind {
	case batch.EventSkipped, batch.EventFailed:
		return ""
	case batch.EventPublished:
		line = "run is in every lane"
	case batch.EventBegun, batch.EventSwept, batch.EventTidied:
		line = fmt.Sprintf("%d %s", e.Done, e.Kind)
	default:
	}
	switch {
	case e.Run > 0:
		line = fmt.Sprintf("view %s, generation %d, run %d: %s", e.View, e.Generation, e.Run, line)
	case e.View != "":
		line = fmt.Sprintf("view %s, generation %d: %s", e.View, e.Generation, line)
	}
	if e.Err != nil {
		line += ": " + e.Err.Error()
	}
	return line
}

func batchOnce(ctx context.Context, work func(context.Context) (batch.Report, error), w io.Writer) error {
	report, err := work(ctx)
	if err != nil {
		return batchError(err)
	}
	if report.Skipped != "" {
		fmt.Fprintf(w, "nothing to do: %s\n", report.Skipped)
	}
	for i := range report.Runs {
		r := &report.Runs[i]
		fmt.Fprintf(w, "view %s, generation %d: run %d (%s) at cut %s, %d rows, digest %s, in %v; published\n",
			r.View, r.Generation, r.Run, r.Kind, r.Cut, r.Checked.Rows, r.Digest, r.Took.Round(time.Millisecond))
	}
	return nil
}

// batchError gives an error of batch its class.
func batchError(err error) error {
	switch {
	case errors.Is(err, batch.ErrCheck):
		return &classed{errWrong, err}
	case errors.Is(err, batch.ErrRevision), errors.Is(err, batch.ErrChoice):
		return asUsage(err)
	case errors.Is(err, lane.ErrUnavailable):
		return &classed{errUnreachable, err}
	}
	return err
}

// batchCheck is the full check.
func batchCheck(ctx context.Context, s *batch.Service, w io.Writer) error {
	report, err := s.Check(ctx)
	if err != nil {
		return batchError(err)
	}
	for i := range report.Views {
		v := &report.Views[i]
		if v.Run == 0 {
			fmt.Fprintf(w, "view %s, generation %d: no run yet, nothing to compare\n", v.View, v.Generation)
			continue
		}
		fmt.Fprintf(w, "view %s, generation %d, run %d at cut %s: %d rows, %d wrong; digest of the run files %s, of the recompute %s\n",
			v.View, v.Generation, v.Run, v.Cut, v.Rows, v.Wrong, v.Files, v.Recompute)
		for _, m := range v.First {
			fmt.Fprintf(w, "  wrong: %s: %s\n", m.Key, m.Reason)
		}
	}
	if n := report.Wrong(); n > 0 {
		return &classed{errWrong, fmt.Errorf("%d rows of the run files are not what the archive makes", n)}
	}
	return nil
}
