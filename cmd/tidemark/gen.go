package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark-io/tidemark/jobs"
	"github.com/tidemark-io/tidemark/jobs/generate"
	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
)

// simulatedRate is how many records a second of simulated time holds where --rate says nothing.
const simulatedRate = 1000

// traffic is the clock and the source of a generator's records.
type traffic struct {
	gen   generate.Generator
	start time.Time
	rate  float64
	n     int64
}

// next returns the next record and the time that it is appended at.
func (t *traffic) next() (generate.Record, time.Time) {
	at := t.start.Add(t.after(t.n))
	t.n++
	return t.gen.Next(at.UnixMilli()), at
}

// after returns how long after the start record n is.
func (t *traffic) after(n int64) time.Duration {
	return time.Duration(float64(n) / t.rate * float64(time.Second))
}

func newGen() *cobra.Command {
	var o options
	var events int64
	var rate float64
	var seed uint64
	var start, out string
	var partitions int
	cmd := &cobra.Command{
		Use:   "gen JOB --events N",
		Short: "Generate a job's seeded traffic, to Kafka or as JSON lines",
		Long: `gen appends N generated records to the job's topic, creating it if it is not there, or writes them as JSON lines. The same
seed, start and rate give the same records. Without --start they are of now (without --rate, of the N/1000 seconds that end
now), and a topic that is created stamps them with the broker's time (LogAppendTime). With --start their record times are set
to simulated time, and a topic that is created keeps them (CreateTime): then no clock but the generator's decides anything.`,
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
			if events <= 0 {
				return usagef("--events N is required, N > 0")
			}
			if err := validTraffic(rate, partitions); err != nil {
				return err
			}
			t, err := newTraffic(j, events, seed, rate, start)
			if err != nil {
				return err
			}
			if out != "" {
				return writeLines(cmd.Context(), t, events, out, cmd.OutOrStdout())
			}
			return genToKafka(cmd, &o, j, t, events, rate, partitions, start != "")
		},
	}
	f := cmd.Flags()
	o.kafkaFlag(f)
	o.waitFlag(f)
	f.Int64Var(&events, "events", 0, "`N`, the number of records; required")
	f.Float64Var(&rate, "rate", 0, "records a second; 0 = as fast as possible, with 1,000 a second of simulated time")
	f.Uint64Var(&seed, "seed", 1, "seed of the traffic")
	f.StringVar(&start, "start", "", "simulated `TIME` of the first record, RFC 3339 (default now)")
	f.StringVar(&out, "out", "", "`FILE` for JSON lines instead of Kafka; - is standard output")
	f.IntVar(&partitions, "partitions", defaultParts, "partitions of a topic that is created")
	return cmd
}

// newTraffic returns the job's generator with its simulated clock, which no record is ahead of when it is appended.
func newTraffic(j *job.Job, events int64, seed uint64, rate float64, start string) (*traffic, error) {
	newGenerator := jobs.Generators[j.Name]
	if newGenerator == nil {
		return nil, usagef("job %s has no generator; give it a file with produce --from", j.Name)
	}
	t := &traffic{gen: newGenerator(seed), start: time.Now(), rate: rate}
	if rate == 0 {
		t.rate = simulatedRate
		t.start = t.start.Add(-t.after(events))
	}
	if start != "" {
		at, err := time.Parse(time.RFC3339, start)
		if err != nil {
			return nil, usagef("--start %q: want a time such as 2026-01-31T18:00:00Z", start)
		}
		t.start = at
	}
	return t, nil
}

// writeLines writes records as JSON lines. Malformed ones are written as they are; a line feed in one would split it, and
// the generator makes none.
func writeLines(ctx context.Context, t *traffic, events int64, out string, stdout io.Writer) (err error) {
	w := stdout
	if out != "-" {
		f, err := os.Create(filepath.Clean(out))
		if err != nil {
			return fmt.Errorf("creating --out: %w", err)
		}
		defer func() {
			if cerr := f.Close(); err == nil && cerr != nil {
				err = fmt.Errorf("closing %s: %w", out, cerr)
			}
		}()
		w = f
	}
	b := bufio.NewWriterSize(w, 1<<20)
	for range events {
		if ctx.Err() != nil {
			break
		}
		r, _ := t.next()
		if _, err := b.Write(append(r.Value, '\n')); err != nil {
			return fmt.Errorf("writing %s: %w", out, err)
		}
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("writing %s: %w", out, err)
	}
	return nil
}

// genToKafka appends records to the topic of the job's source.
func genToKafka(cmd *cobra.Command, o *options, j *job.Job, t *traffic, events int64, rate float64, partitions int, timed bool) error {
	src, err := pickSource(j, "")
	if err != nil {
		return err
	}
	ctx, logger := cmd.Context(), newToolLogger(cmd.ErrOrStderr())
	client, err := dialKafka(ctx, o, logger)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := ensureTopic(ctx, client, src, partitions, !timed, logger); err != nil {
		return err
	}
	topic, err := client.Topic(ctx, src.Topic)
	if err != nil {
		return err
	}
	if timed && topic.AppendTime {
		logger.Warn("the topic was there and stamps records with the broker's time, which bounds their event times: --start moves only what the records say", "topic", src.Topic)
	}
	p, err := newPacedProducer(client, src.Topic, rate)
	if err != nil {
		return err
	}
	said := time.Now()
	for range events {
		if ctx.Err() != nil {
			break
		}
		if err := p.add(ctx, t.message(timed)); err != nil {
			return err
		}
		if time.Since(said) > progressEvery {
			said = time.Now()
			fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d records appended\n", p.total(), events)
		}
	}
	err = p.flush(context.WithoutCancel(ctx))
	fmt.Fprintf(cmd.OutOrStdout(), "%d records appended to %s\n", p.total(), src.Topic)
	return err
}

// message returns the next record as a message of its own memory.
func (t *traffic) message(timed bool) kafkalog.Message {
	r, at := t.next()
	m := kafkalog.Message{Key: append([]byte(nil), r.Key...), Value: append([]byte(nil), r.Value...), Partition: kafkalog.ByKey}
	if timed {
		m.Time = at
	}
	return m
}
