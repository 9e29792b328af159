package main

import (
	"strconv"
	"time"

	"github.com/tidemark-io/tidemark/batch/journal"
	batch "github.com/tidemark-io/tidemark/batch/service"
)

var batchGroup = metricGroup{title: "Batch"}

var (
	metricBatchFailed = batchGroup.gauge("tidemark_batch_failed", "",
		"1 if no more runs are made: one failed its check, or the archive does not give what one needs.")
	metricBatchRuns = batchGroup.counter("tidemark_batch_runs_total", "runs",
		"Runs made that passed their check.", "kind")
	metricBatchRunsFailed = batchGroup.counter("tidemark_batch_failed_checks_total", "times",
		"Times that runs were made of which one or more did not pass.")
	metricBatchEvents = batchGroup.counter("tidemark_batch_events_total", "events",
		"Accepted events with an entity in the runs made.")
	metricBatchTook = batchGroup.gauge("tidemark_batch_last_run_duration_seconds", "seconds",
		"How long the last run was at work until it was checked, of all views that shared its scan.")
	metricBatchMade = batchGroup.gauge("tidemark_batch_last_run_timestamp_seconds", "seconds",
		"When that was; absent before the first run of this process.")
	metricBatchLooked = batchGroup.gauge("tidemark_batch_last_success_timestamp_seconds", "seconds",
		"When batch last looked for something to do and made what there was, or found nothing; absent before.")
	metricBatchRun = batchGroup.gauge("tidemark_batch_run", "number",
		"Last run that passed its check.", "view", "generation")
	metricBatchPending = batchGroup.gauge("tidemark_batch_pending_run", "number",
		"Run that is registered and not checked, 0 for none.", "view", "generation")
	metricBatchPublished = batchGroup.gauge("tidemark_batch_published_run", "number",
		"Run that every lane has taken in.", "view", "generation")
	metricBatchRunRows = batchGroup.gauge("tidemark_batch_run_rows", "rows",
		"Rows of the last checked run's files.", "view", "generation")
	metricBatchRowsLeft = batchGroup.gauge("tidemark_batch_rows_left", "rows",
		"Rows of run files that lanes are still to take in.", "view", "generation")
	metricBatchLanes = batchGroup.gauge("tidemark_batch_lanes", "lanes",
		"Lanes of the generation.", "view", "generation")
	metricBatchLanesDone = batchGroup.gauge("tidemark_batch_lanes_done", "lanes",
		"Of them, those that have taken in all runs.", "view", "generation")
	metricBatchLanesRefused = batchGroup.gauge("tidemark_batch_lanes_refused", "lanes",
		"Of them, those left alone until somebody acts: the store refuses them, or their marks or run files are at fault.", "view", "generation")
	metricGeneration = batchGroup.gauge("tidemark_batch_generation_info", "",
		"1 for each generation that is fed; state says whether it is served, being built, or kept.", "view", "generation", "state")
	metricPublishedRows = batchGroup.counter("tidemark_batch_published_rows_total", "rows",
		"Rows written to lanes.")
	metricPublishedBytes = batchGroup.counter("tidemark_batch_published_bytes_total", "bytes",
		"Keys, tiles and names in calls to lanes.")
	metricLanesBegun = batchGroup.counter("tidemark_batch_lanes_begun_total", "lanes",
		"Lanes begun: new ones, and those that the store lost.")
	metricPublishRefused = batchGroup.counter("tidemark_batch_refused_calls_total", "calls",
		"Calls that found another batch mark; they are decided anew from it.")
	metricPublishUnknown = batchGroup.counter("tidemark_batch_unknown_calls_total", "calls",
		"Calls of which it is not known what became of them; the marks say.")
)

func (m *metrics) readBatch(r *reading) {
	b := m.node.batch
	if b == nil {
		return
	}
	r.flag(metricBatchFailed, b.failure() != nil)
	f := b.service.Figures()
	for _, kind := range []journal.Kind{journal.Full, journal.Delta, journal.Compact} {
		r.count(metricBatchRuns, f.Runs[kind], string(kind))
	}
	r.count(metricBatchRunsFailed, f.Failed)
	r.count(metricBatchEvents, f.Events)
	if !f.Made.IsZero() {
		r.put(metricBatchTook, f.Took.Seconds())
		r.put(metricBatchMade, timestamp(f.Made))
	}
	if !f.Looked.IsZero() {
		r.put(metricBatchLooked, timestamp(f.Looked))
	}
	r.count(metricPublishedRows, f.Published.Rows)
	r.count(metricPublishedBytes, f.Published.Bytes)
	r.count(metricLanesBegun, f.Published.Begun)
	r.count(metricPublishRefused, f.Published.Refused)
	r.count(metricPublishUnknown, f.Published.Unknown)
	for _, v := range b.service.Status() {
		r.generation(&v)
	}
}

// generation puts how far a generation is.
func (r *reading) generation(v *batch.ViewStatus) {
	number := strconv.FormatInt(v.Generation, 10)
	r.count(metricBatchRun, v.Run, v.View, number)
	r.count(metricBatchPending, v.Pending, v.View, number)
	r.count(metricBatchPublished, max(v.Lanes.Run-1, 0), v.View, number)
	r.count(metricBatchRunRows, v.Rows, v.View, number)
	r.count(metricBatchRowsLeft, v.Lanes.RowsLeft, v.View, number)
	r.count(metricBatchLanes, int64(v.Lanes.Lanes), v.View, number)
	r.count(metricBatchLanesDone, int64(v.Lanes.Done), v.View, number)
	r.count(metricBatchLanesRefused, int64(len(v.Lanes.Refused)), v.View, number)
	r.put(metricGeneration, 1, v.View, number, string(v.State))
}

// timestamp is a time as Prometheus has it.
func timestamp(t time.Time) float64 { return float64(t.UnixNano()) / float64(time.Second) }
