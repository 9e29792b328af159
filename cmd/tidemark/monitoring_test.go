package main

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// alertRules is the file of alert rules, as far as Prometheus has members for it; an unknown one is a mistake.
type alertRules struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Alert, Expr, For string
			Labels           map[string]string
			Annotations      map[string]string
		}
	}
}

// dashboard is of Grafana's file what has to do with metrics.
type dashboard struct {
	Panels []struct {
		Title, Type string
		Targets     []struct{ Expr, LegendFormat string }
	}
}

// checkMonitoring holds the dashboard and the alert rules against what a process shows, and each alert against its runbook.
func checkMonitoring(t *testing.T, families map[string]*exposed) {
	t.Helper()
	var board dashboard
	text, err := os.ReadFile("../../docs/monitoring/dashboard.json")
	if err == nil {
		err = json.Unmarshal(text, &board)
	}
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, p := range board.Panels {
		if (p.Type == "row") != (len(p.Targets) == 0) {
			t.Errorf("panel %q shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			q := query{t: t, where: "panel " + p.Title, text: target.Expr, families: families, used: used}
			q.check()
			q.legend(target.LegendFormat)
		}
	}
	if len(used) < 30 {
		t.Errorf("the dashboard shows %d metrics: the search is broken", len(used))
	}
	checkAlerts(t, families)
}

func checkAlerts(t *testing.T, families map[string]*exposed) {
	t.Helper()
	var rules alertRules
	f, err := os.Open("../../docs/monitoring/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := yaml.NewDecoder(f)
	d.KnownFields(true)
	if err := d.Decode(&rules); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	runbooks := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^### (Tidemark\w+)$`).FindAllStringSubmatch(string(page), -1) {
		runbooks[m[1]] = true
	}
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			q := query{t: t, where: "alert " + r.Alert, text: r.Expr, families: families, used: map[string]bool{}}
			q.check()
			q.legend(r.Annotations["summary"])
			if !runbooks[r.Alert] || r.Annotations["runbook_url"] != "docs/operating.md#"+strings.ToLower(r.Alert) {
				t.Errorf("alert %s has no runbook: %q; there are %v", r.Alert, r.Annotations["runbook_url"], slices.Sorted(maps.Keys(runbooks)))
			}
			if r.Labels["severity"] != "page" && r.Labels["severity"] != "ticket" || !strings.HasSuffix(r.Annotations["summary"], ".") {
				t.Errorf("alert %s: %v %v", r.Alert, r.Labels, r.Annotations)
			}
			delete(runbooks, r.Alert)
		}
	}
	if len(runbooks) > 0 {
		t.Errorf("runbooks without an alert: %v", slices.Sorted(maps.Keys(runbooks)))
	}
}

// query is a PromQL expression, read as far as names go: every word in it is a metric that is shown, one of its labels, or
// a word of the language.
type query struct {
	t           *testing.T
	where, text string
	families    map[string]*exposed
	used        map[string]bool // metrics
	labels      map[string]bool // of these metrics
}

var (
	promQLWords = strings.Fields("sum max min avg count rate increase histogram_quantile time absent or and unless")
	// targetLabels are those that Prometheus itself gives to what it scrapes.
	targetLabels = []string{"instance"}
	stringToken  = regexp.MustCompile(`"[^"]*"`)
	grouping     = regexp.MustCompile(`\b(?:by|on|group_left)\s*\(([^)]*)\)`)
	matchers     = regexp.MustCompile(`([a-zA-Z_:][a-zA-Z0-9_:]*)\{([^}]*)\}`)
	oneMatcher   = regexp.MustCompile(`^\s*([a-z_]+)\s*(=~?)\s*"([^"]*)"\s*$`)
	rangeToken   = regexp.MustCompile(`\[\d+[smhd]\]`)
	numberToken  = regexp.MustCompile(`\b\d+(?:\.\d+)?(?:e-?\d+)?\b`)
	wordToken    = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*`)
	placeholder  = regexp.MustCompile(`\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}`)
)

func (q *query) check() {
	q.labels = map[string]bool{}
	rest := matchers.ReplaceAllStringFunc(q.text, func(selector string) string {
		m := matchers.FindStringSubmatch(selector)
		q.matched(m[1], m[2])
		return m[1]
	})
	var groups []string
	rest = grouping.ReplaceAllStringFunc(rest, func(clause string) string {
		groups = append(groups, strings.Split(grouping.FindStringSubmatch(clause)[1], ",")...)
		return ""
	})
	rest = numberToken.ReplaceAllString(rangeToken.ReplaceAllString(stringToken.ReplaceAllString(rest, ""), ""), "")
	metrics := 0
	for _, word := range wordToken.FindAllString(rest, -1) {
		if slices.Contains(promQLWords, word) {
			continue
		}
		metrics++
		q.metric(word)
	}
	if metrics == 0 {
		q.t.Errorf("%s: %s names no metric", q.where, q.text)
	}
	for _, label := range groups {
		q.label(strings.TrimSpace(label))
	}
}

// metric wants a metric to be there, a part of a histogram under its own name.
func (q *query) metric(name string) *exposed {
	e := q.families[name]
	if e == nil || e.kind == kindHistogram {
		base, bucket := strings.CutSuffix(name, "_bucket")
		if e = q.families[base]; e == nil || !bucket || e.kind != kindHistogram {
			q.t.Errorf("%s: %s: there is no metric %s", q.where, q.text, name)
			return nil
		}
		q.labels["le"] = true
	}
	q.used[name] = true
	for names := range e.labels {
		for label := range strings.SplitSeq(names, ",") {
			q.labels[label] = true
		}
	}
	return e
}

func (q *query) label(name string) {
	if !q.labels[name] && !slices.Contains(targetLabels, name) {
		q.t.Errorf("%s: %s: no metric in it has the label %q", q.where, q.text, name)
	}
}

// matched wants each value that a selector asks for to be there, of alternatives each. Of roles a process has but one.
func (q *query) matched(name, text string) {
	e := q.metric(name)
	for one := range strings.SplitSeq(text, ",") {
		m := oneMatcher.FindStringSubmatch(one)
		if m == nil {
			q.t.Errorf("%s: %s: %q is no matcher that this test reads", q.where, q.text, one)
			continue
		}
		q.label(m[1])
		for value := range strings.SplitSeq(m[3], "|") {
			known := m[1] == "role" && slices.Contains([]string{"archive", "batch", "speed", "serve", "audit", "up"}, value)
			for series := range e.series {
				known = known || strings.Contains(series, m[1]+`="`+value+`"`)
			}
			if !known {
				q.t.Errorf("%s: %s: %s never has %s %q", q.where, q.text, name, m[1], value)
			}
		}
	}
}

// legend wants a text's placeholders to be labels that the expression leaves.
func (q *query) legend(text string) {
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		q.label(m[1])
	}
}

// TestAlertsByPromtool: Prometheus's own tool reads the rules, where it is installed.
func TestAlertsByPromtool(t *testing.T) {
	t.Parallel()
	promtool := needed(t, "promtool", "prometheus")
	if out, err := exec.CommandContext(t.Context(), promtool, "check", "rules", "../../docs/monitoring/alerts.yaml").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
