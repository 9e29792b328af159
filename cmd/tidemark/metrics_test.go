package main

import (
	"flag"
	"fmt"
	"maps"
	"math"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// The lines of docs/metrics.md between which the tables stand.
const (
	tablesBegin = "<!-- tables: written by `go test ./cmd/tidemark -run TestMetricsPage -rewrite` -->\n"
	tablesEnd   = "<!-- end of tables -->\n"
)

// TestMetricsPage: docs/metrics.md lists every metric with its kind, unit, labels and meaning as the code declares them.
func TestMetricsPage(t *testing.T) {
	t.Parallel()
	const page = "../../docs/metrics.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, begins := strings.Cut(string(text), tablesBegin)
	tables, tail, ends := strings.Cut(rest, tablesEnd)
	if !begins || !ends {
		t.Fatalf("%s lacks a line %q or %q", page, tablesBegin, tablesEnd)
	}
	want := metricTables()
	if flag.Lookup("rewrite").Value.String() == "true" { // that of package datadriven; review the diff like code
		if err := os.WriteFile(page, []byte(head+tablesBegin+want+tablesEnd+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if tables != want {
		t.Errorf("%s has other tables than the code declares; run this test with -rewrite and review the diff. They should be\n%s", page, want)
	}
}

func metricTables() string {
	var b strings.Builder
	for _, g := range metricGroups() {
		fmt.Fprintf(&b, "\n## %s\n\n| metric | kind | unit | labels | meaning |\n|---|---|---|---|---|\n", g.title)
		for _, m := range g.all {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", m.name, m.kind, m.unit, strings.Join(m.labels, ", "), m.help)
		}
	}
	return b.String() + "\n"
}

// TestMetricNames: names are those that Prometheus wants, each is declared once, and each says what it means.
func TestMetricNames(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, m := range declared() {
		suffix := map[string]string{"seconds": "_seconds", "bytes": "_bytes"}[m.unit]
		counted := strings.HasSuffix(m.name, "_total")
		switch {
		case seen[m.name]:
			t.Errorf("%s is declared twice", m.name)
		case counted != (m.kind == kindCounter):
			t.Errorf("%s is a %s", m.name, m.kind)
		case !strings.HasSuffix(strings.TrimSuffix(m.name, "_total"), suffix):
			t.Errorf("%s is in %s and does not say so", m.name, m.unit)
		case !strings.HasSuffix(m.help, ".") || strings.Contains(m.help, "|"):
			t.Errorf("%s: %q is no sentence that a table can hold", m.name, m.help)
		}
		seen[m.name] = true
	}
	if len(seen) < 60 {
		t.Errorf("only %d metrics are declared: the list is broken", len(seen))
	}
}

func declared() (all []*metric) {
	for _, g := range metricGroups() {
		all = append(all, g.all...)
	}
	return all
}

// exposed is a metric as a running process shows it.
type exposed struct {
	kind   string
	labels map[string]bool // sets of label names, without le
	series map[string]float64
}

var (
	typeLine   = regexp.MustCompile(`^# TYPE (\S+) (\S+)$`)
	seriesLine = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$`)
	labelPair  = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"`)
)

// parseExposition reads Prometheus's text format, as far as client_golang writes it.
func parseExposition(t testing.TB, body string) map[string]*exposed {
	t.Helper()
	all := map[string]*exposed{}
	for line := range strings.Lines(body) {
		line = strings.TrimSuffix(line, "\n")
		if m := typeLine.FindStringSubmatch(line); m != nil {
			all[m[1]] = &exposed{kind: m[2], labels: map[string]bool{}, series: map[string]float64{}}
			continue
		}
		if strings.HasPrefix(line, "#") || line == "" {
			continue
		}
		m := seriesLine.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("%q is no series", line)
		}
		e := all[m[1]]
		for _, part := range []string{"_bucket", "_sum", "_count"} {
			if e == nil {
				e = all[strings.TrimSuffix(m[1], part)]
			}
		}
		value, err := strconv.ParseFloat(m[3], 64)
		if e == nil || err != nil {
			t.Fatalf("%q is of no family, or has no value: %v", line, err)
		}
		var names []string
		for _, pair := range labelPair.FindAllStringSubmatch(m[2], -1) {
			if pair[1] != "le" {
				names = append(names, pair[1])
			}
		}
		slices.Sort(names)
		e.labels[strings.Join(names, ",")] = true
		e.series[strings.TrimSuffix(m[1]+"{"+m[2]+"}", "{}")] = value
	}
	return all
}

// scrape reads a process's metrics.
func (p *process) scrape() (families map[string]*exposed, body string) {
	p.t.Helper()
	code, body := fetch(p.t, http.MethodGet, "http://"+httpOf(p.t, p.out.String())+"/metrics", "", nil)
	if code != http.StatusOK {
		p.t.Fatalf("metrics: %d %s", code, body)
	}
	return parseExposition(p.t, body), body
}

// total adds up the series of a metric whose text has all of these parts. Of a metric that is not shown it is no number,
// which is no more, no less and not the same as anything.
func (e *exposed) total(parts ...string) (sum float64) {
	if e == nil {
		return math.NaN()
	}
series:
	for name, v := range e.series {
		for _, part := range parts {
			if !strings.Contains(name, part) {
				continue series
			}
		}
		sum += v
	}
	return sum
}

// TestMetrics: a process of all roles shows every metric that is declared, as it is declared and no other; those that
// ordinary work moves have moved, by what was done. The dashboard and the alerts use what is shown, and each alert has a runbook.
func TestMetrics(t *testing.T) {
	t.Parallel()
	in := newInstallation(t, "")
	in.gen(3000)
	in.produceBad(7)
	up := in.upSmall("--tail-age", "1s", "--audit-rate", "10000")
	in.ask("status", "--await", "--wait", commandWait).want(t, exitOK)
	// Batch may have been quicker with all of these than the speed layer, which passes over what is in the runs; not so now.
	in.gen(500)
	in.produceBad(7)
	in.ask("status", "--await", "--wait", commandWait).want(t, exitOK)
	base := "http://" + httpOf(t, up.out.String())
	for _, key := range []string{"l0", "l1", "nobody", "%ff"} {
		fetch(t, http.MethodGet, base+"/v1/jobs/usedcar/views/listing/profiles/"+key, "", nil)
	}
	var families map[string]*exposed
	var body string
	poll(t, "the archive, batch and every lane to be done", func() bool {
		families, body = up.scrape()
		return families[metricArchiveLag.name].total() == 0 && families[metricBatchLooked.name] != nil &&
			families[metricBatchRowsLeft.name].total() == 0 && families[metricBatchPublished.name].total() > 0 &&
			families[metricMark.name].total() == families[metricLogEnd.name].total() &&
			families[metricAuditTiles.name].total() > 0 && families[metricAuditLast.name].total() > 0 // a first round may find no entity yet
	})
	checkDeclared(t, families)
	checkMonitoring(t, families)
	for _, e := range lint(t, body) {
		t.Error(e)
	}
	for m, want := range map[*metric]float64{
		metricInfo: 1, metricLag: 0, metricArchiveStopped: 0, metricStopped: 0, metricBatchFailed: 0, metricFull: 0,
		metricLookupKeys: 4, metricLookupFound: 2, metricLookupFailed: 1, metricLookupRequests: 4, metricAuditWrong: 0,
	} {
		if got := families[m.name].total(); got != want {
			t.Errorf("%s is %v in all, want %v", m.name, got, want)
		}
	}
	if e := families[metricLookupRequests.name]; e.total(`"2xx"`) != 3 || e.total(`"4xx"`) != 1 {
		t.Errorf("%s: %v", metricLookupRequests.name, e.series)
	}
	for m, least := range map[*metric]float64{ // gen has some that are rejected; tails are written again
		metricFolded: 507, metricRejected: 7, metricArchiveRecords: 3514, metricArchiveRejected: 14, metricArchiveRows: 3514,
	} {
		if got := families[m.name].total(); !(got >= least) {
			t.Errorf("%s is %v in all, want %v or more", m.name, got, least)
		}
	}
	for _, m := range []*metric{
		metricMemoryLimit, metricDecoded, metricFreshness, metricStages, metricFlushCalls, metricTilesWritten, metricPosition, metricOpenLimit,
		metricArchiveFiles, metricArchiveLimit, metricArchivedOffset, metricHeadroomRecords, metricHeadroomSeconds, metricBatchRuns, metricBatchEvents,
		metricBatchTook, metricBatchMade, metricBatchLooked, metricBatchRun, metricBatchRunRows, metricBatchLanes, metricBatchLanesDone, metricGeneration,
		metricPublishedRows, metricPublishedBytes, metricLanesBegun, metricStoreRequests, metricStoreSeconds, metricLaneCalls, metricLookupSeconds,
		metricLookupTiles, metricAuditEntities, metricAuditTiles, metricAuditLast,
	} {
		if !(families[m.name].total() > 0) {
			t.Errorf("%s has not moved", m.name)
		}
	}
	up.terminate()
}

// checkDeclared holds what a process shows against the declarations.
func checkDeclared(t *testing.T, families map[string]*exposed) {
	t.Helper()
	ours := map[string]bool{}
	for _, m := range declared() {
		ours[m.name] = true
		e := families[m.name]
		if e == nil {
			t.Errorf("%s is declared and not shown", m.name)
			continue
		}
		labels := slices.Sorted(slices.Values(m.labels))
		if want := strings.Join(labels, ","); e.kind != m.kind || len(e.labels) != 1 || !e.labels[want] {
			t.Errorf("%s is shown as a %s with labels %v, declared as a %s with %q", m.name, e.kind, slices.Collect(maps.Keys(e.labels)), m.kind, want)
		}
	}
	for name := range families {
		if strings.HasPrefix(name, "tidemark_") && !ours[name] {
			t.Errorf("%s is shown and not declared", name)
		}
	}
}

// lint is what Prometheus's own linter says of our metrics.
func lint(t *testing.T, body string) (faults []string) {
	t.Helper()
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "tidemark_") {
			faults = append(faults, p.Metric+": "+p.Text)
		}
	}
	return faults
}

// produceBad appends records that are rejected.
func (in *installation) produceBad(n int) {
	in.t.Helper()
	invoke(in.t, strings.Repeat("{\"event_id\":\"x\"}\n", n), "produce", in.job, "--kafka", in.kafka, "--from", "-").want(in.t, exitOK)
}
