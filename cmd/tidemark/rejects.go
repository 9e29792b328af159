package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
)

const (
	defaultRejects = 100 // records listed unless --limit says otherwise
	shownBytes     = 200 // of a record's bytes on a line of text
)

// rejectedRecord is one rejected record as JSON; its fields are stable.
type rejectedRecord struct {
	Source    string `json:"source"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Append    int64  `json:"append"` // ms
	Key       any    `json:"key"`    // text, {"base64": …} if it is no UTF-8, null
	Reason    string `json:"reason"`
	Raw       any    `json:"raw"` // likewise; null of a tombstone
}

// rejectsSummary is the last line.
type rejectsSummary struct {
	Records  int64            `json:"records"` // in the archive
	Rejected int64            `json:"rejected"`
	Listed   int64            `json:"listed"`
	Reasons  map[string]int64 `json:"reasons"`
}

func newRejects() *cobra.Command {
	var o options
	var limit int64
	cmd := &cobra.Command{
		Use:   "rejects JOB [SOURCE]",
		Short: "List the records that were rejected, with the reason, from the archive",
		Long: `rejects prints a line for each rejected record of the archive in order of partitions and offsets: where it is, its append
time and key, why it was rejected, and its bytes; then how many there are of each reason. Records that are not archived yet
are not among them: log shows those.`,
		ValidArgsFunction: completeJob,
		Args:              func(cmd *cobra.Command, args []string) error { return wantArgs(cmd, args, 1, 2) },
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := fromEnvironment(cmd, &o); err != nil {
				return err
			}
			if limit < 0 {
				return usagef("--limit %d: want 0 or more", limit)
			}
			j, err := loadJob(args[0])
			if err != nil {
				return err
			}
			src, err := pickSource(j, strings.Join(args[1:], ""))
			if err != nil {
				return err
			}
			w := bufio.NewWriterSize(cmd.OutOrStdout(), 1<<20)
			p := &rejectsPrinter{src: src, w: w, limit: limit, sum: rejectsSummary{Reasons: map[string]int64{}}}
			if o.json() {
				p.json = json.NewEncoder(w)
			}
			return errors.Join(p.archive(cmd.Context(), o.archive), w.Flush())
		},
	}
	f := cmd.Flags()
	o.archiveFlag(f)
	o.outputFlag(f)
	f.Int64Var(&limit, "limit", defaultRejects, "list at most this many records; 0 = all. All are counted")
	return cmd
}

// rejectsPrinter prints the rejected records of one source.
type rejectsPrinter struct {
	src   *schema.Source
	w     io.Writer
	json  *json.Encoder // nil for text
	limit int64
	sum   rejectsSummary
}

// archive prints what the archive holds, and the summary.
func (p *rejectsPrinter) archive(ctx context.Context, dir string) error {
	ids, err := archivefile.Partitions(dir, p.src.Name)
	if err != nil {
		return err
	}
	for _, id := range ids {
		c, err := archivefile.List(dir, position.Partition{Source: p.src.Name, ID: id})
		if err != nil {
			return err
		}
		for _, e := range c.Overlapping(c.Range()) {
			if err := p.file(ctx, e.Path); err != nil {
				return err
			}
		}
	}
	return p.summary(dir)
}

// file prints the rejected records of one file. One whose footer says that it has none is not read, provided that it was
// decoded as the source is declared now: other required fields reject other records.
func (p *rejectsPrinter) file(ctx context.Context, path string) error {
	r, err := archivefile.Open(path)
	if err != nil {
		return err
	}
	f := r.Footer()
	p.sum.Records += f.Rows
	if f.Rejects > 0 || f.SourceHash != p.src.Hash() || f.Decoder != decode.Version {
		err = r.Read(ctx, p.src, archivefile.Want{Archive: true}, p.batch)
	}
	return errors.Join(err, r.Close())
}

func (p *rejectsPrinter) batch(b *column.Batch) error {
	for i := range b.N {
		if b.Reject[i] == 0 {
			continue
		}
		p.sum.Rejected++
		p.sum.Reasons[reasonText(b.Reject[i])]++
		if p.limit > 0 && p.sum.Listed == p.limit {
			continue
		}
		p.sum.Listed++
		if err := p.print(b, i); err != nil {
			return err
		}
	}
	return nil
}

func (p *rejectsPrinter) print(b *column.Batch, i int) error {
	reason := reasonText(b.Reject[i])
	key, raw := bytesOrNil(&b.Archive.Key, i), bytesOrNil(&b.Archive.Raw, i)
	if p.json != nil {
		r := rejectedRecord{Source: p.src.Name, Partition: b.Partition, Offset: b.Offset[i], Append: b.Append[i], Reason: reason}
		if key != nil {
			r.Key = textOrBase64(key)
		}
		if raw != nil {
			r.Raw = textOrBase64(raw)
		}
		return p.json.Encode(&r)
	}
	_, err := fmt.Fprintf(p.w, "%s/%d@%d\t%s\t%s\t%s\t%s\n", p.src.Name, b.Partition, b.Offset[i], stamp(b.Append[i]), reason, printable(key), printable(raw))
	return err
}

// bytesOrNil returns a row of a column of bytes, nil for null and never nil otherwise.
func bytesOrNil(c *column.Column, i int) []byte {
	if !c.Present(i) {
		return nil
	}
	return append([]byte{}, c.BytesAt(i)...)
}

// printable shows the beginning of some bytes on a line: as they are, or quoted if a terminal could not show them so.
func printable(b []byte) string {
	if b == nil {
		return "(null)"
	}
	more := ""
	if len(b) > shownBytes {
		more = fmt.Sprintf("… (%d bytes)", len(b))
		b = b[:shownBytes]
	}
	text := string(b)
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }) {
		text = strconv.Quote(text)
	}
	return text + more
}

func (p *rejectsPrinter) summary(dir string) error {
	if p.json != nil {
		return p.json.Encode(&p.sum)
	}
	reasons := slices.SortedFunc(maps.Keys(p.sum.Reasons), func(a, b string) int {
		return cmp.Or(cmp.Compare(p.sum.Reasons[b], p.sum.Reasons[a]), strings.Compare(a, b))
	})
	if p.sum.Listed < p.sum.Rejected {
		fmt.Fprintf(p.w, "… and %d more; --limit 0 lists all\n", p.sum.Rejected-p.sum.Listed)
	}
	for _, r := range reasons {
		fmt.Fprintf(p.w, "%8d  %s\n", p.sum.Reasons[r], r)
	}
	_, err := fmt.Fprintf(p.w, "%d of %s of source %s in %s were rejected\n", p.sum.Rejected, counted(int(p.sum.Records), "record"), p.src.Name, dir)
	return err
}
