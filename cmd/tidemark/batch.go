package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	batch "github.com/tidemark-io/tidemark/batch/service"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// wantMode says what a batch command line may ask for.
const wantMode = "say at most one of --once, --check and --repeat RUN; --full goes with --once"

// batchModes are what batch does when it does not run until it is told to end.
type batchModes struct {
	once, full, check bool
	repeat            int64
}

func (m *batchModes) flags(f *pflag.FlagSet) {
	f.BoolVar(&m.once, "once", false, "make and publish one run, if there is something new")
	f.BoolVar(&m.full, "full", false, "with --once: give every row a fresh base, as --base-every 1 does")
	f.BoolVar(&m.check, "check", false, "recompute everything and compare it with the run files")
	f.Int64Var(&m.repeat, "repeat", 0, "make the run of this number again, which failed its check")
}

// any tells whether batch is to do one thing and end.
func (m *batchModes) any() bool { return m.once || m.check || m.repeat != 0 }

func (m *batchModes) validate() error {
	if count(m.once, m.check, m.repeat != 0) > 1 || m.repeat < 0 || (m.full && !m.once) {
		return usagef(wantMode)
	}
	return nil
}

func newBatch() *cobra.Command {
	d := &deployment{name: "batch", roles: batchRole}
	var m batchModes
	cmd := &cobra.Command{
		Use:   "batch JOB",
		Short: "Run the batch role; or make one run and publish it, or recompute everything and compare",
		Long: `batch makes a run of every view, on cron, when there are new complete blocks in the archive, checks it and publishes it; it
begins lanes that are new or were emptied, and keeps the manifest that speed and serve wait for. It needs the archive, the
store, its --state, and Kafka for where a log begins. It prints a line "ready role=batch http=HOST:PORT" when every view is
served. SIGTERM ends it within moments: a run that was under way is made again, with its cut. One process is enough; two on
one state folder waste work and break nothing.

batch --once makes a run of every view that has new complete blocks in the archive, checks it, and publishes it until every
lane has it; with nothing new it says so and exits 0. With --full every row gets a fresh base. batch --check recomputes all
states at the last cut from the whole archive and compares them with what the run files make together; it exits 1 if a row
is wrong. After a run that failed its check no more are made: mend the cause, then batch --repeat RUN makes that run again,
with its cut, and goes on as --once does; a running batch or up goes on by itself then.`,
		ValidArgsFunction: completeJob,
		Args:              oneJob,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := fromEnvironment(cmd, &d.options); err != nil {
				return err
			}
			if err := m.validate(); err != nil {
				return err
			}
			limitMemory(&d.options)
			if m.any() {
				return m.run(cmd, args[0], d)
			}
			return d.run(cmd, args[0])
		},
	}
	d.flags(cmd.Flags())
	m.flags(cmd.Flags())
	return cmd
}

// leastMemory is the lowest limit, in bytes: clients, and buffers of scans and writes, take some memory however little the
// folds may, and below a limit that what lives has passed the collector runs all the time.
const leastMemory = 256 << 20

// limitMemory makes the garbage collector work harder before a process that runs batch alone holds two and a half times what
// its folds may: states, the buffers of scans and writes, and little garbage. Nothing fails past it. Who sets GOMEMLIMIT decides.
func limitMemory(o *options) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(max(leastMemory, min(int64(o.memory), math.MaxInt64/5)/2*5))
	}
}

// run does one thing and ends.
func (m *batchModes) run(cmd *cobra.Command, folder string, d *deployment) error {
	j, err := loadJob(folder)
	if err != nil {
		return err
	}
	if err := setBlock(j, d.block); err != nil {
		return err
	}
	s, err := openStore(cmd.Context(), &d.options, newToolLogger(cmd.ErrOrStderr()), changeStore)
	if err != nil {
		return err
	}
	defer s.Close()
	if d.block == 0 {
		if err := adoptBlocks(cmd.Context(), newCatalog(j, s), d.state); err != nil {
			return err
		}
	}
	if m.full {
		d.every = 1
	}
	cfg, err := batchConfig(j, &d.options, s, slog.New(slog.DiscardHandler)) // Events tell what happens
	if err != nil {
		return err
	}
	cfg.Events = batchProgress(cmd.ErrOrStderr())
	service, err := batch.New(cfg)
	if err != nil {
		return err
	}
	if m.check {
		return batchCheck(cmd.Context(), service, cmd.OutOrStdout())
	}
	work := service.Once
	if m.repeat != 0 {
		work = func(ctx context.Context) (batch.Report, error) { return service.Repeat(ctx, m.repeat) }
	}
	return batchOnce(cmd.Context(), work, cmd.OutOrStdout())
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
		fmt.Fprintf(w, "view %s, generation %d: run %d (%s) at cut %s, %d rows, digest of files %s, in %v; published\n",
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
		fmt.Fprintf(w, "view %s, generation %d, run %d at cut %s: %d rows, %d wrong; digest of the states by the run files %s, by the recompute %s\n",
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
