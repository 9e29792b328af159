package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/tidemark-io/tidemark/batch/durable"
)

// abandonedAge is how long an entry must have lain aside to count as abandoned: a live process links it within moments.
const abandonedAge = time.Hour

// RemoveAbandoned removes what processes that died have left aside in the journals of the view and of all generations that
// have a folder, listed in the view's journal or not. It may be called while others write to them.
func (l Layout) RemoveAbandoned(now time.Time) error {
	folders, err := os.ReadDir(l.root())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("looking for abandoned entries: %w", err)
	}
	journals := []string{l.ViewJournal()}
	for _, f := range folders {
		if f.IsDir() {
			journals = append(journals, l.GenerationJournal(f.Name()))
		}
	}
	for _, dir := range journals {
		if err := durable.RemoveAbandoned(dir, now.Add(-abandonedAge)); err != nil {
			return err
		}
	}
	return nil
}
