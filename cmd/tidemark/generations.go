package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/spf13/cobra"

	batch "github.com/tidemark-io/tidemark/batch/service"
	"github.com/tidemark-io/tidemark/serving/store"
	"github.com/tidemark-io/tidemark/shared/crash"
	"github.com/tidemark-io/tidemark/shared/job"
)

// The commands that begin, serve and end generations write to the view's journal under --state and bring the manifest. A
// running up follows within a second; without one, batch --once does what is to be done.

// operation is what these commands have opened.
type operation struct {
	o       options
	job     *job.Job
	view    string
	store   store.Store
	service *batch.Service
}

// open reads JOB and VIEW and connects to the store. close ends that.
func (op *operation) open(cmd *cobra.Command, args []string, block int64) (err error) {
	if err := fromEnvironment(cmd, &op.o); err != nil {
		return err
	}
	if op.job, err = loadJob(args[0]); err != nil {
		return err
	}
	if op.view = args[1]; op.job.View(op.view) == nil {
		return knownView(op.job, op.view)
	}
	if err := setBlock(op.job, block); err != nil {
		return err
	}
	if op.store, err = openStore(cmd.Context(), &op.o, newToolLogger(cmd.ErrOrStderr()), changeStore); err != nil {
		return err
	}
	if block == 0 {
		err = adoptBlocks(cmd.Context(), newCatalog(op.job, op.store), op.o.state)
	}
	if err == nil {
		err = op.begin()
	}
	if err != nil {
		return errors.Join(err, op.close())
	}
	return nil
}

func (op *operation) begin() error {
	cfg, err := batchConfig(op.job, &op.o, op.store, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	op.service, err = batch.New(cfg)
	return err
}

func (op *operation) close() error { return op.store.Close() }

// flags registers what all of these commands need.
func (op *operation) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	op.o.storeFlag(f)
	op.o.stateFlag(f)
	op.o.waitFlag(f)
	op.o.archive = "data/archive" // rebuild alone looks at it, by its flag
}

// generationError gives an error of these commands its class.
func generationError(err error) error {
	switch {
	case errors.Is(err, batch.ErrChoice):
		return asUsage(err)
	case errors.Is(err, batch.ErrNotReady):
		return &classed{errUnreachable, fmt.Errorf("%w\nstatus tells how far it is; a longer --wait waits for it", err)}
	}
	return batchError(err)
}

// parseGeneration reads the number of a generation.
func parseGeneration(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, usagef("GENERATION %q is no number of a generation; versions lists them", text)
	}
	return n, nil
}

func newRebuild() *cobra.Command {
	var op operation
	var block int64
	cmd := &cobra.Command{
		Use:   "rebuild JOB VIEW",
		Short: "Begin a new generation of a view from the archive, beside the served one",
		Long: `rebuild begins a generation of what the job's files declare: after damage, or to change --block or the number of lanes. The
served generation goes on being served. A running up, or batch --once, makes the new one's first run from the whole archive
and fills its lanes; speed feeds it from there on. Then diff compares it with the served one, and promote serves it.
An edited view needs no rebuild: up and batch --once begin its new generation by themselves.`,
		ValidArgsFunction: completeView,
		Args:              func(cmd *cobra.Command, args []string) error { return wantArgs(cmd, args, 2, 2) },
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := op.open(cmd, args, block); err != nil {
				return err
			}
			defer op.close()
			n, err := op.service.Rebuild(cmd.Context(), op.view)
			if err != nil {
				return generationError(err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "view %s: generation %d is begun; a running up, or batch --once, builds it\n", op.view, n)
			return nil
		},
	}
	op.flags(cmd)
	op.o.archiveFlag(cmd.Flags())
	cmd.Flags().Int64Var(&block, "block", 0, "offsets in a block of every source, a power of two; 0 = as the served generation has them")
	return cmd
}

func newPromote() *cobra.Command {
	var op operation
	var sample int
	cmd := &cobra.Command{
		Use:   "promote JOB VIEW [GENERATION]",
		Short: "Serve another generation of a view; the one that was served is kept",
		Long: `promote moves the alias of a view to GENERATION, by default the newest that is fed and not served. It waits, at most
--wait, until that is complete: every lane is whole and has taken in all that the served generation had when promote
began; otherwise it says what is missing. A generation of the same revision must also answer alike: promote compares a
sample and refuses, with exit code 1, if anything differs. One of another revision answers otherwise by intent: look at
diff before. Readers follow within 100 ms. The generation that was served is kept and fed, until drop: rollback goes back.`,
		ValidArgsFunction: completeView,
		Args:              func(cmd *cobra.Command, args []string) error { return wantArgs(cmd, args, 2, 3) },
		RunE: func(cmd *cobra.Command, args []string) error {
			if sample < 0 {
				return usagef("--sample %d: want 0 or more", sample)
			}
			if err := op.open(cmd, args, 0); err != nil {
				return err
			}
			defer op.close()
			n, err := op.candidate(cmd.Context(), args[2:])
			if err != nil {
				return err
			}
			if err := op.service.Ready(cmd.Context(), op.view, n); err != nil {
				return generationError(err)
			}
			if err := op.mustAgree(cmd.Context(), n, sample); err != nil {
				return err
			}
			crash.Point(crash.PromoteCompared)
			if err := op.service.Promote(cmd.Context(), op.view, n); err != nil {
				return generationError(err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "view %s: generation %d is served\n", op.view, n)
			return nil
		},
	}
	op.flags(cmd)
	cmd.Flags().IntVar(&sample, "sample", 0, "compare about this many entities; 0 = 1000")
	return cmd
}

// candidate is the generation that was named, or the newest beside the served one.
func (op *operation) candidate(ctx context.Context, named []string) (int64, error) {
	if len(named) > 0 {
		return parseGeneration(named[0])
	}
	n, err := op.service.Candidate(ctx, op.view)
	return n, generationError(err)
}

// mustAgree compares a generation with the served one, if both are of one revision.
func (op *operation) mustAgree(ctx context.Context, number int64, sample int) error {
	old, fresh, err := op.generations(ctx, number)
	if err != nil || old.Revision != fresh.Revision {
		return err
	}
	r, err := op.compare(ctx, old, fresh, sample)
	if err != nil {
		return err
	}
	return agreed(r)
}

func newRollback() *cobra.Command {
	var op operation
	cmd := &cobra.Command{
		Use:   "rollback JOB VIEW",
		Short: "Serve the generation again that was served before",
		Long: `rollback moves the alias of a view back to the generation in whose place the served one came. That was kept and fed since,
so it is exact up to now. The conditions are those of promote, without the comparison.`,
		ValidArgsFunction: completeView,
		Args:              func(cmd *cobra.Command, args []string) error { return wantArgs(cmd, args, 2, 2) },
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := op.open(cmd, args, 0); err != nil {
				return err
			}
			defer op.close()
			n, err := op.service.Rollback(cmd.Context(), op.view)
			if err != nil {
				return generationError(err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "view %s: generation %d is served again\n", op.view, n)
			return nil
		},
	}
	op.flags(cmd)
	return cmd
}

func newDrop() *cobra.Command {
	var op operation
	cmd := &cobra.Command{
		Use:   "drop JOB VIEW GENERATION",
		Short: "End a generation that is not served",
		Long: `drop ends a generation for good: it is not fed any more and gets no runs. A running up, or batch --once, marks its lanes as
dropped and deletes its run files; up deletes its rows ten minutes later, when no reader can be reading them.`,
		ValidArgsFunction: completeView,
		Args:              func(cmd *cobra.Command, args []string) error { return wantArgs(cmd, args, 3, 3) },
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := parseGeneration(args[2])
			if err != nil {
				return err
			}
			if err := op.open(cmd, args, 0); err != nil {
				return err
			}
			defer op.close()
			if err := op.service.Drop(cmd.Context(), op.view, n); err != nil {
				return generationError(err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "view %s: generation %d is dropped\n", op.view, n)
			return nil
		},
	}
	op.flags(cmd)
	return cmd
}
