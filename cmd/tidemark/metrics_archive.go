package main

import (
	"sync"
	"time"

	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/speed/archive"
)

var archiveGroup = metricGroup{title: "Archive"}

var (
	metricArchiveRecords = archiveGroup.counter("tidemark_archive_records_total", "records",
		"Records fetched and decoded, those fetched again after a restart included.", "source")
	metricArchiveRejected = archiveGroup.counter("tidemark_archive_records_rejected_total", "records",
		"Of them, rejected; the archive keeps their bytes.", "source", "reason")
	metricArchiveFaulty = archiveGroup.counter("tidemark_archive_faulty_fields_total", "values",
		"Fields of accepted records that were there, did not decode and became null.", "source")
	metricArchiveFiles = archiveGroup.counter("tidemark_archive_files_total", "files",
		"Files written: of a block, or of a tail that a later file replaces.", "source", "kind")
	metricArchiveRows = archiveGroup.counter("tidemark_archive_rows_total", "rows",
		"Rows in these files.", "source")
	metricArchiveBuffered = archiveGroup.gauge("tidemark_archive_buffered_bytes", "bytes",
		"Rows in memory.", "source")
	metricArchiveLimit = archiveGroup.gauge("tidemark_archive_buffered_limit_bytes", "bytes",
		"Bound of that; past it the largest open blocks are written as tails.", "source")
	metricArchivedOffset = archiveGroup.gauge("tidemark_archive_offset", "offset",
		"First offset that no file holds.", "partition")
	metricArchiveLag = archiveGroup.gauge("tidemark_archive_lag_records", "records",
		"Offsets of the log that no file holds.", "partition")
	metricArchiveStopped = archiveGroup.gauge("tidemark_archive_stopped", "",
		"1 if the partition stopped and needs an operator.", "partition")
	metricHeadroomRecords = archiveGroup.gauge("tidemark_retention_headroom_records", "records",
		"Offsets that the log may drop before it drops one that is not archived.", "partition")
	metricHeadroomSeconds = archiveGroup.gauge("tidemark_retention_headroom_seconds", "seconds",
		"Time until the topic's retention.ms allows the log to drop the oldest record that is not archived; absent where it keeps records for ever.", "partition")
)

// retentions are how long the topics of sources keep records, as last heard. Safe for concurrent use.
type retentions struct {
	mu sync.Mutex
	of map[string]time.Duration // by source
}

func (t *retentions) set(source string, d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of == nil {
		t.of = map[string]time.Duration{}
	}
	t.of[source] = d
}

func (t *retentions) get(source string) (d time.Duration, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d, known = t.of[source]
	return d, known && d >= 0
}

func (m *metrics) readArchive(r *reading) {
	for _, a := range m.node.archiving() {
		s, source := &a.Stats, a.Source()
		r.count(metricArchiveRecords, s.Records.Load(), source)
		for _, reason := range decode.Reasons() {
			r.count(metricArchiveRejected, s.Rejected.Of(reason), source, reason.String())
		}
		r.count(metricArchiveFaulty, s.Faulty.Load(), source)
		r.count(metricArchiveFiles, s.Blocks.Load(), source, "block")
		r.count(metricArchiveFiles, s.Tails.Load(), source, "tail")
		r.count(metricArchiveRows, s.Rows.Load(), source)
		r.count(metricArchiveBuffered, s.Buffered.Load(), source)
		r.count(metricArchiveLimit, a.MemoryLimit(), source)
		retention, bounded := m.retention.get(source)
		for _, p := range s.Partitions() {
			r.archived(&p, retention, bounded, time.Now())
		}
	}
}

// archived puts how far a partition's archive is, and how far from losing something.
func (r *reading) archived(p *archive.Progress, retention time.Duration, bounded bool, now time.Time) {
	name := p.Partition.String()
	r.count(metricArchivedOffset, p.Archived, name)
	r.flag(metricArchiveStopped, p.Failed != "", name)
	if p.End < 0 {
		return // the log was not seen yet
	}
	r.count(metricArchiveLag, max(p.End-p.Archived, 0), name)
	r.count(metricHeadroomRecords, p.Archived-p.Start, name)
	if !bounded {
		return
	}
	// With everything fetched archived, the next record is younger than now: it has all of the retention before it.
	oldest := now
	if p.Unarchived > 0 {
		oldest = time.UnixMilli(p.Unarchived)
	}
	r.put(metricHeadroomSeconds, oldest.Add(retention).Sub(now).Seconds(), name)
}
