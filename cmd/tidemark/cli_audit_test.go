package main

import (
	"net/http"
	"strings"
	"testing"
)

// auditedUntil waits until the audit of a process has compared so many entities more, and wants none to be wrong.
func (p *process) auditedUntil(more float64) {
	p.t.Helper()
	families, _ := p.scrape()
	before := families[metricAuditEntities.name].total()
	poll(p.t, "the audit", func() bool {
		families, _ = p.scrape()
		return families[metricAuditEntities.name].total() >= before+more
	})
	if wrong := families[metricAuditWrong.name].total(); wrong != 0 {
		p.t.Errorf("the audit found %v wrong", wrong)
	}
}

// auditFinds wants the audit of a process, whose rounds take all entities, to find those that are wrong, to count them, to say
// once which and where, and to leave it ready: what else it answers is right.
func auditFinds(t *testing.T, p *process, wrong map[string]string) {
	t.Helper()
	const says = "an entity is wrong in the store"
	poll(t, "the audit to find every damaged row, and to say so", func() bool {
		families, _ := p.scrape()
		return families[metricAuditWrong.name].total() >= float64(len(wrong)) &&
			strings.Count(p.out.String(), says) >= len(wrong) // which comes through a pipe
	})
	told := map[string]bool{}
	for l := range strings.Lines(p.out.String()) {
		if !strings.Contains(l, says) {
			continue
		}
		_, rest, _ := strings.Cut(l, `"entity":"`)
		key, _, _ := strings.Cut(rest, `"`)
		if wrong[key] == "" || told[key] || !strings.Contains(l, `"level":"ERROR"`) || !strings.Contains(l, `"view":"`+damagedView) || !strings.Contains(l, `"positions":"`) {
			t.Errorf("%s (told before: %t): %s", wrong[key], told[key], l)
		}
		told[key] = true
	}
	if code, body := fetch(t, http.MethodGet, "http://"+httpOf(t, p.out.String())+"/readyz", "", nil); code != http.StatusOK {
		t.Errorf("a wrong entity makes the process unready: %s", body)
	}
}

// TestAuditRate: up does without an audit when it is told to, and a rate that cannot be is a mistake.
func TestAuditRate(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"up", "--audit-rate", "-1"}, {"up", "--audit-rate", "NaN"}, {"audit", "--audit-rate", "0"}, {"audit", "--audit-rate", "10001"}} {
		r := invoke(t, "", args[0], "usedcar", args[1], args[2]).want(t, exitUsage)
		if !strings.Contains(r.stderr, "--audit-rate") {
			t.Errorf("%v: %s", args, r.stderr)
		}
	}
	in := newInstallation(t, "")
	in.gen(10)
	up := in.upSmall("--audit-rate", "0")
	if families, _ := up.scrape(); families[metricAuditEntities.name] != nil || families[metricFolded.name] == nil {
		t.Error("an audit runs, or the metrics are not there")
	}
	up.terminate()
}

// roleMetrics wants a process to show the metrics of what it does, and no others.
func roleMetrics(t *testing.T, role string, p *process) {
	t.Helper()
	families, body := p.scrape()
	for _, fault := range lint(t, body) {
		t.Errorf("%s: %s", role, fault)
	}
	of := map[*metricGroup]string{
		&archiveGroup: "archive", &speedGroup: "speed", &batchGroup: "batch", &serveGroup: "serve", &auditGroup: "audit", &storeGroup: "speed batch serve audit",
	}
	for group, roles := range of {
		shown := 0
		for _, m := range group.all {
			if families[m.name] != nil {
				shown++
			}
		}
		if does := strings.Contains(roles, role); does != (shown > 0) {
			t.Errorf("%s shows %d metrics of %s", role, shown, group.title)
		}
	}
	if families[metricInfo.name].total(`role="`+role+`"`) != 1 {
		t.Errorf("%s does not say what it is: %v", role, families[metricInfo.name])
	}
}
