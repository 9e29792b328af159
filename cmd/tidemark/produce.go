package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// Bounds of what produce says.
const (
	maxReportedBad = 20
	progressEvery  = 2 * time.Second
)

func newProduce() *cobra.Command {
	var o options
	var from, source string
	var rate float64
	var partitions int
	cmd := &cobra.Command{
		Use:   "produce JOB --from FILE",
		Short: "Append the lines of a file (JSON lines, or CSV with a header; .gz too) to a source's topic",
		Long: `produce appends a file's lines to the topic of a source, creating the topic if it is not there. A name that ends with
.csv or .csv.gz is read as CSV with a header, by the column mapping in the source's file; any other, and - for standard
input, as JSON lines. Bad lines are reported with their numbers and the rest is sent; then the exit code is 4. A line that is
JSON is sent, whatever it says: whether a record is accepted is for the decoder, and log shows it.`,
		ValidArgsFunction: completeJob,
		Args:              oneJob,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := fromEnvironment(cmd, &o); err != nil {
				return err
			}
			if err := validTraffic(rate, partitions); err != nil {
				return err
			}
			j, err := loadJob(args[0])
			if err != nil {
				return err
			}
			src, err := pickSource(j, source)
			if err != nil {
				return err
			}
			ctx, logger := cmd.Context(), newToolLogger(cmd.ErrOrStderr())
			in, err := openLines(j, src, from, cmd.InOrStdin())
			if err != nil {
				return err
			}
			defer in.Close()
			client, err := dialKafka(ctx, &o, logger)
			if err != nil {
				return err
			}
			defer client.Close()
			if err := ensureTopic(ctx, client, src, partitions, true, logger); err != nil {
				return err
			}
			p, err := newPacedProducer(client, src.Topic, rate)
			if err != nil {
				return err
			}
			bad, err := produceLines(ctx, p, in, func(format string, a ...any) { fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", a...) })
			fmt.Fprintf(cmd.OutOrStdout(), "%d records appended to %s, %d lines refused\n", p.total(), src.Topic, bad)
			if err == nil && bad > 0 {
				err = fmt.Errorf("%d lines of %s were refused; the others were sent", bad, from)
			}
			return err
		},
	}
	f := cmd.Flags()
	o.kafkaFlag(f)
	o.waitFlag(f)
	f.StringVar(&from, "from", "", "`FILE` to read; - is standard input")
	f.StringVar(&source, "source", "", "`NAME` of the source to append to (default the job's only one)")
	f.Float64Var(&rate, "rate", 0, "records a second; 0 = as fast as possible")
	f.IntVar(&partitions, "partitions", defaultParts, "partitions of a topic that is created")
	return cmd
}

// validTraffic checks the flags that gen and produce share.
func validTraffic(rate float64, partitions int) error {
	switch {
	case !(rate >= 0): // NaN too
		return usagef("--rate %v: want 0 or more records a second", rate)
	case partitions < 1:
		return usagef("--partitions %d: want at least 1", partitions)
	}
	return nil
}

// pickSource returns the named source, or the only one.
func pickSource(j *job.Job, name string) (*schema.Source, error) {
	if name == "" && len(j.Sources) == 1 {
		return &j.Sources[0], nil
	}
	if src := j.Source(name); src != nil {
		return src, nil
	}
	names := make([]string, 0, len(j.Sources))
	for i := range j.Sources {
		names = append(names, j.Sources[i].Name)
	}
	if name == "" {
		return nil, usagef("job %s has several sources, say which: %s", j.Name, strings.Join(names, ", "))
	}
	return nil, usagef("job %s has no source %q; it has %s", j.Name, name, strings.Join(names, ", "))
}

// produceLines appends what in yields and says how far it is, until the file or ctx ends; what was read before ctx ended
// is sent. Bad lines are reported and passed over. An error of reading comes after all that could be read was sent.
func produceLines(ctx context.Context, p *pacedProducer, in *lines, say func(string, ...any)) (bad int64, err error) {
	sending := context.WithoutCancel(ctx)
	said := time.Now()
	for ctx.Err() == nil {
		l, err := in.next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return bad, errors.Join(err, p.flush(sending))
		}
		if l.err != nil {
			if bad++; bad <= maxReportedBad {
				say("line %d refused: %v", l.number, l.err)
			} else if bad == maxReportedBad+1 {
				say("further refused lines are only counted")
			}
			continue
		}
		if err := p.add(ctx, kafkalog.Message{Key: l.key, Value: l.value, Partition: kafkalog.ByKey}); err != nil {
			return bad, err
		}
		if time.Since(said) > progressEvery {
			said = time.Now()
			say("%d records appended", p.total())
		}
	}
	return bad, p.flush(sending)
}
