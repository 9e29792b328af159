package journal_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/batch/journal"
)

// TestRemoveAbandoned: what lies aside in any journal of the view for longer than an hour goes; what is young may be a live
// process's, and what is linked, or no journal at all, stays.
func TestRemoveAbandoned(t *testing.T) {
	l := journal.Layout{State: t.TempDir(), Job: "shop", View: "user"}
	now := time.Now()
	must(t, l.RemoveAbandoned(now)) // of a view that has no folder yet
	_, err := journal.CreateGeneration(l.GenerationJournal("aaaaaaaaaa"), genesis("aaaaaaaaaa"))
	must(t, err)
	old := now.Add(-61 * time.Minute)
	write := func(path string, at time.Time) string {
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, nil, 0o600))
		must(t, os.Chtimes(path, at, at))
		return path
	}
	gone := []string{
		write(filepath.Join(l.GenerationJournal("aaaaaaaaaa"), ".aside-1"), old),
		write(filepath.Join(l.ViewJournal(), ".aside-2"), old),
	}
	entry := filepath.Join(l.GenerationJournal("aaaaaaaaaa"), "00000001.json")
	must(t, os.Chtimes(entry, old, old))
	stay := []string{
		entry,
		write(filepath.Join(l.GenerationJournal("aaaaaaaaaa"), ".aside-3"), now.Add(-59*time.Minute)),
		write(filepath.Join(l.ViewJournal(), ".other"), old),
		write(filepath.Join(filepath.Dir(l.ViewJournal()), "a file"), old),
	}
	must(t, l.RemoveAbandoned(now))
	for _, path := range gone {
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("%s is there: %v", path, err)
		}
	}
	for _, path := range stay {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}
