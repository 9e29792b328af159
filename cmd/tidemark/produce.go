package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// Bounds of produce.
const (
	produceBatch    = 5_000
	maxLineBytes    = 64 << 20
	maxReportedBad  = 20
	progressEvery   = 2 * time.Second
	defaultParts    = 4
	produceBatchAge = 20 * time.Millisecond // how long a paced producer gathers records
)

// line is one record of an input file, or why it is none.
type line struct {
	number int64
	key    []byte
	value  []byte
	err    error
}

func newProduce() *cobra.Command {
	var o options
	var from, source string
	var rate float64
	var partitions int
	cmd := &cobra.Command{
		Use:   "produce JOB --from FILE",
		Short: "Append the lines of a file (JSON lines, or CSV with a header; .gz too) to a source's topic",
		Long: `produce appends a file's lines to the topic of a source, creating the topic if it is not there. A name that ends with
.csv or .csv.gz is read as CSV with a header, by the column mapping in the source's file; any other as JSON lines. Bad lines
are reported with their numbers and the rest is sent; then the exit code is 4.`,
		Args: oneJob,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := fromEnvironment(cmd, &o); err != nil {
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
			ctx, logger := cmd.Context(), newLogger(cmd.ErrOrStderr())
			in, err := openLines(j, src, from)
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
			sent, bad, err := produceLines(ctx, client, src, in, rate, func(format string, a ...any) { fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", a...) })
			fmt.Fprintf(cmd.OutOrStdout(), "%d records appended to %s, %d lines refused\n", sent, src.Topic, bad)
			if err == nil && bad > 0 {
				err = fmt.Errorf("%d lines of %s were refused", bad, from)
			}
			return err
		},
	}
	f := cmd.Flags()
	o.kafkaFlag(f)
	o.waitFlag(f)
	f.StringVar(&from, "from", "", "`FILE` to read")
	f.StringVar(&source, "source", "", "source to append to (default the job's only one)")
	f.Float64Var(&rate, "rate", 0, "records a second; 0 = as fast as possible")
	f.IntVar(&partitions, "partitions", defaultParts, "partitions of a topic that is created")
	return cmd
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
	return nil, fmt.Errorf("%w: job %s has no source %q; it has %s", errUsage, j.Name, name, strings.Join(names, ", "))
}

// lines yields the records of a file.
type lines struct {
	next   func() (line, error) // io.EOF at the end; any other error ends the reading
	closes []io.Closer
}

// Close closes the file.
func (l *lines) Close() error {
	var errs []error
	for _, c := range l.closes {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// openLines opens a file by its name's ending.
func openLines(j *job.Job, src *schema.Source, file string) (*lines, error) {
	if file == "" {
		return nil, fmt.Errorf("%w: --from FILE is required", errUsage)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("%w: opening input: %w", errUsage, err)
	}
	l := &lines{closes: []io.Closer{f}}
	var r io.Reader = f
	name := file
	if base, ok := strings.CutSuffix(name, ".gz"); ok {
		name = base
		z, err := gzip.NewReader(bufio.NewReaderSize(f, 1<<20))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("reading %s: %w", file, err), l.Close())
		}
		r = z
	}
	r = bufio.NewReaderSize(r, 1<<20)
	if !strings.HasSuffix(name, ".csv") {
		l.next = jsonLines(r, src)
		return l, nil
	}
	spec := j.Imports[src.Name]
	if spec == nil {
		return nil, errors.Join(fmt.Errorf("%w: source %s declares no import, so CSV cannot be read for it", errUsage, src.Name), l.Close())
	}
	if l.next, err = csvLines(r, spec, src, file); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// jsonLines reads one JSON value a line; blank lines are passed over.
func jsonLines(r io.Reader, src *schema.Source) func() (line, error) {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 1<<16), maxLineBytes)
	n := int64(0)
	return func() (line, error) {
		for s.Scan() {
			n++
			b := s.Bytes()
			if len(strings.TrimSpace(string(b))) == 0 {
				continue
			}
			v := append([]byte(nil), b...)
			if !json.Valid(v) {
				return line{number: n, err: errors.New("not valid JSON")}, nil
			}
			return line{number: n, value: v, key: recordKey(v, src)}, nil
		}
		if err := s.Err(); err != nil {
			return line{}, fmt.Errorf("reading line %d: %w", n+1, err)
		}
		return line{}, io.EOF
	}
}

// recordKey returns the text of the source's key field, nil for none. Nothing rests on it but locality.
func recordKey(value []byte, src *schema.Source) []byte {
	if src.Key == "" {
		return nil
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(value, &members) != nil {
		return nil
	}
	raw, ok := members[src.Key]
	var text string
	switch {
	case !ok || string(raw) == "null":
		return nil
	case json.Unmarshal(raw, &text) == nil:
		return []byte(text)
	}
	return raw
}

func csvLines(r io.Reader, spec *job.ImportSpec, src *schema.Source, file string) (func() (line, error), error) {
	c := csv.NewReader(r)
	c.ReuseRecord = true
	c.FieldsPerRecord = -1
	header, err := c.Read()
	if err != nil {
		return nil, fmt.Errorf("reading header of %s: %w", file, err)
	}
	im, err := spec.Importer(header)
	if err != nil {
		return nil, fmt.Errorf("%w: importing %s: %w", errUsage, file, err)
	}
	return func() (line, error) {
		cells, err := c.Read()
		n, _ := c.FieldPos(0)
		var parse *csv.ParseError
		switch {
		case errors.As(err, &parse):
			return line{number: int64(parse.StartLine), err: err}, nil
		case err != nil:
			return line{}, err
		}
		v, err := im.AppendJSON(nil, cells)
		return line{number: int64(n), value: v, key: recordKey(v, src), err: err}, nil
	}, nil
}

// ensureTopic creates the source's topic if it is not there.
func ensureTopic(ctx context.Context, client *kafkalog.Client, src *schema.Source, partitions int, appendTime bool, logger logger) error {
	spec := kafkalog.TopicSpec{Name: src.Topic, Partitions: partitions, AppendTime: appendTime}
	created, err := client.CreateTopic(ctx, spec)
	if err != nil {
		return fmt.Errorf("creating topic %s: %w", src.Topic, err)
	}
	if created {
		logger.Info("topic created", "topic", src.Topic, "partitions", partitions, "append_time", appendTime)
	}
	return nil
}

// produceLines appends what in yields and says how far it is. Bad lines are reported and passed over.
func produceLines(ctx context.Context, client *kafkalog.Client, src *schema.Source, in *lines, rate float64, say func(string, ...any)) (sent, bad int64, err error) {
	p, err := newPacedProducer(client, src.Topic, rate)
	if err != nil {
		return 0, 0, err
	}
	said := time.Now()
	for ctx.Err() == nil {
		l, err := in.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return p.total(), bad, errors.Join(err, p.flush(ctx))
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
			return p.total(), bad, err
		}
		if time.Since(said) > progressEvery {
			said = time.Now()
			say("%d records appended", p.total())
		}
	}
	err = p.flush(context.WithoutCancel(ctx))
	return p.total(), bad, err
}

// pacedProducer gathers messages into large calls, at a rate if there is one.
type pacedProducer struct {
	producer *kafkalog.Producer
	rate     float64
	start    time.Time
	sent     atomic.Int64
	pending  []kafkalog.Message
	limit    int
}

func newPacedProducer(client *kafkalog.Client, topic string, rate float64) (*pacedProducer, error) {
	p, err := client.NewProducer(topic, kafkalog.ProducerConfig{})
	if err != nil {
		return nil, err
	}
	limit := produceBatch
	if rate > 0 {
		limit = max(1, min(limit, int(rate*produceBatchAge.Seconds())))
	}
	return &pacedProducer{producer: p, rate: rate, start: time.Now(), limit: limit}, nil
}

// add takes one message and sends what has gathered when it is enough, waiting first if the rate says so.
func (p *pacedProducer) add(ctx context.Context, m kafkalog.Message) error {
	p.pending = append(p.pending, m)
	if len(p.pending) < p.limit {
		return nil
	}
	if p.rate > 0 {
		due := p.start.Add(time.Duration(float64(p.total()) / p.rate * float64(time.Second)))
		if d := time.Until(due); d > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(d):
			}
		}
	}
	return p.flush(ctx)
}

// total returns how many records were appended. Safe for concurrent use.
func (p *pacedProducer) total() int64 { return p.sent.Load() }

func (p *pacedProducer) flush(ctx context.Context) error {
	if len(p.pending) == 0 {
		return nil
	}
	if err := p.producer.Produce(ctx, p.pending); err != nil {
		return fmt.Errorf("appending %d records: %w", len(p.pending), err)
	}
	p.sent.Add(int64(len(p.pending)))
	p.pending = p.pending[:0]
	return nil
}
