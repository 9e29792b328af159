package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/tidemark-io/tidemark/jobs"
	"github.com/tidemark-io/tidemark/serving/store"
	"github.com/tidemark-io/tidemark/shared/history"
	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
)

// retryEvery is how often something unreachable is tried again within --wait.
const retryEvery = 500 * time.Millisecond

// loadJob reads the job in the folder, or the built-in one of that name where there is no such folder.
func loadJob(folder string) (*job.Job, error) {
	j, embedded, err := jobs.Open(folder)
	if embedded && err == nil {
		fmt.Fprintf(os.Stderr, "there is no folder %s here; the built-in job %s is used\n", folder, j.Name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	return j, jobError(err)
}

// jobError makes a fault in a job's files an error of usage; one of reading them stays what it is.
func jobError(err error) error {
	if _, ok := errors.AsType[*job.Faults](err); ok {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	return err
}

// setBlock overrides the block size of all sources of a job. Revisions do not depend on it.
func setBlock(j *job.Job, block int64) error {
	if block == 0 {
		return nil
	}
	if !position.ValidBlock(block) {
		return fmt.Errorf("%w: --block %d: want a power of two up to %d", errUsage, block, 1<<30)
	}
	for i := range j.Sources {
		j.Sources[i].Block = block
	}
	for i := range j.Views {
		for k := range j.Views[i].Sources {
			j.Views[i].Sources[k].Block = block
		}
	}
	return nil
}

// retry calls open until it succeeds, fails for good, or wait is over; what is worth waiting for is said once.
func retry[T any](ctx context.Context, logger *slog.Logger, what string, wait time.Duration, passing func(error) bool, open func() (T, error)) (T, error) {
	deadline := time.Now().Add(wait)
	for said := false; ; said = true {
		v, err := open()
		if err == nil || !passing(err) {
			return v, err
		}
		if ctx.Err() != nil || !time.Now().Add(retryEvery).Before(deadline) {
			return v, fmt.Errorf("%w: %s after waiting %v: %w", errUnreachable, what, wait, err)
		}
		if !said {
			logger.Info("waiting for "+what, "at_most", wait, "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryEvery):
		}
	}
}

// openStore opens the store of --store. A role that must own an embedded store says so; tools reach it through whoever
// does.
func openStore(ctx context.Context, o *options, logger *slog.Logger, owner bool) (store.Store, error) {
	if err := store.Check(o.store); err != nil {
		return nil, fmt.Errorf("%w: --store: %w", errUsage, err)
	}
	opts := store.Options{Logger: logger, Owner: owner, Warn: func(w string) { logger.Warn("store: " + w) }}
	passing := func(err error) bool { return errors.Is(err, lane.ErrUnavailable) }
	return retry(ctx, logger, "the store", o.wait, passing, func() (store.Store, error) { return store.Open(ctx, o.store, opts) })
}

// dialKafka connects to --kafka.
func dialKafka(ctx context.Context, o *options, logger *slog.Logger) (*kafkalog.Client, error) {
	cfg := kafkalog.Config{Brokers: o.kafka}
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("%w: --kafka: %w", errUsage, err)
	}
	return retry(ctx, logger, "Kafka", o.wait, kafkalog.Transient, func() (*kafkalog.Client, error) { return kafkalog.Dial(ctx, cfg) })
}

// openHistory reads the archive, and the log behind it if Kafka can be reached. Without Kafka only the archive is read,
// which the caller may refuse.
func openHistory(ctx context.Context, o *options, logger *slog.Logger) (*history.Log, func(), error) {
	c, err := dialKafka(ctx, o, logger)
	if err != nil {
		return nil, nil, err
	}
	return &history.Log{Dir: o.archive, Topics: c}, c.Close, nil
}
