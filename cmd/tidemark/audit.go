package main

import (
	"context"
	"math"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark-io/tidemark/serving/audit"
	"github.com/tidemark-io/tidemark/serving/verify"
)

// What an audit takes.
const (
	defaultAuditRate = 10          // entities a second
	auditSample      = 100         // entities of each view in a round, which reads the whole log once; more at a rate above
	auditPart        = 10          // it reads in one part of the time in so many, with one processor
	auditWait        = time.Minute // for lanes to be whole; what is not by then is not verified in this round
	auditLook        = time.Second // between two looks whether the views are served yet
)

func newAudit() *cobra.Command {
	return newRole("audit", auditRole, "Run the audit role: verify entities all the time, slowly",
		`audit is verify as a sampler that never ends: it compares entities chosen at random, --audit-rate of them a second at most,
with a plain fold of the log, and uses a tenth of one processor for it. What it finds is in its metrics; each wrong entity is
logged once, with view, entity, feature and positions. up does the same. It prints a line "ready role=audit http=HOST:PORT"
when every view is served.`)
}

// newAuditor returns what verifies samples of the served generations.
func newAuditor(n *node, rate float64) (*audit.Auditor, error) {
	cfg := verify.Config{
		Reader: n.reader, Sample: auditSampleAt(rate), Wait: auditWait,
		Store: &audit.PacedStore{Store: n.store, Parts: auditPart}, Log: &audit.PacedLog{Log: n.history, Parts: auditPart},
	}
	a, err := audit.New(audit.Config{
		Rate: rate, Logger: n.logger,
		Round: func(ctx context.Context) (*verify.Report, error) { return verify.Run(ctx, cfg) },
	})
	if err != nil {
		return nil, usagef("--audit-rate: %w", err)
	}
	return a, nil
}

// auditSampleAt returns how many entities of each view a round takes: at a high rate those of a second, since rounds begin a
// second apart at least and the rate would not be reached otherwise.
func auditSampleAt(rate float64) int { return max(auditSample, int(math.Ceil(rate))) }

// runAudit audits until ctx ends, as soon as every view is served.
func (n *node) runAudit(ctx context.Context) {
	for _, v := range n.reader.Views() {
		for {
			if _, err := n.reader.Served(ctx, v); err == nil {
				break
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(auditLook):
			}
		}
	}
	n.auditor.Run(ctx)
}

// audited returns what the process's audit has found; nothing, without one.
func (n *node) audited() *audit.Stats {
	if n.auditor == nil {
		return &audit.Stats{}
	}
	return &n.auditor.Stats
}
