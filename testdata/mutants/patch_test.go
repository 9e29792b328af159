package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// root is the module's folder.
const root = "../.."

const good = `# It would be bad.
#
# caught by: ./a TestA
# caught by: ./b TestB/part -flag=1 -other
--- a/dir/x.go
+++ b/dir/x.go
@@ -3,3 +3,3 @@ func f() {
 	one
-	two
+	too
 	three
`

func TestParse(t *testing.T) {
	m, err := parse("01-x", strings.Replace(good, "--- a/", "diff --git a/dir/x.go b/dir/x.go\nindex 1..2 100644\n--- a/", 1))
	if err != nil {
		t.Fatal(err)
	}
	want := []catcher{{"./a", "TestA", ""}, {"./b", "TestB/part", "-flag=1 -other"}}
	if len(m.catchers) != 2 || m.catchers[0] != want[0] || m.catchers[1] != want[1] {
		t.Errorf("caught by %v", m.catchers)
	}
	if p, f := m.catchers[1].pattern(), m.catchers[1].function(); p != "^TestB$/^part$" || f != "TestB" {
		t.Errorf("-run %s, function %s", p, f)
	}
	if m.name != "01-x" || m.file != "dir/x.go" || m.old != "\tone\n\ttwo\n\tthree\n" || m.new != "\tone\n\ttoo\n\tthree\n" {
		t.Errorf("%+v", m)
	}
}

// TestParseRefuses: what is no patch of one line of production code, with a reason and a test, is told from one.
func TestParseRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":         "",
		"no hunk":         strings.Split(good, "@@")[0],
		"two hunks":       good + "@@ -9,1 +9,1 @@\n-a\n+b\n",
		"no reason":       strings.Replace(good, "# It would be bad.\n", "", 1),
		"no test":         strings.ReplaceAll(good, "caught by:", "seen by:"),
		"no package":      strings.Replace(good, "./a TestA", "TestA", 1),
		"a word outside":  "diff\n" + good,
		"two files":       strings.Replace(good, "+++ b/dir/x.go", "+++ b/dir/y.go", 1),
		"no file":         strings.Replace(strings.Replace(good, "--- a/dir/x.go\n", "", 1), "+++ b/dir/x.go\n", "", 1),
		"a file above":    strings.ReplaceAll(good, "dir/x.go", "../x.go"),
		"a test":          strings.ReplaceAll(good, "x.go", "x_test.go"),
		"two lines taken": strings.Replace(good, " \tone", "-\tone", 1),
		"two lines given": strings.Replace(good, " \tone", "+\tone", 1),
		"no change":       strings.Replace(good, "+\ttoo", "+\ttwo", 1),
		"a stray line":    good + "and more\n",
	} {
		if _, err := parse("01-x", text); !errors.Is(err, errPatch) || !strings.Contains(err.Error(), "01-x.patch") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestApply: the lines must be there, whole and once, wherever they are.
func TestApply(t *testing.T) {
	m, err := parse("01-x", good)
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.apply("zero\n\tone\n\ttwo\n\tthree\nfour\n")
	if err != nil || got != "zero\n\tone\n\ttoo\n\tthree\nfour\n" {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := m.apply("\tone\n\ttwo\n\tthree\n"); err != nil || got != "\tone\n\ttoo\n\tthree\n" {
		t.Errorf("at the beginning: got %q, %v", got, err)
	}
	for name, text := range map[string]string{
		"gone":        "\tone\n\tthree\n",
		"twice":       "\tone\n\ttwo\n\tthree\n\tone\n\ttwo\n\tthree\n",
		"half a line": "x\tone\n\ttwo\n\tthree\n",
	} {
		if _, err := m.apply(text); !errors.Is(err, errPatch) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestPatchesFit: every mutant kept here applies to the code as it is, and its tests are there: what make test runs a third
// of is found out of date by the unit tests.
func TestPatchesFit(t *testing.T) {
	all, err := readMutants(".")
	if err != nil {
		t.Fatal(err)
	}
	const least = 36
	if len(all) < least {
		t.Errorf("%d mutants, want %d at least", len(all), least)
	}
	for _, m := range all {
		text, err := os.ReadFile(filepath.Join(root, m.file))
		if err != nil {
			t.Error(err)
			continue
		}
		if _, err := m.apply(string(text)); err != nil {
			t.Error(err)
		}
		for _, c := range m.catchers {
			if !declared(t, c) {
				t.Errorf("%s: %s has no %s", m.name, c.pkg, c.function())
			}
		}
	}
}

// declared tells whether a test of this name stands in its package's folder.
func declared(t *testing.T, c catcher) bool {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, c.pkg, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\nfunc "+c.function()+"(") {
			return true
		}
	}
	return false
}
