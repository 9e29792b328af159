package main

import (
	"time"

	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/speed/flush"
	"github.com/tidemark-io/tidemark/speed/service"
)

var speedGroup = metricGroup{title: "Speed layer"}

var (
	metricDecoded = speedGroup.counter("tidemark_speed_records_decoded_total", "records",
		"Records decoded, read again ones included.")
	metricFolded = speedGroup.counter("tidemark_speed_records_folded_total", "records",
		"Records folded, once for all generations, read again ones included.")
	metricRejected = speedGroup.counter("tidemark_speed_records_rejected_total", "records",
		"Records decoded that were rejected.", "reason")
	metricFaulty = speedGroup.counter("tidemark_speed_faulty_fields_total", "values",
		"Fields of accepted records that were there, did not decode and became null.")
	metricExpressionErrors = speedGroup.counter("tidemark_speed_expression_errors_total", "values",
		"Values that were null because an expression overflowed or divided by zero.")
	metricLongKeys = speedGroup.counter("tidemark_speed_long_keys_total", "values",
		"Values that were too long for an entity's key and counted as null in it.")
	metricFreshness = speedGroup.histogram("tidemark_freshness_seconds",
		"Time from the broker's append of a record to its being readable, each record of a served view once.")
	metricStages = speedGroup.histogram("tidemark_freshness_stage_seconds",
		"The parts of that time, and the time from the event to its append before it. The oldest record of a fetch stands for all of it.", "stage")
	metricFlushCalls = speedGroup.counter("tidemark_speed_flush_calls_total", "calls",
		"Calls that changed a lane, or were to.")
	metricTilesWritten = speedGroup.counter("tidemark_speed_tiles_written_total", "tiles",
		"Block tiles in these calls.")
	metricRefusals = speedGroup.counter("tidemark_store_refusals_total", "calls",
		"Calls of the speed layer that did not do what they were to do, by what the lane's mark was found to be.", "kind")
	metricSpeedFailures = speedGroup.counter("tidemark_speed_store_failures_total", "requests",
		"Flushes and reads of marks that failed, or of which it is not known what became of them; they are made good from the marks.")
	metricFullSeconds = speedGroup.counter("tidemark_speed_backpressure_seconds_total", "seconds",
		"Time that partitions did not fold because memory was full or the store did not answer at all, summed up over them.")
	metricFull = speedGroup.gauge("tidemark_speed_backpressure", "",
		"1 if memory is full, or the store does not answer at all: a generation folds nothing until that is over.", "partition")
	metricPosition = speedGroup.gauge("tidemark_speed_position_offset", "offset",
		"First offset that is not folded.", "partition")
	metricMark = speedGroup.gauge("tidemark_speed_mark_offset", "offset",
		"First offset that not every lane of the served generations has taken in; absent until their marks are known.", "partition")
	metricLogEnd = speedGroup.gauge("tidemark_speed_log_end_offset", "offset",
		"First offset that the log does not have yet, as last seen.", "partition")
	metricLag = speedGroup.gauge("tidemark_speed_lag_records", "records",
		"Offsets of the log that are not folded.", "partition")
	metricOpenBlocks = speedGroup.gauge("tidemark_speed_open_blocks", "blocks",
		"Blocks whose tiles are in memory, of all generations.", "partition")
	metricOpenBytes = speedGroup.gauge("tidemark_speed_open_bytes", "bytes",
		"Tiles in memory, about, of all generations.", "partition")
	metricOpenLimit = speedGroup.gauge("tidemark_speed_open_limit_bytes", "bytes",
		"Bound of that, for each partition and generation.")
	metricWaitingLanes = speedGroup.gauge("tidemark_speed_waiting_lanes", "lanes",
		"Lanes that batch has yet to begin.", "partition")
	metricDamagedLanes = speedGroup.gauge("tidemark_speed_damaged_lanes", "lanes",
		"Lanes with a mark that does not read.", "partition")
	metricStopped = speedGroup.gauge("tidemark_speed_stopped", "",
		"1 if the partition stopped, feeds a generation no more, or waits for records that are nowhere, and needs an operator.", "partition")
)

func (m *metrics) readSpeed(r *reading) {
	l := m.node.speedNow()
	if l == nil {
		return
	}
	s := &l.service.Stats
	r.count(metricDecoded, s.Decoded.Load())
	r.count(metricFolded, s.Folded.Load())
	for _, reason := range decode.Reasons() {
		r.count(metricRejected, s.Rejected.Of(reason), reason.String())
	}
	r.count(metricFaulty, s.Faulty.Load())
	r.count(metricExpressionErrors, s.Errors.Load())
	r.count(metricLongKeys, s.LongKeys.Load())
	r.freshness(metricFreshness, &s.Freshness, time.Millisecond, 0, 17)
	for stage := range service.Stages {
		r.freshness(metricStages, &s.Stages[stage], time.Microsecond, 8, 37, stage.String())
	}
	r.count(metricFlushCalls, s.Flushes.Load())
	r.count(metricTilesWritten, s.Tiles.Load())
	for kind := flush.Further; kind < flush.Refusals; kind++ {
		r.count(metricRefusals, s.Refusals[kind].Load(), kind.String())
	}
	r.count(metricSpeedFailures, s.StoreFailures.Load())
	r.put(metricFullSeconds, time.Duration(s.Full.Load()).Seconds())
	r.count(metricOpenLimit, l.service.OpenLimit())
	for _, p := range s.Partitions() {
		r.partition(&p)
	}
}

// partition puts what there is to say of a partition that is owned.
func (r *reading) partition(p *service.PartitionState) {
	r.flag(metricFull, p.Full, p.Partition)
	r.count(metricPosition, p.Position, p.Partition)
	if p.Mark >= 0 {
		r.count(metricMark, p.Mark, p.Partition)
	}
	r.count(metricLogEnd, p.End, p.Partition)
	r.count(metricLag, p.End-p.Position, p.Partition)
	r.count(metricOpenBlocks, int64(p.Blocks), p.Partition)
	r.count(metricOpenBytes, p.Bytes, p.Partition)
	r.count(metricWaitingLanes, int64(p.Waiting), p.Partition)
	r.count(metricDamagedLanes, int64(p.Damaged), p.Partition)
	r.flag(metricStopped, p.Failed != "", p.Partition)
}

// coarse is the bucket, as an exponent of two, from which on only each fifth is shown: a minute, in µs. Of what takes longer
// the order of magnitude will do.
const coarse = 26

// freshness puts a histogram whose durations are counted in unit, with buckets from 2^first to 2^last of them.
func (r *reading) freshness(m *metric, h *service.Histogram, unit time.Duration, first, last int, labels ...string) {
	counts := h.Snapshot()
	below := map[float64]uint64{}
	for e := first; e <= last; e++ {
		if e <= coarse || (last-e)%5 == 0 {
			below[float64(int64(1)<<e)*unit.Seconds()] = uint64(counts.Below(e))
		}
	}
	r.buckets(m, counts.Total(), h.Sum()*unit.Seconds(), below, labels...)
}
