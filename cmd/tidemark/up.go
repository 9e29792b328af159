package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark-io/tidemark/batch/schedule"
	"github.com/tidemark-io/tidemark/speed/archive"
)

// defaultCron is how often batch looks whether there is something to do.
const defaultCron = "*/15 * * * *"

func newUp() *cobra.Command {
	var o options
	var cron string
	var block int64
	var tailAge time.Duration
	cmd := &cobra.Command{
		Use:   "up JOB",
		Short: "Run every role of a job in one process, against any Kafka and store",
		Long: `up archives the job's topics to Parquet, runs batch on cron, applies events in the speed layer and answers lookups over
HTTP. It prints a line "ready role=up http=HOST:PORT" when every view is served. SIGTERM drains and exits 0; killed at any
moment it goes on where the store says, with nothing done by hand.`,
		ValidArgsFunction: completeJob,
		Args:              oneJob,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := fromEnvironment(cmd, &o); err != nil {
				return err
			}
			j, err := loadJob(args[0])
			if err != nil {
				return err
			}
			if err := setBlock(j, block); err != nil {
				return err
			}
			if tailAge < 0 {
				return usagef("--tail-age %v: want 0 or more", tailAge)
			}
			if _, err := schedule.Parse(cron); err != nil {
				return usagef("--cron: %w", err)
			}
			l := newLogger(cmd.ErrOrStderr())
			n, err := openNode(cmd.Context(), j, &o, l)
			if interrupted(cmd.Context(), err) {
				l.Info("told to end before anything was begun")
				return nil
			}
			if err != nil {
				return err
			}
			n.cron, n.tailAge = cron, tailAge
			if block == 0 {
				if err := adoptBlocks(cmd.Context(), n.catalog); err != nil {
					return errors.Join(err, n.close())
				}
			}
			return errors.Join(n.up(cmd), n.close())
		},
	}
	f := cmd.Flags()
	o.kafkaFlag(f)
	o.storeFlag(f)
	o.archiveFlag(f)
	o.stateFlag(f)
	o.httpFlag(f)
	o.groupFlags(f)
	o.lingerFlag(f)
	o.runFlags(f)
	o.waitFlag(f)
	f.StringVar(&cron, "cron", defaultCron, "when batch looks for new blocks: five cron `FIELDS`, or such as @every 15s")
	f.Int64Var(&block, "block", 0, "offsets in a block of every source, a power of two; 0 = as the views were made with, or as the sources declare")
	f.DurationVar(&tailAge, "tail-age", archive.DefaultTailAge, "how long a record waits in a block that does not fill before it is archived all the same; 0 = never")
	return cmd
}

// up runs the roles until the command's context ends or one fails for good.
func (n *node) up(cmd *cobra.Command) error {
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	err := n.start(ctx)
	if interrupted(cmd.Context(), err) {
		err = nil
	} else if err == nil {
		if err = n.awaitReady(ctx); err == nil && ctx.Err() == nil {
			fmt.Fprintln(cmd.OutOrStdout(), n.describe())
			select {
			case <-ctx.Done():
			case err = <-n.failed:
			}
		}
	}
	serr := n.endSpeed(false)
	cancel()
	n.beside.Wait()
	if err == nil {
		n.logger.Info("drained")
	}
	return errors.Join(err, serr)
}
