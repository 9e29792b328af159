package main

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

var processGroup = metricGroup{title: "Process"}

var (
	metricInfo = processGroup.gauge("tidemark_info", "",
		"1; its labels say what runs here.", "tidemark_job", "role", "version")
	metricMemoryLimit = processGroup.gauge("tidemark_memory_limit_bytes", "bytes",
		"What a batch run may hold (--memory); the speed layer and the archiver have limits of their own.")
)

// metrics are the process's figures for Prometheus. The roles count for themselves; here the counts get names.
type metrics struct {
	node      *node
	registry  *prometheus.Registry
	store     *storeMetrics
	serve     *serveMetrics
	retention *retentions
	begun     time.Time
}

func newMetrics(n *node) *metrics {
	m := &metrics{node: n, registry: prometheus.NewRegistry(), store: newStoreMetrics(), serve: newServeMetrics(n), retention: &retentions{}, begun: time.Now()}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, c := range []collector{
		{&processGroup, m.readProcess},
		{&archiveGroup, m.readArchive},
		{&speedGroup, m.readSpeed},
		{&batchGroup, m.readBatch},
		{&storeGroup, m.store.read},
		{&serveGroup, m.serve.read},
		{&auditGroup, m.readAudit},
	} {
		m.registry.MustRegister(c)
	}
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func (m *metrics) readProcess(r *reading) {
	r.put(metricInfo, 1, m.node.job.Name, m.node.role, version())
	if m.node.roles.any(batchRole) {
		r.count(metricMemoryLimit, int64(m.node.o.memory))
	}
}
