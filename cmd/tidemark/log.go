package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/history"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/record"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// loggedRecord is one record as JSON; its fields are stable.
type loggedRecord struct {
	Source    string `json:"source"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Append    int64  `json:"append"`      // ms
	Type      string `json:"append_type"` // "log" or "create"
	Key       any    `json:"key"`         // text, {"base64": …} if it is no UTF-8, null
	Value     any    `json:"value"`       // likewise
	Reject    string `json:"reject"`      // why it was rejected, empty if it was accepted
	From      string `json:"from"`        // "archive" or "kafka"
}

func newLog() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "log JOB [SOURCE]",
		Short: "Print every record of a source, from the archive and then from Kafka",
		Long: `log prints a line for each record in order of partitions and offsets: where it is, its append time, key and bytes, and why
it was rejected if it was, and one for each range that was accepted as lost. The archive keeps an accepted record as columns, so from there its bytes are told again: the
same members with the same values, declared ones first. Rejected records, and those with a field at fault, are as they came.`,
		ValidArgsFunction: completeJob,
		Args:              func(cmd *cobra.Command, args []string) error { return wantArgs(cmd, args, 1, 2) },
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := fromEnvironment(cmd, &o); err != nil {
				return err
			}
			j, err := loadJob(args[0])
			if err != nil {
				return err
			}
			src, err := pickSource(j, strings.Join(args[1:], ""))
			if err != nil {
				return err
			}
			h, done, err := openHistory(cmd.Context(), &o, newToolLogger(cmd.ErrOrStderr()))
			if err != nil {
				return err
			}
			defer done()
			w := bufio.NewWriterSize(cmd.OutOrStdout(), 1<<20)
			n, err := printLog(cmd, h, src, w, o.json())
			if err := errors.Join(err, w.Flush()); err != nil {
				return err
			}
			if n == 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "source %s has no record, neither in %s nor in topic %s\n", src.Name, o.archive, src.Topic)
			}
			return nil
		},
	}
	f := cmd.Flags()
	o.kafkaFlag(f)
	o.archiveFlag(f)
	o.waitFlag(f)
	o.outputFlag(f)
	return cmd
}

// printLog prints every record and returns how many there were.
func printLog(cmd *cobra.Command, h *history.Log, src *schema.Source, w io.Writer, asJSON bool) (int64, error) {
	stretches, err := h.Stretches(cmd.Context(), src)
	if err != nil {
		return 0, err
	}
	p := &logPrinter{src: src, w: w, teller: archivefile.NewTeller(src)}
	if asJSON {
		p.json = json.NewEncoder(w)
	}
	for _, s := range stretches {
		archived := position.Range{From: s.Range().From, Next: min(s.Archive.Next, s.Range().Next)}
		for _, lost := range s.Lost {
			before := position.Range{From: archived.From, Next: lost.From}
			err := h.Scan(cmd.Context(), src, s, before, true, p.archived)
			if err == nil {
				err = p.lost(cmd, s.Partition, lost)
			}
			if err != nil {
				return p.n, err
			}
			archived.From = lost.Next
		}
		if err := h.Scan(cmd.Context(), src, s, archived, true, p.archived); err != nil {
			return p.n, err
		}
		if err := p.kafka(cmd, h, s, position.Range{From: max(archived.Next, s.Topic.From), Next: s.Topic.Next}); err != nil {
			return p.n, err
		}
	}
	return p.n, nil
}

// logPrinter prints records of one source.
type logPrinter struct {
	src    *schema.Source
	w      io.Writer
	json   *json.Encoder // nil for text
	teller *archivefile.Teller
	buf    []byte
	n      int64 // records printed
}

// lost marks, in its place, a range whose records nobody has, as was accepted. In JSON, where each line is a record, it is said
// on standard error.
func (p *logPrinter) lost(cmd *cobra.Command, of position.Partition, r position.Range) error {
	w := p.w
	if p.json != nil {
		w = cmd.ErrOrStderr()
	}
	_, err := fmt.Fprintf(w, "%s@%d-%d\tlost: nobody has these records, as was accepted\n", of, r.From, r.Next)
	return err
}

// archived prints rows of the archive, telling accepted records again.
func (p *logPrinter) archived(b *column.Batch) error {
	for i := range b.N {
		a := b.Archive
		r := loggedRecord{
			Source: p.src.Name, Partition: b.Partition, Offset: b.Offset[i], Append: b.Append[i], Type: typeName(b.AppendType[i]),
			Reject: reasonText(b.Reject[i]), From: "archive",
		}
		if a.Key.Present(i) {
			r.Key = textOrBase64(a.Key.BytesAt(i))
		}
		switch {
		case a.Raw.Present(i):
			r.Value = textOrBase64(a.Raw.BytesAt(i))
		case b.Reject[i] == 0:
			p.buf = p.teller.Append(p.buf[:0], b, i)
			r.Value = textOrBase64(p.buf)
		}
		if err := p.print(&r); err != nil {
			return err
		}
	}
	return nil
}

// kafka prints the records of the topic as they came.
func (p *logPrinter) kafka(cmd *cobra.Command, h *history.Log, s history.Stretch, r position.Range) error {
	if r.Empty() {
		return nil
	}
	d, err := decode.Compile(p.src)
	if err != nil {
		return err
	}
	b := column.NewBatch(p.src, s.Partition.ID, false)
	return h.Records(cmd.Context(), p.src, s.Partition.ID, r, func(rec *record.Record) error {
		b.Reset(s.Partition.ID)
		d.Append(b, rec)
		out := loggedRecord{
			Source: p.src.Name, Partition: s.Partition.ID, Offset: rec.Offset, Append: rec.Append, Type: typeName(rec.AppendType),
			Reject: reasonText(b.Reject[0]), From: "kafka",
		}
		if rec.Key != nil {
			out.Key = textOrBase64(rec.Key)
		}
		if rec.Value != nil {
			out.Value = textOrBase64(rec.Value)
		}
		return p.print(&out)
	})
}

func (p *logPrinter) print(r *loggedRecord) error {
	p.n++
	if p.json != nil {
		return p.json.Encode(r)
	}
	reject := ""
	if r.Reject != "" {
		reject = "\trejected: " + r.Reject
	}
	_, err := fmt.Fprintf(p.w, "%s/%d@%d\t%s\t%s\t%s\t%s%s\n", r.Source, r.Partition, r.Offset, stamp(r.Append), r.Type, shown(r.Key), shown(r.Value), reject)
	return err
}

// shown is a key or value for people.
func shown(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case map[string]string:
		return "base64:" + v["base64"]
	}
	return "(null)"
}

func typeName(t column.TimeType) string {
	if t == column.LogAppendTime {
		return "log"
	}
	return "create"
}

func reasonText(r uint8) string {
	if r == 0 {
		return ""
	}
	return decode.Reason(r).String()
}

// textOrBase64 shows bytes so that JSON can hold them and a reader gets the very same back.
func textOrBase64(b []byte) any {
	if utf8.Valid(b) {
		return string(b)
	}
	return map[string]string{"base64": base64.StdEncoding.EncodeToString(b)}
}
