package main

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/record"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// topicLog is the log of a scenario: every record that was ever produced, by partition. It stands for Kafka: what lies
// below a partition's start is known to the oracle alone, and to the archive if that was made in time.
type topicLog map[position.Partition]*partitionLog

// partitionLog is one partition. Offsets have gaps where a scenario says so.
type partitionLog struct {
	first   int64 // where the partition began
	start   int64 // what Kafka still has begins here
	end     int64 // last stable offset
	records []record.Record
}

// partitions returns the partitions of a source, or of all with "", in order.
func (l topicLog) partitions(source string) []position.Partition {
	all := slices.SortedFunc(maps.Keys(l), position.Partition.Compare)
	return slices.DeleteFunc(all, func(p position.Partition) bool { return source != "" && p.Source != source })
}

// add appends a record at its offset, which becomes the partition's first if there is none yet.
func (l topicLog) add(p position.Partition, rec record.Record) error {
	at := l[p]
	if at == nil {
		at = &partitionLog{first: rec.Offset, start: rec.Offset, end: rec.Offset}
		l[p] = at
	}
	if rec.Offset < at.end {
		return fmt.Errorf("offset %d of %s: the log ends at %d", rec.Offset, p, at.end)
	}
	at.records, at.end = append(at.records, rec), rec.Offset+1
	return nil
}

// batch decodes the records of a stretch as src declares them.
func (l topicLog) batch(src *schema.Source, p position.Partition, r position.Range, archive bool) (*column.Batch, error) {
	d, err := decode.Compile(src)
	if err != nil {
		return nil, err
	}
	b := column.NewBatch(src, p.ID, archive)
	for _, rec := range l.records(p, r) {
		d.Append(b, &rec)
	}
	return b, nil
}

func (l topicLog) records(p position.Partition, r position.Range) []record.Record {
	all := l[p].records
	at := func(offset int64) int {
		return sort.Search(len(all), func(i int) bool { return all[i].Offset >= offset })
	}
	return all[at(r.From):max(at(r.From), at(r.Next))]
}

// ends returns how far every partition of some sources reaches.
func (l topicLog) ends(sources []schema.Source) position.Cut {
	ends := position.Cut{}
	for i := range sources {
		for _, p := range l.partitions(sources[i].Name) {
			ends[p] = l[p].end
		}
	}
	return ends
}

// topics is the log as package history reads it.
type topics struct {
	log topicLog
	job *job.Job
}

func (t topics) source(topic string) string {
	for i := range t.job.Sources {
		if t.job.Sources[i].Topic == topic {
			return t.job.Sources[i].Name
		}
	}
	return topic
}

// Topic implements history.Topics.
func (t topics) Topic(_ context.Context, name string) (kafkalog.Topic, error) {
	found := kafkalog.Topic{Name: name, AppendTime: true}
	for _, p := range t.log.partitions(t.source(name)) {
		found.Partitions = append(found.Partitions, p.ID)
	}
	if len(found.Partitions) == 0 {
		return found, kafkalog.ErrNoTopic
	}
	return found, nil
}

// Bounds implements history.Topics.
func (t topics) Bounds(_ context.Context, topic string, partitions []int32) (map[int32]kafkalog.Bounds, error) {
	bounds := map[int32]kafkalog.Bounds{}
	for _, id := range partitions {
		at := t.log[position.Partition{Source: t.source(topic), ID: id}]
		bounds[id] = kafkalog.Bounds{LogStart: at.start, LastStable: at.end, HighWatermark: at.end}
	}
	return bounds, nil
}

// Scan implements history.Topics.
func (t topics) Scan(_ context.Context, topic kafkalog.Topic, partition int32, from, to int64, fn func(*record.Record) error) error {
	p := position.Partition{Source: t.source(topic.Name), ID: partition}
	if from < t.log[p].start {
		return fmt.Errorf("reading %s from %d: the log starts at %d", p, from, t.log[p].start)
	}
	for _, rec := range t.log.records(p, position.Range{From: from, Next: to}) {
		if err := fn(&rec); err != nil {
			return err
		}
	}
	return nil
}

// Times in scenarios are written as a time of the day, UTC, of 1 March 2024, or of so many days before or after it:
// 10:00, 10:00:00.001, -3d23:59.

var (
	dayZero  = time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)
	timeForm = `(?:[+-]\d+d)?\d\d:\d\d(?::\d\d(?:\.\d\d\d)?)?`
	inText   = regexp.MustCompile(`\$` + timeForm)
	repeated = regexp.MustCompile(`\$(\d+)\*(.)`)
	timeText = regexp.MustCompile(`^([+-]\d+d)?(\d\d):(\d\d)(?::(\d\d)(?:\.(\d\d\d))?)?$`)
)

// parseTime reads a time as ms since 1970.
func parseTime(s string) (int64, error) {
	m := timeText.FindStringSubmatch(s)
	if m == nil {
		return 0, fmt.Errorf("%q is no time: want 10:00, 10:00:00.001 or -3d10:00", s)
	}
	number := func(s string) int64 {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return 0 // the part was left out
		}
		return n
	}
	ms := ((number(m[2])*60+number(m[3]))*60+number(m[4]))*1000 + number(m[5])
	return dayZero.AddDate(0, 0, int(number(strings.TrimSuffix(m[1], "d")))).UnixMilli() + ms, nil
}

// formatTime writes what parseTime reads.
func formatTime(ms int64) string {
	at := time.UnixMilli(ms).UTC()
	day := ""
	// In whole days, since a Duration ends after 292 years.
	if n := (at.Truncate(24*time.Hour).UnixMilli() - dayZero.UnixMilli()) / (24 * time.Hour).Milliseconds(); n != 0 {
		day = fmt.Sprintf("%+dd", n)
	}
	switch {
	case ms%1000 != 0:
		return day + at.Format("15:04:05.000")
	case ms%60_000 != 0:
		return day + at.Format("15:04:05")
	}
	return day + at.Format("15:04")
}

// expandTimes replaces each $time in a record's text by its ms.
func expandTimes(text string) string {
	return inText.ReplaceAllStringFunc(text, func(s string) string {
		ms, err := parseTime(s[1:])
		if err != nil {
			return s
		}
		return strconv.FormatInt(ms, 10)
	})
}

// expandRepeats replaces each $1024*k in a record's text by so many of the character.
func expandRepeats(text string) string {
	return repeated.ReplaceAllStringFunc(text, func(s string) string {
		m := repeated.FindStringSubmatch(s)
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return s
		}
		return strings.Repeat(m[2], n)
	})
}

// parseEvent reads a line of `events`: position, append time, and the record's bytes.
//
//	clicks/0     10:00 {"at": $09:59, "user": "u1"}     at the log's end
//	clicks/0@9   10:00 {"at": $09:59, "user": "u1"}     at an offset further on: what lies between holds no record
//	clicks/0     -     {"at": $09:59}                   without an append time
//	clicks/0     10:00 tombstone                        no value
//	clicks/0@16  end                                    no record: the log ends there
func (l topicLog) parseEvent(line string) error {
	place, rest, _ := strings.Cut(line, " ")
	name, offset, at := strings.Cut(place, "@")
	p, err := position.ParsePartition(name)
	if err != nil {
		return err
	}
	rec := record.Record{Append: decode.NoAppendTime, AppendType: column.LogAppendTime}
	if l[p] != nil {
		rec.Offset = l[p].end
	}
	if at {
		if rec.Offset, err = strconv.ParseInt(offset, 10, 64); err != nil {
			return fmt.Errorf("%q: %w", place, err)
		}
	}
	appended, value, _ := strings.Cut(strings.TrimSpace(rest), " ")
	if appended == "end" && at && l[p] != nil && rec.Offset >= l[p].end {
		l[p].end = rec.Offset
		return nil
	}
	if appended != "-" {
		if rec.Append, err = parseTime(appended); err != nil {
			return err
		}
	}
	if value = strings.TrimSpace(value); value != "tombstone" {
		rec.Value = []byte(expandRepeats(expandTimes(value)))
	}
	return l.add(p, rec)
}
