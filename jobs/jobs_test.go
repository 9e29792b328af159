package jobs_test

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/tidemark-io/tidemark/jobs"
	"github.com/tidemark-io/tidemark/shared/job"
)

// TestEveryJobLoads from its folder and from the binary, as the same job.
func TestEveryJobLoads(t *testing.T) {
	entries, err := fs.ReadDir(jobs.FS, ".")
	if err != nil || len(entries) < 2 {
		t.Fatalf("embedded: %v, %v", entries, err)
	}
	here := map[string]*job.Job{}
	for _, e := range entries {
		j, embedded, err := jobs.Open(e.Name())
		if err != nil || embedded {
			t.Fatalf("loading the folder (embedded: %t): %v", embedded, err)
		}
		here[e.Name()] = j
	}
	t.Chdir(t.TempDir())
	for name, want := range here {
		for _, folder := range []string{name, "jobs/" + name, "./jobs/" + name + "/"} {
			j, embedded, err := jobs.Open(folder)
			if err != nil || !embedded {
				t.Fatalf("loading %s from the binary (embedded: %t): %v", folder, embedded, err)
			}
			compare(t, want, j)
		}
	}
}

func compare(t *testing.T, a, b *job.Job) {
	t.Helper()
	if a.Name != b.Name || len(a.Views) != len(b.Views) || len(a.Views) < 2 {
		t.Fatalf("%s with %d views, %s with %d", a.Name, len(a.Views), b.Name, len(b.Views))
	}
	for i := range a.Plans {
		if a.Plans[i].Revision() != b.Plans[i].Revision() {
			t.Errorf("view %s has revision %s here, %s embedded", a.Views[i].Name, a.Plans[i].Revision(), b.Plans[i].Revision())
		}
	}
}

// TestEveryOperatorIsUsed keeps the default job the one that shows all of the language.
func TestEveryOperatorIsUsed(t *testing.T) {
	j, _, err := jobs.Open(jobs.Default)
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]int{}
	for _, v := range j.Views {
		for _, f := range v.Features {
			used[f.Op]++
		}
	}
	for _, op := range []string{"count", "sum", "avg", "variance", "distinct", "histogram", "min", "max", "first", "last", "last_n", "top_k", "set", "map", "active_days", "sessions", ""} {
		if used[op] == 0 {
			t.Errorf("no feature uses operator %q", op)
		}
	}
}

func TestUnknownJob(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"nothing", "elsewhere/" + jobs.Default, "../" + jobs.Default, ""} {
		if _, _, err := jobs.Open(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
