package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tidemark-io/tidemark/batch/schedule"
	batch "github.com/tidemark-io/tidemark/batch/service"
	"github.com/tidemark-io/tidemark/jobs"
	"github.com/tidemark-io/tidemark/serving/verify"
	"github.com/tidemark-io/tidemark/shared/devbroker"
	"github.com/tidemark-io/tidemark/shared/history"
	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/speed/archive"
	"github.com/tidemark-io/tidemark/speed/service"
)

// What the demo sets so that everything can be seen within a minute.
const (
	demoBlock     = 2048
	demoCron      = "@every 15s"
	demoRate      = 2000             // records a second
	demoLine      = 5 * time.Second  // between two lines
	demoRestart   = 20 * time.Second // between two ends of its own speed layer
	demoSettle    = 60 * time.Second // how long nothing may move at the end before it is given up
	demoAuditRate = 100              // entities a second verified while it runs, at most

	// A file of less than demoSmall bytes is over within moments, and fills no block of that size: it gets smaller ones, so
	// that it shows runs too.
	demoSmall      = 4 << 20
	demoSmallBlock = 256
	demoSmallCron  = "@every 1s"
)

type demoFlags struct {
	length time.Duration
	dir    string
	rate   float64
	from   string
	seed   uint64
	block  int64
	cron   string
	runs   bool   // block and cron are such that from, if it fills a block, shows runs
	file   *lines // of from
}

func (d *demoFlags) validate(j *job.Job) error {
	if d.from == "" && jobs.Generators[j.Name] == nil {
		return usagef("job %s has no generator; give the demo a file with --from", j.Name)
	}
	if d.length < 0 {
		return usagef("--for %v: want a time above 0, or 0 for no end", d.length)
	}
	if _, err := schedule.Parse(d.cron); err != nil {
		return usagef("--cron: %w", err)
	}
	return validTraffic(d.rate, defaultParts)
}

// adapt chooses block and cron, where they are not given, for what the demo is fed with.
func (d *demoFlags) adapt(f *pflag.FlagSet) {
	info, err := os.Stat(d.from)
	if d.from == "" || err != nil || info.Size() >= demoSmall {
		return // that it is not there is said when it is opened
	}
	if !f.Changed("block") {
		d.block = demoSmallBlock
	}
	if !f.Changed("cron") {
		d.cron, d.runs = demoSmallCron, true
	}
}

func newDemo() *cobra.Command {
	var o options
	var d demoFlags
	cmd := &cobra.Command{
		Use:   "demo [JOB]",
		Short: "Run everything in one process on generated traffic, break it now and then, and verify every entity at the end",
		Long: `demo starts a development broker, creates the job's topics, and runs every role: archive, batch on cron, speed, serving. It
generates the job's traffic (or appends a file with --from), drops and restarts its own speed layer now and then, half of the
times without draining, and prints a line every few seconds. At the end (--for, the end of the file, or Ctrl-C) it stops the
traffic, lets the log be taken in, verifies every entity and exits 1 if one is wrong. A second Ctrl-C ends it at once.

A line says: events appended a second; freshness, from the broker's append of an event to its being readable; the last run
and its cut; tiles per row; how many entities were compared with a plain fold of the log so far, and how many were wrong.`,
		ValidArgsFunction: completeJob,
		Args:              func(cmd *cobra.Command, args []string) error { return wantArgs(cmd, args, 0, 1) },
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := fromEnvironment(cmd, &o); err != nil {
				return err
			}
			name := filepath.Join("jobs", jobs.Default)
			if len(args) == 1 {
				name = args[0]
			}
			j, err := loadJob(name)
			if err != nil {
				return err
			}
			d.adapt(cmd.Flags())
			if err := setBlock(j, d.block); err != nil {
				return err
			}
			if err := d.validate(j); err != nil {
				return err
			}
			if d.from != "" {
				if d.file, err = openLines(j, &j.Sources[0], d.from, cmd.InOrStdin()); err != nil {
					return err
				}
				defer d.file.Close()
			}
			return runDemo(cmd, j, &o, &d)
		},
	}
	f := cmd.Flags()
	f.DurationVar(&d.length, "for", 0, "how long to run; 0 = until Ctrl-C, or the end of --from")
	f.StringVar(&d.dir, "dir", "", "`DIR` of broker, archive, state and store, kept afterwards (default a temporary one)")
	f.Float64Var(&d.rate, "rate", 0, "records a second (default 2000 generated, as fast as possible from a file)")
	f.StringVar(&d.from, "from", "", "`FILE` of records instead of generated traffic: JSON lines, or CSV with a header; .gz too")
	f.Uint64Var(&d.seed, "seed", 1, "seed of the traffic")
	f.Int64Var(&d.block, "block", demoBlock, "offsets in a block of every source, a power of two; with a file of less than 4 MiB 256")
	f.StringVar(&d.cron, "cron", demoCron, "when batch looks for new blocks; with a file of less than 4 MiB @every 1s")
	f.StringVar(&o.store, "store", "", "`URL` of a store to use instead of an embedded one: redis://…")
	o.httpFlag(f)
	o.runFlags(f)
	o.waitFlag(f)
	return cmd
}

// demo is a running demo.
type demo struct {
	*node
	flags *demoFlags
	out   io.Writer
	crash bool // the next end of the speed layer is one

	before     service.Counts // freshness at the last line
	sentBefore int64
	linedAt    time.Time // the last line
	invited    bool
	restarts   int
	producer   *pacedProducer
}

// runDemo sets the stage, runs the show, and judges it.
func runDemo(cmd *cobra.Command, j *job.Job, o *options, flags *demoFlags) error {
	dir, cleanup, err := demoDir(flags.dir)
	if err != nil {
		return err
	}
	defer cleanup()
	broker, err := devbroker.Start(devbroker.Config{Listen: "127.0.0.1:0", DataDir: filepath.Join(dir, "broker")})
	if err != nil {
		return err
	}
	defer broker.Close()
	o.kafka = []string{broker.Addr()}
	o.archive, o.state = filepath.Join(dir, "archive"), filepath.Join(dir, "state")
	if o.store == "" {
		o.store = "pebble:" + filepath.Join(dir, "store")
	}
	// The context of the roles outlives Ctrl-C: the end is verified first.
	ctx, cancel := context.WithCancel(context.WithoutCancel(cmd.Context()))
	defer cancel()
	log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	o.grace = defaultGrace
	n, err := openNode(ctx, j, &deployment{options: *o, name: "demo", roles: everyRole, cron: flags.cron, tailAge: archive.DefaultTailAge, auditRate: demoAuditRate}, log)
	if err != nil {
		return err
	}
	d := &demo{node: n, flags: flags, out: cmd.OutOrStdout(), crash: true}
	err = d.run(cmd.Context(), ctx)
	if errors.Is(err, batch.ErrForeign) {
		err = fmt.Errorf("%w\n%s", err, otherLog)
	}
	serr := d.endSpeed(false)
	cancel()
	d.beside.Wait()
	return errors.Join(err, serr, n.close())
}

// otherLog is what helps where a store holds the profiles of a log that is not this demo's.
const otherLog = "an earlier demo has left its profiles there: empty that database or give another one; " +
	"with --dir a demo keeps its log, and goes on with both when it is started again"

// sameLog refuses a store that was filled from another log: a demo with a new folder begins a new log at offset 0, of which
// that store's marks would claim what they have of the old one.
func (d *demo) sameLog(ctx context.Context) error {
	known, err := batch.Versions(ctx, d.o.state, d.job.Name, viewNames(d.job), nil)
	if err != nil || len(known) > 0 {
		return err
	}
	ms, err := d.catalog.manifests(ctx)
	if err != nil || len(ms) == 0 {
		return err
	}
	return fmt.Errorf("the store %s has view %s of job %s already, of another log; %s", withoutPassword(d.o.store), ms[0].View, d.job.Name, otherLog)
}

func demoDir(dir string) (path string, cleanup func(), err error) {
	if dir != "" {
		return dir, func() {}, os.MkdirAll(dir, 0o755)
	}
	if dir, err = os.MkdirTemp("", "tidemark-demo-"); err != nil {
		return "", nil, fmt.Errorf("creating a folder for the demo: %w", err)
	}
	return dir, func() {
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintf(os.Stderr, "tidemark: removing %s: %v\n", dir, err)
		}
	}, nil
}

// run makes traffic until the user, or the clock, or the file's end says stop; then it verifies everything.
func (d *demo) run(user, ctx context.Context) error {
	if err := d.sameLog(ctx); err != nil {
		return err
	}
	for i := range d.job.Sources {
		if err := ensureTopic(ctx, d.kafka, &d.job.Sources[i], defaultParts, true, d.logger); err != nil {
			return err
		}
	}
	if err := d.start(ctx); err != nil {
		return err
	}
	if err := d.awaitReady(user); err != nil || user.Err() != nil {
		return err
	}
	fmt.Fprintf(d.out, "%s\njob %s, store %s\n", d.describe(), d.job.Name, withoutPassword(d.o.store))
	produced := make(chan error, 1)
	traffic, stop := context.WithCancel(user)
	defer stop()
	if d.flags.length > 0 {
		traffic, stop = context.WithTimeout(traffic, d.flags.length)
		defer stop()
	}
	src := &d.job.Sources[0]
	var err error
	if d.producer, err = d.newProducer(src.Topic); err != nil {
		return err
	}
	d.linedAt = time.Now()
	go func() { produced <- guard(func() error { return d.produce(traffic) }) }()
	if err := d.watch(ctx, produced); err != nil {
		return err
	}
	return d.judge(ctx)
}

// invite says, once there is somebody to ask for, what to try while the demo runs.
func (d *demo) invite(ctx context.Context) {
	v := d.reader.Views()[0]
	key, err := d.anyone(ctx, v)
	if d.invited || err != nil || key == "" {
		return
	}
	d.invited = true
	fmt.Fprintf(d.out, "try: curl -s http://%s/v1/jobs/%s/views/%s/profiles/%s\n", d.address, d.job.Name, v, url.PathEscape(key))
	fmt.Fprintf(d.out, "     tidemark explain jobs/%s %s %s --kafka %s --store %s --archive %s\n",
		d.job.Name, v, key, strings.Join(d.o.kafka, ","), withoutPassword(d.o.store), d.o.archive)
}

// errFound ends a scan that has found what it was to find.
var errFound = errors.New("found")

// anyone returns the key of some entity of a view, empty if there is none yet.
func (d *demo) anyone(ctx context.Context, view string) (key string, err error) {
	g, err := d.reader.Served(ctx, view)
	if err != nil {
		return "", err
	}
	err = d.store.Scan(ctx, g.Namespace, func(id lane.RowID) error {
		key = string(id.Key)
		return errFound
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return key, err
}

func (d *demo) newProducer(topic string) (*pacedProducer, error) {
	rate := d.flags.rate
	if rate == 0 && d.flags.from == "" {
		rate = demoRate
	}
	return newPacedProducer(d.kafka, topic, rate)
}

// produce appends the traffic until ctx ends or the file does.
func (d *demo) produce(ctx context.Context) error {
	if d.flags.from != "" {
		return d.produceFile(ctx)
	}
	gen := jobs.Generators[d.job.Name](d.flags.seed)
	for ctx.Err() == nil {
		r := gen.Next(time.Now().UnixMilli())
		m := kafkalog.Message{Key: append([]byte(nil), r.Key...), Value: append([]byte(nil), r.Value...), Partition: kafkalog.ByKey}
		if err := d.producer.add(ctx, m); err != nil {
			return err
		}
	}
	return d.producer.flush(context.WithoutCancel(ctx))
}

func (d *demo) produceFile(ctx context.Context) error {
	bad, err := produceLines(ctx, d.producer, d.flags.file, func(format string, a ...any) {
		d.logger.Debug(fmt.Sprintf(format, a...))
	})
	if bad > 0 {
		fmt.Fprintf(d.out, "%d lines of %s were refused; produce says which\n", bad, d.flags.from)
	}
	return err
}

// watch prints lines and breaks the speed layer now and then, until the traffic ends.
func (d *demo) watch(ctx context.Context, produced <-chan error) error {
	line, restart := time.NewTicker(demoLine), time.NewTicker(demoRestart)
	defer line.Stop()
	defer restart.Stop()
	for {
		select {
		case err := <-produced:
			return err
		case err := <-d.failed:
			return err
		case <-restart.C:
			if err := d.restartSpeed(ctx); err != nil {
				return err
			}
		case <-line.C:
			d.invite(ctx)
			d.printLine()
		}
	}
}

// restartSpeed ends the speed layer, like a crash every other time, and starts it again.
func (d *demo) restartSpeed(ctx context.Context) error {
	how := "drained and restarted"
	if d.crash {
		how = "killed without draining and restarted"
	}
	if err := d.endSpeed(d.crash); err != nil {
		return err
	}
	d.crash = !d.crash
	d.before = service.Counts{}
	d.restarts++
	if err := d.runSpeed(ctx); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "--- the speed layer was %s\n", how)
	return nil
}

// printLine prints how things are.
func (d *demo) printLine() {
	sent, now := d.producer.total(), time.Now()
	rate := float64(sent-d.sentBefore) / max(now.Sub(d.linedAt).Seconds(), 0.001)
	d.sentBefore, d.linedAt = sent, now
	fresh := "fresh -"
	if l := d.speedNow(); l != nil {
		h := &l.service.Stats.Freshness
		if after := h.Snapshot(); after != d.before {
			fresh = fmt.Sprintf("fresh p50 %d ms p99 %d ms", h.Quantile(d.before, 0.5), h.Quantile(d.before, 0.99))
			d.before = after
		}
	}
	found := d.audited()
	entities := found.Entities.Load()
	fmt.Fprintf(d.out, "%6.0f events/s · %s · %s · %.1f tiles/row · verified %d, wrong %d\n",
		rate, fresh, d.batch.summary(), float64(found.Tiles.Load())/float64(max(entities, 1)), entities, found.Wrong.Load())
}

// judge waits until the log is taken in and what batch has begun is published, and verifies every entity.
func (d *demo) judge(ctx context.Context) error {
	fmt.Fprintf(d.out, "traffic stopped after %d records; letting the log be taken in\n", d.producer.total())
	if err := d.settle(ctx); err != nil {
		return err
	}
	runs, _ := d.batch.published()
	fmt.Fprintf(d.out, "taken in: %s, %s published, %s of the speed layer\n",
		counted(int(d.producer.total()), "record"), counted(int(runs), "run"), counted(d.restarts, "restart"))
	fmt.Fprintln(d.out, "verifying every entity against a plain fold of the log")
	report, err := verify.Run(ctx, verify.Config{Reader: d.reader, Store: d.store, Log: d.history, Wait: demoSettle, Progress: progressTo(d.out)})
	if err != nil {
		return err
	}
	printReport(d.out, report)
	if report.Entities == 0 {
		return errors.New("there was no entity to verify")
	}
	report.Wrong += int(d.audited().Wrong.Load()) // what was wrong while it ran was wrong
	return wrongError(report)
}

// settleEvery is how often the end looks how far everything is.
const settleEvery = 200 * time.Millisecond

// settle waits until every lane's marks have reached the log's end, and batch has published what it has begun. It gives up
// when nothing has moved for demoSettle: how long a whole file takes is the machine's business.
func (d *demo) settle(ctx context.Context) error {
	last, since := "", time.Now()
	for {
		behind, err := d.behind(ctx)
		if err != nil {
			return err
		}
		if behind == "" {
			if behind, err = d.unpublished(ctx); err != nil {
				return err
			}
		}
		switch {
		case behind == "":
			return nil
		case behind != last:
			last, since = behind, time.Now()
		case time.Since(since) > demoSettle:
			return fmt.Errorf("the log was not taken in, nothing moved for %v: %s", demoSettle, behind)
		}
		select {
		case err := <-d.failed:
			return err
		case <-time.After(settleEvery):
		}
	}
}

// unpublished says what batch has yet to do, empty if it is nothing: to publish what it has begun, and, of a small file, to begin
// its first run. Such a file may be taken in before batch looks for the first time.
func (d *demo) unpublished(ctx context.Context) (string, error) {
	run, done := d.batch.published()
	if !done {
		return "batch is publishing: " + d.batch.summary(), nil
	}
	if run > 0 || d.batch.stopped() || !d.flags.runs {
		return "", nil
	}
	for i := range d.job.Sources {
		src := &d.job.Sources[i]
		stretches, err := d.history.Stretches(ctx, src)
		if err != nil {
			return "", err
		}
		if slices.ContainsFunc(stretches, func(s history.Stretch) bool { return s.Range().Next >= src.Block }) {
			return "a block is full, and batch has made no run yet", nil
		}
	}
	return "", nil
}
