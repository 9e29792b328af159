package main

import (
	"cmp"
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-io/tidemark/serving/store"
	"github.com/tidemark-io/tidemark/shared/lane"
)

var storeGroup = metricGroup{title: "Store"}

var (
	metricStoreRequests = storeGroup.counter("tidemark_store_requests_total", "requests",
		"Requests of the store by this process, of all roles; one carries many calls, marks or rows.", "operation")
	metricStoreFailures = storeGroup.counter("tidemark_store_request_failures_total", "requests",
		"Of them, those that failed, or in which a call did or stayed unanswered.", "operation")
	metricStoreSeconds = storeGroup.histogram("tidemark_store_request_seconds",
		"Time that requests took, their repeats included.", "operation")
	metricLaneCalls = storeGroup.counter("tidemark_store_lane_calls_total", "calls",
		"Calls to change a lane, by outcome: applied; refused (another mark was found); unknown (no answer); failed. The last two are failed writes; "+
			"they are made good from the marks.", "outcome")
	metricStoreRetries = storeGroup.counter("tidemark_store_retries_total", "requests",
		"Requests that were sent again at once because their connection broke, or the server had lost our functions.")
)

// The operations of a store.
const (
	opApply = iota
	opMarks
	opRows
	opExact
	opScan
	opManifest
	opPutManifest
	operations // the number of them
)

var operationNames = [operations]string{"apply", "marks", "rows", "exact", "scan", "manifest", "put_manifest"}

// The outcomes of calls.
const (
	outcomeApplied = iota
	outcomeRefused
	outcomeUnknown
	outcomeFailed
	outcomes // the number of them
)

var outcomeNames = [outcomes]string{"applied", "refused", "unknown", "failed"}

// storeMetrics counts what goes through countedStores.
type storeMetrics struct {
	requests, failures [operations]atomic.Int64
	calls              [outcomes]atomic.Int64
	seconds            *prometheus.HistogramVec
	observers          [operations]prometheus.Observer
	retries            func() int64
	used               bool // the process has a store
}

func newStoreMetrics() *storeMetrics {
	m := &storeMetrics{
		seconds: newHistogram(metricStoreSeconds, prometheus.ExponentialBuckets(0.00025, 2, 17)), // to 16 s
		retries: func() int64 { return 0 },
	}
	for op, name := range operationNames {
		m.observers[op] = m.seconds.WithLabelValues(name)
	}
	return m
}

func (m *storeMetrics) read(r *reading) {
	if !m.used {
		return
	}
	for op, name := range operationNames {
		r.count(metricStoreRequests, m.requests[op].Load(), name)
		r.count(metricStoreFailures, m.failures[op].Load(), name)
	}
	for outcome, name := range outcomeNames {
		r.count(metricLaneCalls, m.calls[outcome].Load(), name)
	}
	r.count(metricStoreRetries, m.retries())
	m.seconds.Collect(r.ch)
}

// counted returns a store whose requests are counted, before anything is read. There is one in a process.
func (m *storeMetrics) counted(s store.Store) store.Store {
	m.used = true
	if again, ok := s.(interface{ Retries() int64 }); ok {
		m.retries = again.Retries
	}
	return &countedStore{Store: s, m: m}
}

// took counts a request.
func (m *storeMetrics) took(op int, since time.Time, err error) {
	m.requests[op].Add(1)
	m.observers[op].Observe(time.Since(since).Seconds())
	if err != nil {
		m.failures[op].Add(1)
	}
}

// applied counts what came of calls, and returns an error if one of them failed.
func (m *storeMetrics) applied(all []lane.Outcome) (first error) {
	var counts [outcomes]int64
	for i := range all {
		counts[outcomeOf(&all[i])]++
		first = cmp.Or(first, all[i].Err)
	}
	for outcome, n := range counts {
		if n > 0 {
			m.calls[outcome].Add(n)
		}
	}
	return first
}

func outcomeOf(o *lane.Outcome) int {
	switch {
	case errors.Is(o.Err, lane.ErrUnavailable):
		return outcomeUnknown
	case o.Err != nil:
		return outcomeFailed
	case o.Applied:
		return outcomeApplied
	}
	return outcomeRefused
}

// countedStore counts the requests of a store, a few atomic additions for each.
type countedStore struct {
	store.Store
	m *storeMetrics
}

// Apply implements store.Store.
func (s *countedStore) Apply(ctx context.Context, calls []lane.Call) []lane.Outcome {
	start := time.Now()
	out := s.Store.Apply(ctx, calls)
	s.m.took(opApply, start, s.m.applied(out))
	return out
}

// Marks implements store.Store.
func (s *countedStore) Marks(ctx context.Context, lanes []lane.ID) ([]lane.Marks, error) {
	start := time.Now()
	out, err := s.Store.Marks(ctx, lanes)
	s.m.took(opMarks, start, err)
	return out, err
}

// Rows implements store.Store.
func (s *countedStore) Rows(ctx context.Context, rows []lane.RowID) ([][][]byte, error) {
	start := time.Now()
	out, err := s.Store.Rows(ctx, rows)
	s.m.took(opRows, start, err)
	return out, err
}

// Exact implements store.Store.
func (s *countedStore) Exact(ctx context.Context, rows []lane.RowID) ([]lane.Exact, error) {
	start := time.Now()
	out, err := s.Store.Exact(ctx, rows)
	s.m.took(opExact, start, err)
	return out, err
}

// Scan implements store.Store. A scan that whoever scans ends early has not failed.
func (s *countedStore) Scan(ctx context.Context, namespace string, yield func(lane.RowID) error) error {
	start := time.Now()
	var ended error
	err := s.Store.Scan(ctx, namespace, func(id lane.RowID) error {
		ended = yield(id)
		return ended
	})
	failure := err
	if ended != nil {
		failure = nil
	}
	s.m.took(opScan, start, failure)
	return err
}

// Manifest implements store.Store.
func (s *countedStore) Manifest(ctx context.Context, view string) (seq int64, body []byte, err error) {
	start := time.Now()
	seq, body, err = s.Store.Manifest(ctx, view)
	s.m.took(opManifest, start, err)
	return seq, body, err
}

// PutManifest implements store.Store.
func (s *countedStore) PutManifest(ctx context.Context, view string, seq int64, body []byte) (bool, error) {
	start := time.Now()
	put, err := s.Store.PutManifest(ctx, view, seq, body)
	s.m.took(opPutManifest, start, err)
	return put, err
}
