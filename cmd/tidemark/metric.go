package main

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// The kinds of metrics, as docs/metrics.md names them.
const (
	kindCounter   = "counter"
	kindGauge     = "gauge"
	kindHistogram = "histogram"
)

// metric is one figure of /metrics. It is declared once: its name, unit, labels and meaning are what Prometheus is told, what
// docs/metrics.md says, and what the dashboard and the alerts are held against.
type metric struct {
	name, kind, unit, help string
	labels                 []string
	desc                   *prometheus.Desc
}

// metricGroup is the metrics of one part of a process.
type metricGroup struct {
	title string
	all   []*metric
}

func (g *metricGroup) counter(name, unit, help string, labels ...string) *metric {
	return g.declare(kindCounter, name, unit, help, labels)
}

func (g *metricGroup) gauge(name, unit, help string, labels ...string) *metric {
	return g.declare(kindGauge, name, unit, help, labels)
}

// histogram declares one of durations, as all of ours are.
func (g *metricGroup) histogram(name, help string, labels ...string) *metric {
	return g.declare(kindHistogram, name, "seconds", help, labels)
}

func (g *metricGroup) declare(kind, name, unit, help string, labels []string) *metric {
	m := &metric{name: name, kind: kind, unit: unit, help: help, labels: labels, desc: prometheus.NewDesc(name, help, labels, nil)}
	g.all = append(g.all, m)
	return m
}

// metricGroups are all metrics of ours, in the order in which docs/metrics.md has them.
func metricGroups() []*metricGroup {
	return []*metricGroup{&processGroup, &archiveGroup, &speedGroup, &batchGroup, &storeGroup, &serveGroup, &auditGroup}
}

// collector reads a group's figures from where they are counted when Prometheus asks. What does not run counts nothing and
// has no series.
type collector struct {
	group *metricGroup
	read  func(*reading)
}

// Describe implements prometheus.Collector.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range c.group.all {
		ch <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) { c.read(&reading{ch}) }

// reading takes the figures of one scrape.
type reading struct {
	ch chan<- prometheus.Metric
}

// put gives a counter or gauge its value. Labels are the values of the metric's labels, in order.
func (r *reading) put(m *metric, value float64, labels ...string) {
	kind := prometheus.GaugeValue
	if m.kind == kindCounter {
		kind = prometheus.CounterValue
	}
	r.ch <- prometheus.MustNewConstMetric(m.desc, kind, value, labels...)
}

// count is put for what is counted in whole numbers.
func (r *reading) count(m *metric, value int64, labels ...string) {
	r.put(m, float64(value), labels...)
}

// flag is put for what is so or not: 1 or 0.
func (r *reading) flag(m *metric, so bool, labels ...string) {
	value := 0.0
	if so {
		value = 1
	}
	r.put(m, value, labels...)
}

// buckets gives a histogram its counts, cumulative by upper bound.
func (r *reading) buckets(m *metric, total int64, sum float64, below map[float64]uint64, labels ...string) {
	r.ch <- prometheus.MustNewConstHistogram(m.desc, uint64(total), sum, below, labels...)
}

// newHistogram returns a histogram of a metric that is observed as things happen. It is not registered: its group's reading
// collects it.
func newHistogram(m *metric, buckets []float64) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: m.name, Help: m.help, Buckets: slices.Clone(buckets)}, m.labels)
}
