package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"time"

	batch "github.com/tidemark-io/tidemark/batch/service"
	"github.com/tidemark-io/tidemark/jobs"
	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/serving/pebblestore"
	"github.com/tidemark-io/tidemark/serving/store"
	"github.com/tidemark-io/tidemark/shared/history"
	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/position"
)

// retryEvery is how often something unreachable is tried again within --wait.
const retryEvery = 500 * time.Millisecond

// loadJob reads the job in the folder, or the built-in one of that name where there is no such folder.
func loadJob(folder string) (*job.Job, error) {
	j, embedded, err := jobs.Open(folder)
	return j, opened(folder, j, embedded, err)
}

// loadTested reads a job with its tests, and says what loadJob says.
func loadTested(folder string) (*job.Job, []*job.Test, error) {
	j, tests, embedded, err := jobs.OpenTested(folder)
	return j, tests, opened(folder, j, embedded, err)
}

// opened says that a job is built in, and makes the errors of reading one such that exit codes can be told.
func opened(folder string, j *job.Job, embedded bool, err error) error {
	if embedded && err == nil {
		fmt.Fprintf(os.Stderr, "there is no folder %s here; the built-in job %s is used\n", folder, j.Name)
	}
	switch {
	case errors.Is(err, job.ErrJob):
		return usagef("job %s is at fault:\n%w", folder, err)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return usagef("%w: JOB is a folder with sources/ and views/", err)
	}
	return err
}

// setBlock overrides the block size of all sources of a job, if block is not 0. Revisions do not depend on it.
func setBlock(j *job.Job, block int64) error {
	if block == 0 {
		return nil
	}
	if !position.ValidBlock(block) {
		return usagef("--block %d: want a power of two up to %d", block, 1<<30)
	}
	for i := range j.Sources {
		setSourceBlock(j, j.Sources[i].Name, block)
	}
	return nil
}

func setSourceBlock(j *job.Job, source string, block int64) {
	for i := range j.Sources {
		if j.Sources[i].Name == source {
			j.Sources[i].Block = block
		}
	}
	for i := range j.Views {
		for k := range j.Views[i].Sources {
			if j.Views[i].Sources[k].Name == source {
				j.Views[i].Sources[k].Block = block
			}
		}
	}
}

// adoptBlocks gives each view's sources the block sizes that its served generation was made with: they are fixed then, and
// who starts a role again need not know with which --block it was started first. The store says it, or, while it has lost
// that, the journals under state ("" = this process has none). Where views differ, the archive takes the smallest: every
// larger block is made of whole ones of them.
func adoptBlocks(ctx context.Context, c *catalog, state string) error {
	all, err := servedBlocks(ctx, c, state)
	if err != nil {
		return err
	}
	smallest := map[string]int64{}
	for name, blocks := range all {
		adoptViewBlocks(c.job, name, blocks)
		for source, block := range blocks {
			if known := smallest[source]; known == 0 || block < known {
				smallest[source] = block
			}
		}
	}
	for i := range c.job.Sources {
		src := &c.job.Sources[i]
		src.Block = cmp.Or(smallest[src.Name], src.Block)
	}
	return nil
}

// servedBlocks returns the block sizes, by source, of each view's served generation.
func servedBlocks(ctx context.Context, c *catalog, state string) (map[string]map[string]int64, error) {
	out := map[string]map[string]int64{}
	if state != "" {
		versions, err := batch.Versions(ctx, state, c.job.Name, viewNames(c.job), nil)
		if err != nil {
			return nil, err
		}
		for i := range versions {
			if v := &versions[i]; v.State == manifest.Served {
				out[v.View] = v.Blocks
			}
		}
	}
	all, err := c.manifests(ctx)
	if err != nil {
		return nil, lookupError(err)
	}
	for _, m := range all {
		if g := m.Served(); g != nil {
			out[m.View] = g.Blocks
		}
	}
	return out, nil
}

func adoptViewBlocks(j *job.Job, viewName string, blocks map[string]int64) {
	for i := range j.Views {
		if j.Views[i].Name != viewName {
			continue
		}
		for k := range j.Views[i].Sources {
			src := &j.Views[i].Sources[k]
			src.Block = cmp.Or(blocks[src.Name], src.Block)
		}
	}
}

// awaited is something that a command needs and that may come up later.
type awaited struct {
	what    string
	cure    string
	passing func(error) bool // errors worth waiting for
}

// retry calls open until it succeeds, fails for good, or wait is over; what is waited for is said once.
func retry[T any](ctx context.Context, logger *slog.Logger, a awaited, wait time.Duration, open func() (T, error)) (T, error) {
	deadline := time.Now().Add(wait)
	for said := false; ; said = true {
		v, err := open()
		switch {
		case err == nil || !a.passing(err):
			return v, err
		case ctx.Err() != nil:
			return v, fmt.Errorf("waiting for %s: %w", a.what, ctx.Err())
		case !time.Now().Add(retryEvery).Before(deadline):
			return v, &classed{errUnreachable, fmt.Errorf("%s cannot be used (waited %v): %w\n%s", a.what, wait, err, a.cure)}
		}
		if !said {
			logger.Info("waiting for "+a.what, "at_most", wait, "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryEvery):
		}
	}
}

// storeUse is what a command does with the store, which matters to an embedded one.
type storeUse int

const (
	readStore   storeUse = iota // must be there already, here or through the HTTP of whoever owns it
	changeStore                 // likewise, but made if it is not there
	ownStore                    // made if it is not there, and nobody else may own it
)

// errNoStore says that there is no embedded store in a folder that is only to be read.
var errNoStore = errors.New("there is no store in this folder")

// openStore opens the store of --store.
func openStore(ctx context.Context, o *options, logger *slog.Logger, use storeUse) (store.Store, error) {
	if err := store.Check(o.store); err != nil {
		return nil, usagef("--store: %w", err)
	}
	opts := store.Options{Logger: logger, Owner: use == ownStore}
	if use == ownStore { // the settings are for those to judge who run it, once, and not with each command
		opts.Warn = func(w string) { logger.Warn("store: " + w) }
	}
	a := awaited{
		what: "the store " + withoutPassword(o.store),
		cure: "start it, or name yours with --store or TIDEMARK_STORE",
		passing: func(err error) bool {
			return errors.Is(err, lane.ErrUnavailable) || errors.Is(err, pebblestore.ErrLocked) || errors.Is(err, errNoStore)
		},
	}
	dir, embedded := store.PebbleDir(o.store)
	if embedded {
		a.cure = "one process at a time owns an embedded store; up and batch --once make it; name yours with --store or TIDEMARK_STORE"
	} else {
		a.cure += "; where one side speaks TLS and the other does not, there is no answer either: redis:// is without, rediss:// with it"
	}
	return retry(ctx, logger, a, o.wait, func() (store.Store, error) {
		if embedded && use == readStore {
			if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("%w: %w", errNoStore, err)
			}
		}
		return store.Open(ctx, o.store, opts)
	})
}

// withoutPassword returns a store's URL as it may be printed.
func withoutPassword(url string) string {
	scheme, rest, isURL := strings.Cut(url, "://")
	if at := strings.LastIndex(rest, "@"); isURL && at >= 0 {
		return scheme + "://…@" + rest[at+1:]
	}
	return url
}

// dialKafka connects to --kafka.
func dialKafka(ctx context.Context, o *options, logger *slog.Logger) (*kafkalog.Client, error) {
	cfg := kafkalog.Config{Brokers: o.kafka}
	if err := cfg.Validate(); err != nil {
		return nil, usagef("--kafka: %w", err)
	}
	a := awaited{
		what:    "Kafka at " + strings.Join(o.kafka, ","),
		cure:    "start one (tidemark broker is for trying out), or name yours with --kafka or TIDEMARK_KAFKA",
		passing: kafkalog.Transient,
	}
	return retry(ctx, logger, a, o.wait, func() (*kafkalog.Client, error) { return kafkalog.Dial(ctx, cfg) })
}

// openHistory connects to what holds the whole log: the archive, and Kafka behind it.
func openHistory(ctx context.Context, o *options, logger *slog.Logger) (*history.Log, func(), error) {
	c, err := dialKafka(ctx, o, logger)
	if err != nil {
		return nil, nil, err
	}
	return &history.Log{Dir: o.archive, Topics: c}, c.Close, nil
}

// awaitServed waits, at most --wait, until the views are served; an unknown one is an error at once.
func awaitServed(ctx context.Context, o *options, logger *slog.Logger, r *lookup.Reader, views ...string) error {
	for _, name := range views {
		a := awaited{
			what: "view " + name,
			cure: "the batch role makes it: run up, or batch --once",
			passing: func(err error) bool {
				return errors.Is(err, lookup.ErrNoManifest) || errors.Is(err, lane.ErrUnavailable)
			},
		}
		if _, err := retry(ctx, logger, a, o.wait, func() (*lookup.Generation, error) { return r.Served(ctx, name) }); err != nil {
			return lookupError(err)
		}
	}
	return nil
}
