// Package history reads the whole log of a source: what the archive holds of a partition, and from there on the topic.
//
// It is what tools stand on that must see every record (verify, explain, log), and where the speed layer finds the head
// of a topic that was trimmed. It decodes with the one decoder, so its rows are those that both layers fold.
package history

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/record"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// rowsPerBatch bounds the rows of a batch that is decoded from the topic.
const rowsPerBatch = 8192

// Topics is the log's side; *kafkalog.Client is one.
type Topics interface {
	Topic(ctx context.Context, name string) (kafkalog.Topic, error)
	Bounds(ctx context.Context, topic string, partitions []int32) (map[int32]kafkalog.Bounds, error)
	Scan(ctx context.Context, t kafkalog.Topic, partition int32, from, to int64, fn func(*record.Record) error) error
}

// ErrGap is the class of errors about records that neither the archive nor the topic holds.
var ErrGap = errors.New("records are neither in the archive nor in the log")

// Log reads sources. Safe for concurrent use.
type Log struct {
	// Dir is the archive's folder.
	Dir string
	// Topics is the log; nil reads the archive only.
	Topics Topics
}

// Stretch is what there is of one partition.
type Stretch struct {
	Partition position.Partition
	Archive   position.Range // empty if nothing is archived
	Topic     position.Range // [log start, last stable offset); empty without Topics
	// Lost are the parts of Archive that nobody has the records of, as was accepted, in order.
	Lost []position.Range
}

// Range returns the whole of it.
func (s Stretch) Range() position.Range {
	switch {
	case s.Archive.Empty():
		return s.Topic
	case s.Topic.Next <= s.Archive.Next:
		return s.Archive
	}
	return position.Range{From: s.Archive.From, Next: s.Topic.Next}
}

// Stretches returns what there is of each partition of src, in order. A topic that does not exist has nothing; one that the
// archive was not filled from is an error of class schema.ErrTopic.
func (l *Log) Stretches(ctx context.Context, src *schema.Source) ([]Stretch, error) {
	found := map[int32]Stretch{}
	ids, err := archivefile.Partitions(l.Dir, src.Name)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		p := position.Partition{Source: src.Name, ID: id}
		c, err := archivefile.List(l.Dir, p)
		if err != nil {
			return nil, err
		}
		found[id] = Stretch{Partition: p, Archive: c.Range(), Lost: c.Lost()}
	}
	if err := l.topicStretches(ctx, src, found); err != nil {
		return nil, err
	}
	out := make([]Stretch, 0, len(found))
	for _, id := range slices.Sorted(maps.Keys(found)) {
		out = append(out, found[id])
	}
	return out, nil
}

func (l *Log) topicStretches(ctx context.Context, src *schema.Source, found map[int32]Stretch) error {
	if l.Topics == nil {
		return nil
	}
	t, err := l.Topics.Topic(ctx, src.Topic)
	switch {
	case errors.Is(err, kafkalog.ErrNoTopic):
		return nil
	case err != nil:
		return fmt.Errorf("describing topic of source %s: %w", src.Name, err)
	}
	if err := archivefile.CheckTopic(l.Dir, src.Name, schema.Topic{Name: t.Name, ID: t.IDText()}); err != nil {
		return err
	}
	bounds, err := l.Topics.Bounds(ctx, src.Topic, t.Partitions)
	if err != nil {
		return fmt.Errorf("reading bounds of topic %s: %w", src.Topic, err)
	}
	for id, b := range bounds {
		s := found[id]
		s.Partition = position.Partition{Source: src.Name, ID: id}
		s.Topic = position.Range{From: b.LogStart, Next: b.LastStable}
		found[id] = s
	}
	return nil
}

// Scan yields the rows of a partition in r, in order, those of the archive first. With archive the batches hold what the
// archive keeps of a record too. A batch is valid until yield returns. Records that are nowhere are an error of class
// ErrGap with their positions.
func (l *Log) Scan(ctx context.Context, src *schema.Source, s Stretch, r position.Range, archive bool, yield func(*column.Batch) error) error {
	if head := (position.Range{From: r.From, Next: min(r.Next, s.Archive.Next)}); !head.Empty() {
		want := archivefile.Everything(src)
		want.Archive = archive
		if err := archivefile.Scan(ctx, l.Dir, src, s.Partition.ID, head, want, yield); err != nil {
			return err
		}
		r.From = head.Next
	}
	if r.Empty() {
		return nil
	}
	if r.From < s.Topic.From || r.Next > s.Topic.Next {
		return fmt.Errorf("%w: %s %s; the archive holds %s, the topic %s", ErrGap, s.Partition, r, s.Archive, s.Topic)
	}
	return l.scanTopic(ctx, src, s.Partition.ID, r, archive, yield)
}

func (l *Log) scanTopic(ctx context.Context, src *schema.Source, partition int32, r position.Range, archive bool, yield func(*column.Batch) error) error {
	d, err := decode.Compile(src)
	if err != nil {
		return err
	}
	b := column.NewBatch(src, partition, archive)
	err = l.Records(ctx, src, partition, r, func(rec *record.Record) error {
		d.Append(b, rec)
		if b.N < rowsPerBatch {
			return nil
		}
		defer b.Reset(partition)
		return yield(b)
	})
	if err != nil || b.N == 0 {
		return err
	}
	return yield(b)
}

// Records calls fn with the records of r that the topic holds, as they came.
func (l *Log) Records(ctx context.Context, src *schema.Source, partition int32, r position.Range, fn func(*record.Record) error) error {
	t, err := l.Topics.Topic(ctx, src.Topic)
	if err != nil {
		return fmt.Errorf("describing topic of source %s: %w", src.Name, err)
	}
	return l.Topics.Scan(ctx, t, partition, r.From, r.Next, fn)
}
