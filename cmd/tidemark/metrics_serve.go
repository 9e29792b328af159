package main

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-io/tidemark/serving/lookup"
)

var serveGroup = metricGroup{title: "Serving"}

var (
	metricLookupSeconds = serveGroup.histogram("tidemark_lookup_seconds",
		"Time to answer a lookup request over HTTP, of one key or many.")
	metricLookupRequests = serveGroup.counter("tidemark_lookup_requests_total", "requests",
		"Requests for lookups over HTTP, by class of their status: 2xx; 4xx is the request's fault; 5xx is ours, the store's, or of a client that did not wait for the store.", "status")
	metricLookupKeys = serveGroup.counter("tidemark_lookup_keys_total", "keys",
		"Keys answered.")
	metricLookupFound = serveGroup.counter("tidemark_lookup_found_total", "keys",
		"Of them, those with events.")
	metricLookupFailed = serveGroup.counter("tidemark_lookup_failed_keys_total", "keys",
		"Of them, those answered by an error: a key that cannot be, an as_of that is too old, a row that does not read.")
	metricLookupDegraded = serveGroup.counter("tidemark_lookup_degraded_total", "keys",
		"Of them, those that claim no frontier, by reason.", "reason")
	metricLookupTiles = serveGroup.counter("tidemark_lookup_tiles_total", "tiles",
		"Tiles of the rows read; by tidemark_lookup_found_total it is the tiles per row.")
	metricLookupAgain = serveGroup.counter("tidemark_lookup_rereads_total", "requests",
		"Requests that were read anew, because marks were not to be trusted any more when the row had been read.")
)

// serveMetrics are the figures of answers.
type serveMetrics struct {
	node    *node
	seconds *prometheus.HistogramVec
	status  [len(statusClasses)]atomic.Int64
}

// statusClasses are the classes of statuses that requests are answered with.
var statusClasses = [...]string{"2xx", "4xx", "5xx"}

func newServeMetrics(n *node) *serveMetrics {
	return &serveMetrics{node: n, seconds: newHistogram(metricLookupSeconds, prometheus.ExponentialBuckets(0.0002, 2, 14))}
}

// lookup counts a request.
func (m *serveMetrics) lookup(d time.Duration, _ int) {
	m.seconds.WithLabelValues().Observe(d.Seconds())
}

// answered counts the status of a request.
func (m *serveMetrics) answered(status int) {
	switch {
	case status < http.StatusBadRequest:
		m.status[0].Add(1)
	case status < http.StatusInternalServerError:
		m.status[1].Add(1)
	default:
		m.status[2].Add(1)
	}
}

func (m *serveMetrics) read(r *reading) {
	if !m.node.roles.any(serveRole) {
		return
	}
	for i, class := range statusClasses {
		r.count(metricLookupRequests, m.status[i].Load(), class)
	}
	s := &m.node.reader.Stats
	r.count(metricLookupKeys, s.Keys.Load())
	r.count(metricLookupFound, s.Found.Load())
	r.count(metricLookupFailed, s.Failed.Load())
	for _, reason := range lookup.Reasons() {
		r.count(metricLookupDegraded, s.Degraded(reason), reason)
	}
	r.count(metricLookupTiles, s.Tiles.Load())
	r.count(metricLookupAgain, s.Again.Load())
	m.seconds.Collect(r.ch)
}
