package main

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tidemark-io/tidemark/speed/flush"
	"github.com/tidemark-io/tidemark/speed/service"
)

// metrics are the process's figures for Prometheus. The roles count for themselves; here the counts get names.
type metrics struct {
	node     *node
	registry *prometheus.Registry
	lookups  *prometheus.CounterVec
	latency  prometheus.Histogram
}

func newMetrics(n *node) *metrics {
	m := &metrics{node: n, registry: prometheus.NewRegistry()}
	m.lookups = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tidemark_lookup_keys_total", Help: "Keys answered."}, []string{"job"})
	m.latency = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "tidemark_lookup_seconds", Help: "Time to answer one lookup request.", Buckets: prometheus.ExponentialBuckets(0.0002, 2, 14),
	})
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), m.lookups, m.latency, m)
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func (m *metrics) lookup(d time.Duration, keys int) {
	m.lookups.WithLabelValues(m.node.job.Name).Add(float64(keys))
	m.latency.Observe(d.Seconds())
}

// The metrics that are read from the roles' own counters when Prometheus asks.
var (
	descDecoded   = prometheus.NewDesc("tidemark_speed_records_decoded_total", "Records decoded by the speed layer, read again ones included.", nil, nil)
	descRejected  = prometheus.NewDesc("tidemark_speed_records_rejected_total", "Of them, rejected.", nil, nil)
	descErrors    = prometheus.NewDesc("tidemark_speed_expression_errors_total", "Values that were null because an expression overflowed or divided by zero, by the speed layer.", nil, nil)
	descFolded    = prometheus.NewDesc("tidemark_speed_records_folded_total", "Records folded by the speed layer.", nil, nil)
	descFlushes   = prometheus.NewDesc("tidemark_store_calls_total", "Calls to change a lane, by the speed layer.", nil, nil)
	descTiles     = prometheus.NewDesc("tidemark_speed_tiles_written_total", "Block tiles in these calls.", nil, nil)
	descFailures  = prometheus.NewDesc("tidemark_store_failures_total", "Requests of the store by the speed layer that failed or stayed unanswered.", nil, nil)
	descRefusals  = prometheus.NewDesc("tidemark_store_refusals_total", "Calls that did not do what they were to do, by kind.", []string{"kind"}, nil)
	descFreshness = prometheus.NewDesc("tidemark_freshness_seconds", "Time from broker append to readable, since the start of the speed layer.", []string{"quantile"}, nil)
	descPosition  = prometheus.NewDesc("tidemark_speed_position", "First offset not folded.", []string{"partition"}, nil)
	descLag       = prometheus.NewDesc("tidemark_speed_lag_records", "Records of the log not folded.", []string{"partition"}, nil)
	descOpenBytes = prometheus.NewDesc("tidemark_speed_open_bytes", "Bytes of tiles in memory, about.", []string{"partition"}, nil)
	descWaiting   = prometheus.NewDesc("tidemark_speed_waiting_lanes", "Lanes that batch has to begin.", []string{"partition"}, nil)
	descRun       = prometheus.NewDesc("tidemark_batch_run", "Last checked run.", []string{"view", "generation"}, nil)
	descPublished = prometheus.NewDesc("tidemark_batch_published_run", "Run that every lane has taken in.", []string{"view", "generation"}, nil)
	descRowsLeft  = prometheus.NewDesc("tidemark_batch_rows_left", "Rows of run files that lanes are still to take in.", []string{"view", "generation"}, nil)
	descFailed    = prometheus.NewDesc("tidemark_batch_failed", "1 if batch makes no more runs: one failed its check, or the archive does not give what one needs.", nil, nil)
	descStopped   = prometheus.NewDesc("tidemark_speed_stopped", "1 if the partition stopped and needs an operator.", []string{"partition"}, nil)
)

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descDecoded, descRejected, descErrors, descFolded, descFlushes, descTiles, descFailures, descRefusals, descFreshness, descPosition, descLag,
		descOpenBytes, descWaiting, descStopped, descRun, descPublished, descRowsLeft, descFailed,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	if b := m.node.batch; b != nil {
		failed := 0.0
		if b.failure() != nil {
			failed = 1
		}
		ch <- prometheus.MustNewConstMetric(descFailed, prometheus.GaugeValue, failed)
		for _, v := range b.service.Status() {
			labels := []string{v.View, strconv.FormatInt(v.Generation, 10)}
			ch <- prometheus.MustNewConstMetric(descRun, prometheus.GaugeValue, float64(v.Run), labels...)
			ch <- prometheus.MustNewConstMetric(descPublished, prometheus.GaugeValue, float64(max(v.Lanes.Run-1, 0)), labels...)
			ch <- prometheus.MustNewConstMetric(descRowsLeft, prometheus.GaugeValue, float64(v.Lanes.RowsLeft), labels...)
		}
	}
	l := m.node.speedNow()
	if l == nil {
		return
	}
	s := &l.service.Stats
	counter := func(d *prometheus.Desc, v int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter(descDecoded, s.Decoded.Load())
	counter(descRejected, s.Rejected.Total())
	counter(descErrors, s.Errors.Load())
	counter(descFolded, s.Folded.Load())
	counter(descFlushes, s.Flushes.Load())
	counter(descTiles, s.Tiles.Load())
	counter(descFailures, s.StoreFailures.Load())
	for r := flush.Further; r < flush.Refusals; r++ {
		counter(descRefusals, s.Refusals[r].Load(), r.String())
	}
	for label, q := range map[string]float64{"0.5": 0.5, "0.99": 0.99} {
		gauge(descFreshness, float64(s.Freshness.Quantile(service.Counts{}, q))/1000, label)
	}
	for _, p := range s.Partitions() {
		gauge(descPosition, float64(p.Position), p.Partition)
		gauge(descLag, float64(p.End-p.Position), p.Partition)
		gauge(descOpenBytes, float64(p.Bytes), p.Partition)
		gauge(descWaiting, float64(p.Waiting), p.Partition)
		stopped := 0.0
		if strings.TrimSpace(p.Failed) != "" {
			stopped = 1
		}
		gauge(descStopped, stopped, p.Partition)
	}
}
