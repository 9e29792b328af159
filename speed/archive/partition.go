package archive

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/record"
)

// decodeRows and decodeBytes bound the records that are decoded before they go to the Writer: enough to amortize, little
// to hold. A record that is larger goes alone.
const (
	decodeRows  = 4096
	decodeBytes = 16 << 20
)

// partition is one partition's open block.
type partition struct {
	cfg     *Config
	id      position.Partition
	stats   *Stats
	decoder *decode.Decoder
	rows    *column.Batch // scratch of all partitions

	// position is the first offset that was not fetched; the open block's file begins at from. fresh tells that nothing
	// of the partition was ever archived or fetched: the log's start is where it begins.
	from, position int64
	fresh          bool
	// writer holds the rows of [from, position) if it is not nil; otherwise tail does, or there are none.
	writer *archivefile.Writer
	tail   *archivefile.Entry
	// archived is the first offset that no file holds.
	archived int64
	// since is when the first row came that no file holds; zero if there is none.
	since time.Time
	// oldest is the append time, ms, of that row, or of the first after it that is there: what retention judges it by.
	oldest     int64
	start, end int64 // the log's bounds as last seen
	err        error // why the partition is stopped
}

// reopen goes on with a partition that waits for records that nobody has, once a file answers for them. A Writer that still
// decodes an archived tail anew is given up: its rows end before that tail does, and the tail holds them all.
func (p *partition) reopen() error {
	c, err := archivefile.List(p.cfg.Dir, p.id)
	if err != nil || c.Range().Next <= p.archived {
		return err
	}
	p.err = nil
	p.tail, p.since, p.oldest, p.fresh = nil, time.Time{}, 0, false
	if err := p.drop(nil); err != nil {
		return err
	}
	return p.open()
}

// open looks where the archive of the partition ends.
func (p *partition) open() error {
	c, err := archivefile.List(p.cfg.Dir, p.id)
	if err != nil {
		return err
	}
	p.start, p.end = -1, -1
	r := c.Range()
	p.from, p.position, p.archived = r.Next, r.Next, r.Next
	switch {
	case r.Empty():
		p.fresh = true
	case c.Files[len(c.Files)-1].Lost:
		// What follows begins a file of its own: the word that records are lost stays.
	case r.Next != position.Block(r.Next, p.cfg.Source.Block):
		return p.resume(c.Files[len(c.Files)-1])
	}
	return nil
}

// resume goes on with a block whose tail is archived. If the tail was decoded as we would, its rows are ours; otherwise
// the log is asked for them again, so that the block is decoded by one rule.
func (p *partition) resume(tail archivefile.Entry) error {
	r, err := archivefile.Open(tail.Path)
	if err != nil {
		return err
	}
	f := r.Footer()
	p.tail, p.from = &tail, tail.Range.From
	if f.SourceHash != p.cfg.Source.Hash() || f.Decoder != decode.Version {
		p.position = tail.Range.From
	}
	return r.Close()
}

// deliver takes what was fetched of the partition.
func (p *partition) deliver(ctx context.Context, got *kafkalog.Fetched) error {
	if got.Err != nil {
		return p.troubled(got.Err)
	}
	p.start, p.end, p.fresh = got.LogStart, got.LastStable, false
	if got.Next == p.position {
		return nil
	}
	for piece := range split(got.Records, p.position, got.Next, p.cfg.Source.Block) {
		if err := p.add(ctx, piece.records); err != nil {
			return err
		}
		p.position = piece.next
		if p.since.IsZero() {
			p.since = p.cfg.Now()
		}
		p.age(piece.records)
		if piece.whole {
			if err := p.commit(false); err != nil {
				return err
			}
		}
	}
	return nil
}

// age notes the append time of the oldest record that no file holds.
func (p *partition) age(records []record.Record) {
	if p.oldest != 0 {
		return
	}
	i := sort.Search(len(records), func(i int) bool { return records[i].Offset >= p.archived })
	if i < len(records) {
		p.oldest = records[i].Append
	}
}

// troubled decides what the log's error means. A head that was trimmed is fine if nothing was archived before, or if a
// tail holds what is gone.
func (p *partition) troubled(err error) error {
	var out *kafkalog.RangeError
	switch {
	case !errors.As(err, &out) || out.Asked >= out.LogStart || out.Asked != p.position:
		return err
	case p.fresh:
		p.from, p.position, p.archived = out.LogStart, out.LogStart, out.LogStart
		return nil
	case p.tail != nil && p.position < p.archived && out.LogStart <= p.archived:
		p.position = p.archived
		return p.drop(nil)
	default:
		return &LostError{Partition: p.id, Lost: position.Range{From: max(p.archived, p.position), Next: out.LogStart}}
	}
}

// add decodes records and appends them to the open block's file.
func (p *partition) add(ctx context.Context, records []record.Record) error {
	if err := p.write(ctx); err != nil {
		return err
	}
	for len(records) > 0 {
		n := portion(records)
		p.rows.Reset(p.id.ID)
		for i := range records[:n] {
			p.decoder.Append(p.rows, &records[i])
		}
		records = records[n:]
		p.stats.decoded(p.rows)
		if err := p.writer.Append(p.rows); err != nil {
			return p.drop(err)
		}
	}
	return nil
}

// portion returns how many of the records, at least one, are decoded at once.
func portion(records []record.Record) int {
	size := 0
	for i := range records[:min(len(records), decodeRows)] {
		r := &records[i]
		size += len(r.Key) + len(r.Value)
		for _, h := range r.Headers {
			size += len(h.Key) + len(h.Value)
		}
		if size > decodeBytes {
			return max(i, 1)
		}
	}
	return min(len(records), decodeRows)
}

// write sees to it that there is a Writer, with the rows of the tail if the position is behind them.
func (p *partition) write(ctx context.Context) error {
	if p.writer != nil {
		return nil
	}
	p.writer = archivefile.NewWriter(p.cfg.FS, p.cfg.Dir, &p.cfg.Source, p.id.ID, p.from)
	if p.tail == nil || p.position == p.from {
		return nil
	}
	r, err := archivefile.Open(p.tail.Path)
	if err != nil {
		return p.drop(err)
	}
	err = r.Read(ctx, &p.cfg.Source, archivefile.Everything(&p.cfg.Source), p.writer.Append)
	if err = errors.Join(err, r.Close()); err != nil {
		return p.drop(err)
	}
	return nil
}

// drop gives the open block's rows up.
func (p *partition) drop(err error) error {
	w := p.writer
	p.writer = nil
	if w == nil {
		return err
	}
	return errors.Join(err, w.Abort())
}

// commit writes the open block up to the position. A tail leaves memory, too: its rows are read back when more come.
func (p *partition) commit(tail bool) error {
	w := p.writer
	p.writer = nil
	path, err := w.Commit(p.position)
	if err != nil {
		return fmt.Errorf("archiving %s: %w", p.id, err)
	}
	file := File{Partition: p.id, Range: position.Range{From: p.from, Next: p.position}, Path: path, Rows: w.Rows(), Tail: tail}
	p.archived, p.since, p.oldest = p.position, time.Time{}, 0
	if tail {
		p.tail = &archivefile.Entry{Path: path, Range: file.Range}
		p.stats.Tails.Add(1)
	} else {
		p.tail, p.from = nil, p.position
		p.stats.Blocks.Add(1)
	}
	p.stats.Rows.Add(file.Rows)
	p.cfg.Written(file)
	return nil
}

// closeTail writes what is in memory and in no file, if there is anything.
func (p *partition) closeTail() error {
	if p.writer == nil || p.position <= p.archived {
		return nil
	}
	return p.commit(true)
}

// buffered returns the size of the rows in memory.
func (p *partition) buffered() int64 {
	if p.writer == nil {
		return 0
	}
	return p.writer.BufferedBytes()
}

// stopped tells whether the log's error has ended the partition's work.
func (p *partition) stopped() bool { return p.err != nil }

// waits tells whether it is stopped for records that nobody has: it goes on when a file answers for them.
func (p *partition) waits() bool { return errors.Is(p.err, ErrLost) }

// report tells the stats how far the partition is.
func (p *partition) report() {
	progress := Progress{Partition: p.id, Archived: p.archived, Position: p.position, Start: p.start, End: p.end, Unarchived: p.oldest}
	if p.err != nil {
		progress.Failed = p.err.Error()
	}
	p.stats.progress(progress)
}
