package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tidemark-io/tidemark/batch/schedule"
	"github.com/tidemark-io/tidemark/serving/audit"
	"github.com/tidemark-io/tidemark/serving/store"
	"github.com/tidemark-io/tidemark/speed/archive"
)

// roles are the parts of a job that a process has. Each can be a process of its own; up is all of them in one.
type roles uint8

// The roles.
const (
	archiveRole roles = 1 << iota // appends the log to the archive
	batchRole                     // makes and publishes runs, and keeps the manifest
	speedRole                     // applies events
	serveRole                     // answers lookups
	auditRole                     // verifies samples

	everyRole  = archiveRole | batchRole | speedRole | serveRole | auditRole
	logRoles   = everyRole &^ serveRole   // those that need Kafka: whoever answers lookups needs the store alone
	storeRoles = everyRole &^ archiveRole // those that need the store: the archive is filled without one
)

// any tells whether the process has one of these roles.
func (r roles) any(of roles) bool { return r&of != 0 }

// defaultCron is how often batch looks whether there is something to do.
const defaultCron = "*/15 * * * *"

// defaultGrace is how long a process that was told to end may take to drain. It is what common process managers allow.
const defaultGrace = 30 * time.Second

// deployment is what a command line says of a process that has roles of a job and runs until it is told to end.
type deployment struct {
	options

	name    string // of the command, and of the process in its ready line
	roles   roles
	cron    string
	block   int64
	tailAge time.Duration

	auditRate float64 // entities a second; 0 = no audit
}

// flags registers the flags that the roles need, and no others.
func (d *deployment) flags(f *pflag.FlagSet) {
	if d.roles.any(logRoles) {
		d.kafkaFlag(f)
		d.archiveFlag(f)
	}
	if d.roles.any(storeRoles) {
		d.storeFlag(f)
	}
	if d.roles.any(batchRole) {
		d.stateFlag(f)
		d.runFlags(f)
		f.StringVar(&d.cron, "cron", defaultCron, "when batch looks for new blocks: five cron `FIELDS`, or such as @every 15s")
	} else {
		d.memory = defaultMemory
	}
	if d.roles.any(archiveRole | batchRole) {
		f.Int64Var(&d.block, "block", 0, "offsets in a block of every source, a power of two; 0 = as the views were made with, or as the sources declare")
	}
	if d.roles.any(archiveRole) {
		f.DurationVar(&d.tailAge, "tail-age", archive.DefaultTailAge, "how long a record waits in a block that does not fill before it is archived all the same; 0 = never")
	}
	if d.roles.any(speedRole) {
		d.groupFlags(f)
		d.lingerFlag(f)
	}
	if d.roles.any(auditRole) {
		f.Float64Var(&d.auditRate, "audit-rate", defaultAuditRate, "`ENTITIES` that are verified in a second, at most; 0 = none")
	}
	d.httpFlag(f)
	d.waitFlag(f)
	f.DurationVar(&d.grace, "grace", defaultGrace, "how long draining may take after SIGTERM; what is not drained then is done again by whoever goes on")
}

// newRole returns the command of a process that has roles of a job.
func newRole(name string, r roles, short, long string) *cobra.Command {
	d := &deployment{name: name, roles: r}
	cmd := &cobra.Command{
		Use: name + " JOB", Short: short, Long: long,
		ValidArgsFunction: completeJob,
		Args:              oneJob,
		RunE:              func(cmd *cobra.Command, args []string) error { return d.run(cmd, args[0]) },
	}
	d.flags(cmd.Flags())
	return cmd
}

func newUp() *cobra.Command {
	return newRole("up", everyRole, "Run every role of a job in one process, against any Kafka and store",
		`up is archive, batch, speed, serve and audit in one process: it archives the job's topics to Parquet, runs batch on cron, applies
events in the speed layer and answers lookups over HTTP. It prints a line "ready role=up http=HOST:PORT" when every view is
served. SIGTERM drains and exits 0; killed at any moment it goes on where the store says, with nothing done by hand.`)
}

func newArchive() *cobra.Command {
	d := &deployment{name: "archive", roles: archiveRole}
	var losses []string
	cmd := &cobra.Command{
		Use:   "archive JOB",
		Short: "Run the archive role: append the job's topics to the Parquet archive",
		Long: `archive writes the log of every source to Parquet, block by block. It needs Kafka and the archive's folder and no store. It
prints a line "ready role=archive http=HOST:PORT" when it knows what of every partition is archived. Two of them on one
folder waste work and break nothing. SIGTERM writes what is in memory (unless --tail-age is 0) and exits 0.

Where views were made with another --block than the sources declare, give the same one here.

A partition whose records Kafka has lost before they were archived waits, and names them. archive --accept-loss P:FROM-TO
(SOURCE/P:FROM-TO of a job with several sources) writes the archive file that says that nobody has the offsets from FROM up to
TO, and exits: whoever reads the archive, this role among them, goes on behind them. It is refused where Kafka or the archive
has records of the range, or a gap would stay. There is no way back but to bring the records.`,
		ValidArgsFunction: completeJob,
		Args:              oneJob,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := fromEnvironment(cmd, &d.options); err != nil {
				return err
			}
			if len(losses) > 0 {
				return d.acceptLosses(cmd, args[0], losses)
			}
			return d.run(cmd, args[0])
		},
	}
	d.flags(cmd.Flags())
	cmd.Flags().StringArrayVar(&losses, "accept-loss", nil, "say in the archive that nobody has these records, `[SOURCE/]P:FROM-TO`, and end; may be repeated")
	return cmd
}

func newSpeed() *cobra.Command {
	return newRole("speed", speedRole, "Run the speed role: apply events to the store within milliseconds",
		`speed folds the partitions that its consumer group assigns to it and writes their tiles to the store. Start as many as you
like, each with an --instance of its own: partitions are shared out, and move when one comes or goes. It needs Kafka and
the store, and reads the archive for what Kafka no longer has. It prints a line "ready role=speed http=HOST:PORT" when every
view is served and it has joined its group.

SIGTERM writes everything that is folded, leaves the group, and exits 0: whoever takes a partition over finds its marks at
the last offset that was folded, and writes nothing again. Killed, or stopped for longer than --session-timeout, its
partitions go to the others, who go on from the marks.`)
}

func newServe() *cobra.Command {
	return newRole("serve", serveRole, "Run the serving role: answer lookups over HTTP",
		`serve answers lookups from the store and needs nothing else. Start as many as you like. It prints a line "ready role=serve
http=HOST:PORT" when every view is served. SIGTERM lets the requests under way be answered, and exits 0.`)
}

// run has the roles of the job in a folder until the command's context ends or one fails for good.
func (d *deployment) run(cmd *cobra.Command, folder string) error {
	if err := fromEnvironment(cmd, &d.options); err != nil {
		return err
	}
	if err := d.validate(); err != nil {
		return err
	}
	j, err := loadJob(folder)
	if err != nil {
		return err
	}
	if err := setBlock(j, d.block); err != nil {
		return err
	}
	l := newLogger(cmd.ErrOrStderr())
	n, err := openNode(cmd.Context(), j, d, l)
	if interrupted(cmd.Context(), err) {
		l.Info("told to end before anything was begun")
		return nil
	}
	if err != nil {
		return err
	}
	if d.block == 0 && d.roles.any(storeRoles) {
		if err := adoptBlocks(cmd.Context(), n.catalog, d.state); err != nil {
			return errors.Join(err, n.close())
		}
	}
	return n.run(cmd)
}

// validate checks what the flags say beyond those that commands share.
func (d *deployment) validate() error {
	if d.tailAge < 0 || d.grace < 0 {
		return usagef("--tail-age and --grace are durations of 0 or more")
	}
	if d.roles.any(batchRole) {
		if _, err := schedule.Parse(d.cron); err != nil {
			return usagef("--cron: %w", err)
		}
	}
	if !(d.auditRate >= 0 && d.auditRate <= audit.MaxRate) || (d.roles == auditRole && d.auditRate == 0) {
		return usagef("--audit-rate %v: want at most %d entities a second, and above 0 (0 switches the audit of up off)", d.auditRate, audit.MaxRate)
	}
	if dir, embedded := store.PebbleDir(d.store); embedded && d.roles.any(storeRoles) && d.roles != everyRole {
		return usagef("--store pebble:%s: an embedded store is one process's own, which is up with every role; separate roles share a Redis: --store redis://HOST:PORT/DB", dir)
	}
	return nil
}

// errNotDrained is why a process that was told to end failed.
var errNotDrained = errors.New("it had not drained")

// run works until the command's context ends or a role fails for good, then drains and closes the node.
func (n *node) run(cmd *cobra.Command) error {
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	err := n.work(ctx, func() { fmt.Fprintln(cmd.OutOrStdout(), n.describe()) })
	if interrupted(cmd.Context(), err) {
		err = nil
	}
	if err == nil {
		n.logger.Info("draining", "at_most", n.o.grace)
	}
	ended := make(chan error, 1)
	go func() {
		err := n.endSpeed(false)
		cancel()
		n.beside.Wait()
		ended <- errors.Join(err, n.close())
	}()
	late := time.NewTimer(n.o.grace)
	defer late.Stop()
	select {
	case drained := <-ended:
		if err == nil && drained == nil {
			n.logger.Info("drained")
		}
		return errors.Join(err, drained)
	case <-late.C:
		return errors.Join(err, fmt.Errorf("%w within %v (--grace): whoever goes on does it again from the marks", errNotDrained, n.o.grace))
	}
}

// work starts the roles, tells ready when they do what they are for, and returns when ctx ends or one fails for good.
func (n *node) work(ctx context.Context, ready func()) error {
	if err := n.start(ctx); err != nil {
		return err
	}
	if err := n.awaitReady(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	ready()
	select {
	case <-ctx.Done():
		return nil
	case err := <-n.failed:
		return err
	}
}

// describe says what the process is and where, as the line that scripts wait for.
func (n *node) describe() string {
	return strings.TrimSpace(fmt.Sprintf("ready role=%s http=%s", n.role, n.address))
}
