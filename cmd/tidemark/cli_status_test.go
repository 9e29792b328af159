package main

import (
	"strings"
	"testing"
)

// statusFrom wants status to ask processes of all roles, to show how far the views are and what each process counts, and to
// say which process does not answer.
func (in *installation) statusFrom(all map[string]*process) {
	t := in.t
	t.Helper()
	addresses := []string{"127.0.0.1:1"}
	roles := map[string]string{}
	for role, p := range all {
		address := httpOf(t, p.out.String())
		addresses, roles[address] = append(addresses, address), role
	}
	args := []string{"status", in.job, "--from", strings.Join(addresses, ",")}
	var r processesReport
	unmarshal(t, invoke(t, "", append(args, "-o", "json")...).want(t, exitOK).stdout, &r)
	for i := range r.Views {
		if v := &r.Views[i]; v.Run == 0 || v.Kind == nil || *v.Kind == "" || len(v.Partitions) == 0 {
			t.Errorf("view %s, run %d, is of kind %v with %d partitions", v.View, v.Run, v.Kind, len(v.Partitions))
		}
	}
	if len(r.Views) == 0 || len(r.Processes) != len(addresses) || r.Processes[0].Error == nil {
		t.Fatalf("%+v", r)
	}
	for _, p := range r.Processes[1:] {
		if p.Error != nil || p.Role != roles[p.Address] || len(p.Figures) == 0 {
			t.Errorf("%s at %s: %+v", roles[p.Address], p.Address, p)
		}
	}
	text := invoke(t, "", args...).want(t, exitOK).stdout
	for _, want := range []string{
		"process 127.0.0.1:1: asking the process at", "process " + addresses[1] + ", role " + roles[addresses[1]], "run 1 (full)",
		"archive_offset", "batch_runs_total", "speed_mark_offset", "freshness_seconds_count", "freshness_stage_seconds", "quantile=0.99 stage=fold_flush",
		"lookup_keys_total", "audit_entities_total", "audit_wrong_total",
	} {
		found := strings.Contains(text, want)
		if want == "run 1 (full)" { // more runs may have been made
			found = found || strings.Contains(text, " (delta)") || strings.Contains(text, " (compact)")
		}
		if want == "audit_wrong_total" { // it stands at 0
			found = !found
		}
		if !found {
			t.Errorf("%q in\n%s", want, text)
		}
	}
}

// TestStatusFrom: what cannot be asked is said, and why.
func TestStatusFrom(t *testing.T) {
	t.Parallel()
	for code, args := range map[int][]string{
		exitUnreachable: {"--from", "127.0.0.1:1"},
		exitUsage:       {"--from", "127.0.0.1:1", "--await"},
	} {
		if r := invoke(t, "", append([]string{"status", "usedcar"}, args...)...).want(t, code); r.stderr == "" {
			t.Errorf("%v: nothing is said", args)
		}
	}
}

// TestFigures: quantiles are bounds that the part asked for is within, and none is told past the last.
func TestFigures(t *testing.T) {
	t.Parallel()
	bounds := map[float64]uint64{0.1: 50, 0.2: 98, 0.4: 99}
	for q, want := range map[float64]float64{0.01: 0.1, 0.5: 0.1, 0.51: 0.2, 0.98: 0.2, 0.99: 0.4} {
		if got, within := quantile(bounds, 100, q); got != want || !within {
			t.Errorf("%v of all are within %v (%t), want %v", q, got, within, want)
		}
	}
	if got, within := quantile(bounds, 100, 1); within {
		t.Errorf("all are within %v", got)
	}
	for want, value := range map[string]figure{
		"1970-01-01T00:00:01.500Z": {Metric: "a_timestamp_seconds", Value: 1.5}, "3000000000000": {Metric: "a_total", Value: 3e12}, "0.125": {Metric: "a", Value: 0.125},
	} {
		if got := value.text(); got != want {
			t.Errorf("%+v is shown as %s, want %s", value, got, want)
		}
	}
}
