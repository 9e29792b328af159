package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestJudge: what go test says means what it means.
func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name, output string
		ok           bool
		want         verdict
	}{
		{"caught", "=== RUN   TestA\n--- FAIL: TestA (0.01s)\nFAIL\nFAIL\tm/a\t0.1s\n", false, failed},
		{"another test's failure", "=== RUN   TestAB\n--- FAIL: TestAB (0.01s)\nFAIL\n", false, broken},
		{"a panic in another goroutine", "=== RUN   TestA\npanic: no\n\ngoroutine 7\nFAIL\tm/a\t0.1s\n", false, broken},
		{"a panic of its own", "=== RUN   TestA\n--- FAIL: TestA (0.00s)\npanic: no [recovered]\n", false, failed},
		{"no end", "=== RUN   TestA\npanic: test timed out after 2m0s\n--- FAIL: TestA (120s)\n", false, hung},
		{"no program", "# m/a\n./a.go:1:1: no\nFAIL\tm/a [build failed]\n", false, unbuilt},
		{"no package", "FAIL\tm/a [setup failed]\n", false, unbuilt},
		{"no test", "testing: warning: no tests to run\nPASS\nok  \tm/a\t0.1s [no tests to run]\n", true, untested},
		{"no server", "=== RUN   TestA\n    a_test.go:1: no server\n--- SKIP: TestA (0.00s)\nPASS\n", true, skipped},
		{"survived", "=== RUN   TestA\n--- PASS: TestA (0.00s)\nPASS\nok  \tm/a\t0.1s\n", true, passed},
	} {
		if got := judge(c.output, c.ok, "TestA"); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// module writes a module of one function, its test, and mutants of it, and returns its folder.
func module(t *testing.T, patches map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{
		"go.mod":      "module m\n\ngo 1.26\n",
		"a/a.go":      "package a\n\nimport _ \"embed\"\n\n//go:embed a.txt\nvar text string\n\nfunc add(a, b int) int {\n\treturn a + b\n}\n",
		"a/a.txt":     "embedded\n",
		"a/a_test.go": "package a\n\nimport \"testing\"\n\nfunc TestAdd(t *testing.T) {\n\tif add(2, 2) != 4 {\n\t\tt.Error(\"no\")\n\t}\n}\n\nfunc TestText(t *testing.T) {\n\tif text != \"embedded\\n\" {\n\t\tt.Error(text)\n\t}\n}\n\nfunc TestNothing(*testing.T) {}\n\nfunc TestSkipped(t *testing.T) { t.Skip() }\n\nfunc TestBad(t *testing.T) { t.Fail() }\n",
	}
	for name, patch := range patches {
		files["testdata/mutants/"+name+".patch"] = patch
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// patch is a mutant of a file of the module, caught by these tests.
func patch(file, old, now string, tests ...string) string {
	return "# Bad.\n# caught by: ./a " + strings.Join(tests, "\n# caught by: ./a ") + fmt.Sprintf("\n--- a/a/%s\n+++ b/a/%s\n@@ -1,1 +1,1 @@\n-%s\n+%s\n", file, file, old, now)
}

func runModule(t *testing.T, dir string, o options) (bool, string, error) {
	t.Helper()
	var out strings.Builder
	o.root, o.timeout = dir, time.Minute
	ok, err := run(t.Context(), &out, o)
	return ok, out.String(), err
}

// TestRun applies mutants of a small module: each way to end is told apart, the module's files stay as they are, and only
// mutants that are all caught, or left out for want of a server, make a good run.
func TestRun(t *testing.T) {
	const line = "\treturn a + b"
	dir := module(t, map[string]string{
		"1-caught":   patch("a.go", line, "\treturn a - b", "TestAdd"),
		"2-second":   patch("a.go", line, "\treturn a - b", "TestNothing", "TestAdd"),
		"3-embedded": patch("a.txt", "embedded", "another", "TestText"),
		"4-skipped":  patch("a.go", line, "\treturn a - b", "TestSkipped"),
		"5-survives": patch("a.go", line, "\treturn a * b", "TestAdd"),
		"6-unbuilt":  patch("a.go", line, "\treturn c", "TestAdd"),
		"7-untested": patch("a.go", line, "\treturn a - b", "TestNowhere"),
		"8-unfit":    patch("a.go", "\treturn b + a", "\treturn a - b", "TestAdd"),
	})
	ok, out, err := runModule(t, dir, options{share: 1, parallel: 2})
	if err != nil || ok {
		t.Errorf("run: %t, %v", ok, err)
	}
	for _, want := range []string{
		"caught  1-caught  by ./a TestAdd in ", "caught  2-second  by ./a TestAdd in ", "caught  3-embedded  by ./a TestText in ",
		"left out  4-skipped  ", "FAILED  5-survives  SURVIVED", "FAILED  6-unbuilt  it does not compile", "FAILED  7-untested  there is no such test",
		"FAILED  8-unfit  patch does not fit", "8 of 8 mutants: 3 caught, 1 left out, 4 failed, in ",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, "a", "a.go")); err != nil || !strings.Contains(string(text), line) {
		t.Errorf("the module's file is %s, %v", text, err)
	}
	if ok, out, err := runModule(t, dir, options{share: 1, run: "^[1-4]", clean: true, parallel: 1}); !ok || err != nil {
		t.Errorf("without those that fail: %t, %v\n%s", ok, err, out)
	}
}

// TestCleanComesFirst: a test that fails without any mutant catches none.
func TestCleanComesFirst(t *testing.T) {
	dir := module(t, map[string]string{"1-caught": patch("a.go", "\treturn a + b", "\treturn a - b", "TestBad")})
	ok, out, err := runModule(t, dir, options{share: 1, clean: true})
	if ok || err != nil || !strings.Contains(out, "FAILED  without any mutant  ./a TestBad") || strings.Contains(out, "caught  1") {
		t.Errorf("%t, %v:\n%s", ok, err, out)
	}
}

// TestNoMutants: a run that would look at nothing is an error, and so is a pattern that does not read.
func TestNoMutants(t *testing.T) {
	dir := module(t, nil)
	for _, o := range []options{{share: 1}, {share: 1, run: "("}} {
		if ok, out, err := runModule(t, dir, o); ok || err == nil {
			t.Errorf("%+v: %s", o, out)
		}
	}
}

// TestChoose: a share is rounded up, in order, the same for the same seed, and every mutant is in some seed's.
func TestChoose(t *testing.T) {
	var all []mutant
	for i := range 40 {
		all = append(all, mutant{name: fmt.Sprintf("%02d-x", i)})
	}
	names := func(ms []mutant) (out []string) {
		for _, m := range ms {
			out = append(out, m.name)
		}
		return out
	}
	if got := names(choose(all, "any", 1)); !slices.Equal(got, names(all)) {
		t.Errorf("all: %v", got)
	}
	seen := map[string]bool{}
	for day := range 40 {
		seed := fmt.Sprintf("2026-01-%02d", day)
		got := names(choose(all, seed, 3))
		if len(got) != 14 || !slices.IsSorted(got) || !slices.Equal(got, names(choose(all, seed, 3))) {
			t.Fatalf("seed %s: %v", seed, got)
		}
		for _, name := range got {
			seen[name] = true
		}
	}
	if len(seen) != len(all) {
		t.Errorf("%d of %d mutants came up in 40 seeds", len(seen), len(all))
	}
}
