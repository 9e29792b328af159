package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tidemark-io/tidemark/batch/journal"
	batch "github.com/tidemark-io/tidemark/batch/service"
)

// options are the flags that commands share. Each command registers those that it uses.
type options struct {
	kafka    []string
	store    string
	archive  string
	state    string
	http     string
	group    string
	instance string
	session  time.Duration
	linger   time.Duration
	memory   byteSize
	every    int64
	wait     time.Duration
	grace    time.Duration
	output   string
}

// defaultMemory is what a batch run may hold, in bytes.
const defaultMemory = 1 << 30

// defaultHTTP is where roles listen unless told otherwise. Port 0 lets the system choose; the ready line says which.
const defaultHTTP = "127.0.0.1:0"

func (o *options) kafkaFlag(f *pflag.FlagSet) {
	f.StringSliceVar(&o.kafka, "kafka", []string{"127.0.0.1:9092"}, "brokers, `HOST:PORT,…`")
}

func (o *options) storeFlag(f *pflag.FlagSet) {
	f.StringVar(&o.store, "store", "pebble:data/store", "the KV store, `URL`: pebble:DIR, redis://… or rediss://…")
}

func (o *options) archiveFlag(f *pflag.FlagSet) {
	f.StringVar(&o.archive, "archive", "data/archive", "`DIR` of the Parquet archive")
}

func (o *options) stateFlag(f *pflag.FlagSet) {
	f.StringVar(&o.state, "state", "data/state", "`DIR` of journals and run files")
}

func (o *options) httpFlag(f *pflag.FlagSet) {
	f.StringVar(&o.http, "http", defaultHTTP, "`HOST:PORT` to serve health, metrics and status on, and lookups where they are the process's part; port 0 is any, which the ready line tells")
}

func (o *options) groupFlags(f *pflag.FlagSet) {
	f.StringVar(&o.group, "group", "", "consumer `GROUP` of the speed layer (default tidemark-JOB)")
	f.StringVar(&o.instance, "instance", "", "stable `NAME` of this process, so that it gets its partitions back (default the host's name)")
	f.DurationVar(&o.session, "session-timeout", 10*time.Second, "how long Kafka waits for a silent member before it gives its partitions away")
}

func (o *options) lingerFlag(f *pflag.FlagSet) {
	f.DurationVar(&o.linger, "linger", 50*time.Millisecond, "how long changed tiles may wait for more; 0 = pure stream")
}

// runFlags are those that say how batch makes runs.
func (o *options) runFlags(f *pflag.FlagSet) {
	f.Int64Var(&o.every, "base-every", batch.DefaultEvery, "`RUNS` in which each row's deltas are merged into one fresh base, 1 to 4096; may be changed at any time. Each of a run's workers, one for each processor, has that many files open")
	o.memory = defaultMemory
	f.Var(&o.memory, "memory", "what a batch run may hold in memory, such as 512MB; more is done in several passes")
}

func (o *options) waitFlag(f *pflag.FlagSet) {
	f.DurationVar(&o.wait, "wait", 10*time.Second, "how long to wait for Kafka and the store to be reachable, and for lanes to be whole")
}

func (o *options) outputFlag(f *pflag.FlagSet) {
	f.StringVarP(&o.output, "output", "o", "text", "`FORMAT`: text or json; docs/cli.md lists the fields")
}

// json tells whether output is to be for programs.
func (o *options) json() bool { return o.output == "json" }

// fromEnvironment sets flags that the command line does not set from TIDEMARK_*, and checks what flags alone say.
func fromEnvironment(cmd *cobra.Command, o *options) error {
	var errs []error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		name := "TIDEMARK_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if v, ok := os.LookupEnv(name); ok && !f.Changed {
			if err := cmd.Flags().Set(f.Name, v); err != nil {
				errs = append(errs, usagef("%s: %w", name, err))
			}
		}
	})
	if o.output != "" && o.output != "text" && o.output != "json" {
		errs = append(errs, usagef("--output %q: want text or json", o.output))
	}
	if !journal.ValidEvery(o.every) {
		errs = append(errs, usagef("--base-every %d: want 1 to %d", o.every, journal.MaxEvery))
	}
	if o.linger < 0 || o.wait < 0 {
		errs = append(errs, usagef("--linger and --wait are durations of 0 or more"))
	}
	return errors.Join(errs...)
}

// byteSize is a flag that reads 512MB, 2GiB, or plain bytes.
type byteSize int64

var byteUnits = []struct {
	suffix string
	factor int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}, {"", 1},
}

// Set reads the flag.
func (b *byteSize) Set(s string) error {
	for _, u := range byteUnits {
		digits, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n <= 0 || n > (1<<62)/u.factor {
			break
		}
		*b = byteSize(n * u.factor)
		return nil
	}
	return fmt.Errorf("%q is no size: want a number with B, KB, MB, GB, KiB, MiB or GiB", s)
}

// String returns the size in the unit of which it is the smallest whole number.
func (b *byteSize) String() string {
	n, unit := int64(*b), "B"
	for _, u := range byteUnits {
		if *b > 0 && int64(*b)%u.factor == 0 && int64(*b)/u.factor < n {
			n, unit = int64(*b)/u.factor, u.suffix
		}
	}
	return fmt.Sprintf("%d%s", n, unit)
}

// Type names the kind of value in help texts.
func (b *byteSize) Type() string { return "SIZE" }
