package main

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tidemark-io/tidemark/serving/memstore"
	"github.com/tidemark-io/tidemark/serving/store"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/speed/archive"
	"github.com/tidemark-io/tidemark/speed/service"
)

// gathered is what a group's metrics are after a reading, in a registry that checks each against its declaration.
func gathered(t *testing.T, g *metricGroup, read func(*reading)) map[string]*exposed {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collector{g, read})
	w := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	return parseExposition(t, w.Body.String())
}

// brokenStore answers with an error, or lets a call go unanswered.
type brokenStore struct {
	store.Store
	err error
}

func (s *brokenStore) Apply(_ context.Context, calls []lane.Call) []lane.Outcome {
	out := make([]lane.Outcome, len(calls))
	out[0].Err = s.err
	for i := range out[1:] {
		out[1+i].Applied = i > 0
	}
	return out
}

func (s *brokenStore) Marks(context.Context, []lane.ID) ([]lane.Marks, error) { return nil, s.err }
func (s *brokenStore) Retries() int64                                         { return 5 }

// TestCountedStore: each request is counted with its outcome, each call of it too, and a scan that is ended is no failure.
func TestCountedStore(t *testing.T) {
	t.Parallel()
	m := newStoreMetrics()
	kept := memstore.New()
	id := lane.RowID{Lane: lane.ID{Namespace: "n"}, Incarnation: "aaaaaaaaaa", Key: []byte("k")}
	call := lane.Call{
		Lane: id.Lane, AnyMark: true, Name: lane.BatchName, Set: "x", RowsOf: id.Incarnation, Replace: map[string]string{},
		Rows: []lane.RowChange{{Key: id.Key, Set: []lane.Field{{Name: "f", Value: []byte("v")}}}},
	}
	s := m.counted(&brokenStore{Store: kept, err: lane.ErrUnavailable})
	for _, err := range []error{lane.ErrUnavailable, lane.ErrStore} {
		m.counted(&brokenStore{Store: kept, err: err}).Apply(t.Context(), make([]lane.Call, 4))
	}
	if _, err := s.Marks(t.Context(), nil); !errors.Is(err, lane.ErrUnavailable) {
		t.Error(err)
	}
	kept.Apply(t.Context(), []lane.Call{call})
	if err := s.Scan(t.Context(), "n", func(lane.RowID) error { return errFound }); !errors.Is(err, errFound) {
		t.Errorf("ended scan: %v", err)
	}
	if rows, err := s.Rows(t.Context(), []lane.RowID{id}); err != nil || len(rows) != 1 {
		t.Errorf("rows: %v, %v", rows, err)
	}
	if _, err := s.Exact(t.Context(), []lane.RowID{id}); err != nil {
		t.Error(err)
	}
	if put, err := s.PutManifest(t.Context(), "v", 1, []byte("m")); err != nil || !put {
		t.Error(put, err)
	}
	if seq, _, err := s.Manifest(t.Context(), "v"); err != nil || seq != 1 {
		t.Error(seq, err)
	}
	families := gathered(t, &storeGroup, m.read)
	for _, c := range []struct {
		m     *metric
		label string
		want  float64
	}{
		{metricStoreRequests, `"apply"`, 2},
		{metricStoreRequests, "", 8},
		{metricStoreFailures, `"apply"`, 2},
		{metricStoreFailures, `"marks"`, 1},
		{metricStoreFailures, "", 3},
		{metricLaneCalls, `"applied"`, 4},
		{metricLaneCalls, `"refused"`, 2},
		{metricLaneCalls, `"unknown"`, 1},
		{metricLaneCalls, `"failed"`, 1},
		{metricStoreRetries, "", 5},
	} {
		if got := families[c.m.name].total(c.label); got != c.want {
			t.Errorf("%s of %s is %v, want %v", c.m.name, c.label, got, c.want)
		}
	}
	if got := families[metricStoreSeconds.name].total("_count"); got != 8 {
		t.Errorf("%v requests are timed, want 8", got)
	}
}

// TestHeadroom: how far the log is from losing what is not archived, in records and in time.
func TestHeadroom(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_000_000_000)
	p := archive.Progress{Partition: position.Partition{Source: "s", ID: 3}, Archived: 100, Start: 40, End: 130, Unarchived: now.Add(-time.Minute).UnixMilli()}
	behind, stopped, unseen := p, p, p
	behind.Start = 110 // records 100 to 109 are gone
	stopped.Failed = "lost"
	unseen.Start, unseen.End = -1, -1
	idle := p
	idle.Unarchived, idle.Archived = 0, 130
	for name, c := range map[string]struct {
		p       archive.Progress
		keeps   time.Duration
		records any
		seconds any
	}{
		"ahead":    {p, time.Hour, 60.0, 3540.0},
		"for ever": {p, -1, 60.0, nil},
		"lost":     {behind, time.Second, -10.0, -59.0},
		"idle":     {idle, time.Hour, 90.0, 3600.0},
		"unseen":   {unseen, time.Hour, nil, nil},
		"stopped":  {stopped, time.Hour, 60.0, 3540.0},
	} {
		families := gathered(t, &archiveGroup, func(r *reading) { r.archived(&c.p, c.keeps, c.keeps >= 0, now) })
		for m, want := range map[*metric]any{metricHeadroomRecords: c.records, metricHeadroomSeconds: c.seconds} {
			var got any
			if e := families[m.name]; e != nil {
				got = e.total(`partition="s/3"`)
			}
			if got != want {
				t.Errorf("%s: %s is %v, want %v", name, m.name, got, want)
			}
		}
		if got := families[metricArchiveStopped.name].total() == 1; got != (name == "stopped") {
			t.Errorf("%s: stopped is %t", name, got)
		}
	}
}

// TestPartitionMetrics: what is wrong with a partition of the speed layer is shown, and a mark that is not known is not.
func TestPartitionMetrics(t *testing.T) {
	t.Parallel()
	p := service.PartitionState{
		Partition: "s/1", Position: 70, Mark: 60, End: 100, Blocks: 2, Bytes: 3000, Waiting: 4, Damaged: 5, Full: true, Failed: "a panic",
	}
	families := gathered(t, &speedGroup, func(r *reading) { r.partition(&p) })
	for m, want := range map[*metric]float64{
		metricPosition: 70, metricMark: 60, metricLogEnd: 100, metricLag: 30, metricOpenBlocks: 2, metricOpenBytes: 3000, metricWaitingLanes: 4,
		metricDamagedLanes: 5, metricFull: 1, metricStopped: 1,
	} {
		if got := families[m.name].total(`partition="s/1"`); got != want {
			t.Errorf("%s is %v, want %v", m.name, got, want)
		}
	}
	p.Mark = -1
	if e := gathered(t, &speedGroup, func(r *reading) { r.partition(&p) })[metricMark.name]; e != nil {
		t.Errorf("a mark that is not known is shown: %v", e.series)
	}
}

// TestFreshnessBuckets: a histogram's buckets are cumulative, in seconds, and end with all of it.
func TestFreshnessBuckets(t *testing.T) {
	t.Parallel()
	var h service.Histogram
	h.Record(3, 5)     // ms
	h.Record(70, 2)    // above 64 ms
	h.Record(1<<30, 1) // twelve days
	families := gathered(t, &speedGroup, func(r *reading) { r.freshness(metricFreshness, &h, time.Millisecond, 0, 17) })
	for le, want := range map[string]float64{"0.002": 0, "0.004": 5, "0.064": 5, "0.128": 7, "131.072": 7, "+Inf": 8} {
		if got := families[metricFreshness.name].total(`le="` + le + `"`); got != want {
			t.Errorf("%v records took at most %s s, want %v", got, le, want)
		}
	}
	if sum := families[metricFreshness.name].total("_sum"); sum != float64(3*5+70*2+1<<30)/1000 {
		t.Errorf("the sum is %v", sum)
	}
}
