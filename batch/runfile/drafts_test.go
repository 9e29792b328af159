package runfile_test

import (
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/tidemark-io/tidemark/batch/runfile"
)

// TestDraftOfAnother: while drafts of earlier runs are removed, the process that one is of still writes files into it, as fast
// as they go. That is no error: the folder is left for the next time, and goes then.
func TestDraftOfAnother(t *testing.T) {
	runs := t.TempDir()
	draft := filepath.Join(runs, ".00000006-1")
	var writer sync.WaitGroup
	stop := make(chan struct{})
	writer.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if f, err := os.Create(filepath.Join(draft, strconv.Itoa(i))); err == nil {
				_ = f.Close() // it is there, which is all that matters
			}
		}
	})
	for range 300 {
		if err := os.MkdirAll(draft, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := runfile.RemoveDrafts(filepath.Join(runs, "00000007")); err != nil {
			t.Error(err)
			break
		}
	}
	close(stop)
	writer.Wait()
	if err := runfile.RemoveDrafts(filepath.Join(runs, "00000007")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(draft); !os.IsNotExist(err) {
		t.Errorf("the draft is still there: %v", err)
	}
}
