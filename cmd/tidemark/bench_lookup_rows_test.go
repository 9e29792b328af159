package main

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/tidemark-io/tidemark/serving/memstore"
)

// sink is a client that takes an answer and looks at none of it.
type sink struct {
	header http.Header
	status int
	bytes  int
}

func (s *sink) Header() http.Header { return s.header }

func (s *sink) WriteHeader(status int) { s.status = status }

func (s *sink) Write(b []byte) (int, error) {
	s.bytes += len(b)
	return len(b), nil
}

// BenchmarkLookupRows answers requests for 100 keys of 4 kB from memory, without network and Redis: what merging, results and
// JSON take. CPU a row is what counts.
func BenchmarkLookupRows(b *testing.B) {
	w := newMemoryLookups(b)
	for _, c := range []struct {
		name     string
		features []string
	}{{"all", nil}, {"eight", eightFeatures}} {
		b.Run(c.name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 4))
			body := w.batchBody(w.some(r), c.features)
			out := &sink{header: http.Header{}}
			b.ReportAllocs()
			before := cpuTime()
			for b.Loop() {
				req := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/v1/jobs/usedcar/views/"+benchView+"/profiles:batchGet", bytes.NewReader(body))
				out.bytes = 0
				w.mux.ServeHTTP(out, req)
			}
			if out.status != 0 && out.status != http.StatusOK {
				b.Fatalf("status %d", out.status)
			}
			b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/float64(b.N*benchKeys), "cpu-ns/row")
			b.ReportMetric(float64(out.bytes)/benchKeys, "bytes/profile")
		})
	}
}

// newMemoryLookups is a world whose rows lie in this process.
func newMemoryLookups(b *testing.B) *lookupWorld {
	b.Helper()
	w := &lookupWorld{b: b, plan: benchJob(b).View(benchView), ballast: make([]byte, defaultMemory/ballastPart)}
	w.serve(memstore.NewWithHistory(0))
	return w
}
