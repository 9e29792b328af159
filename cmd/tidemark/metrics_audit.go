package main

import "time"

var auditGroup = metricGroup{title: "Audit"}

var (
	metricAuditEntities = auditGroup.counter("tidemark_audit_entities_total", "entities",
		"Entities compared with a plain fold of the log.")
	metricAuditWrong = auditGroup.counter("tidemark_audit_wrong_total", "entities",
		"Of them, those that were wrong; one that stays wrong counts each time that it is chosen.")
	metricAuditDegraded = auditGroup.counter("tidemark_audit_degraded_total", "entities",
		"Entities that could not be compared because their lane claims nothing, of which answers tell.")
	metricAuditTiles = auditGroup.counter("tidemark_audit_tiles_total", "tiles",
		"Tiles of the rows compared; by the entities it is the tiles per row.")
	metricAuditRounds = auditGroup.counter("tidemark_audit_rounds_total", "rounds",
		"Samples that were compared, each by one reading of the log.")
	metricAuditFailures = auditGroup.counter("tidemark_audit_failed_rounds_total", "rounds",
		"Samples that could not be compared, and were tried again.")
	metricAuditLast = auditGroup.gauge("tidemark_audit_last_timestamp_seconds", "seconds",
		"When a sample was compared last; when the process was begun, before the first.")
)

func (m *metrics) readAudit(r *reading) {
	if m.node.auditor == nil {
		return
	}
	s := &m.node.auditor.Stats
	r.count(metricAuditEntities, s.Entities.Load())
	r.count(metricAuditWrong, s.Wrong.Load())
	r.count(metricAuditDegraded, s.Degraded.Load())
	r.count(metricAuditTiles, s.Tiles.Load())
	r.count(metricAuditRounds, s.Rounds.Load())
	r.count(metricAuditFailures, s.Failures.Load())
	last := m.begun
	if at := s.Last.Load(); at > 0 {
		last = time.Unix(0, at)
	}
	r.put(metricAuditLast, timestamp(last))
}
