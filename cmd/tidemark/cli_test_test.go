package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestJobTests: the tests of both jobs hold; a wrong one exits 1 with a diff, a faulty one 2 with every fault.
func TestJobTests(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"usedcar", "retail"} {
		r := invoke(t, "", "test", "../../jobs/"+name).want(t, exitOK)
		if !strings.Contains(r.stdout, "0 failures") || strings.Contains(r.stdout, "not tested") {
			t.Error(r.stdout)
		}
	}
	wrong := copyOfJob(t, "retail", "tests/item.yaml", "units_all: 44 ", "units_all: 45 ")
	r := invoke(t, "", "test", wrong).want(t, exitWrong)
	for _, s := range []string{
		"tests/item.yaml:17: view item, stock_code:85123A as of 2010-12-11T12:00:00.000Z: units_all\n  expected  45\n  got       44\n",
		"1 failure",
	} {
		if !strings.Contains(r.stdout, s) {
			t.Errorf("no %q in\n%s", s, r.stdout)
		}
	}
	var report testReport
	if err := json.Unmarshal([]byte(invoke(t, "", "test", wrong, "-o", "json").want(t, exitWrong).stdout), &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Failures) != 1 || report.Failures[0].Line != 17 || report.Job != "retail" || report.Files != 2 || report.Records != 13 {
		t.Errorf("%+v", report)
	}
	faulty := copyOfJob(t, "retail", "tests/item.yaml", "units_all: 44 ", "unit_all: 44 ", "  - view: item", "  - view: thing", "reject:", "rejects:")
	for _, command := range []string{"test", "check"} {
		r := invoke(t, "", command, faulty).want(t, exitUsage)
		if !strings.Contains(r.stderr, `tests/item.yaml:11:11: no view is called "thing" (use one of customer, item)`) {
			t.Error(r.stderr)
		}
	}
	source := filepath.Join(faulty, "sources/more.yaml") // which no expectation hangs on
	if err := os.WriteFile(source, []byte("topik: t\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"test", "check"} {
		r := invoke(t, "", command, faulty).want(t, exitUsage)
		for _, s := range []string{`tests/item.yaml:11:11: no view is called "thing"`, `more.yaml:1:1: unknown key "topik"`} {
			if !strings.Contains(r.stderr, s) {
				t.Errorf("of faults in two places %s does not say %q: %s", command, s, r.stderr)
			}
		}
	}
	none := copyOfJob(t, "retail", "tests/item.yaml")
	if err := os.RemoveAll(filepath.Join(none, "tests")); err != nil {
		t.Fatal(err)
	}
	if r := invoke(t, "", "test", none).want(t, exitUsage); !strings.Contains(r.stderr, "has no tests") {
		t.Error(r.stderr)
	}
	invoke(t, "", "check", none).want(t, exitOK)
}

// copyOfJob returns a copy of a reference job with edits (old, new, …) in one file.
func copyOfJob(t *testing.T, name, file string, edits ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("../../jobs", name))); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, file), []byte(strings.NewReplacer(edits...).Replace(string(b))), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}
