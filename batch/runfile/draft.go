package runfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/tidemark-io/tidemark/batch/durable"
)

// Draft is the folder of a run while its files are written: aside, under a name that begins with a dot. Commit gives
// all of them the run's name at once, so that a run is there whole or not at all. Create may be called concurrently.
type Draft struct {
	aside string
	final string
}

// NewDraft begins the folder of a run.
func NewDraft(folder string) (*Draft, error) {
	parent := filepath.Dir(folder)
	if err := durable.MkdirAll(parent); err != nil {
		return nil, fmt.Errorf("drafting run: %w", err)
	}
	aside, err := os.MkdirTemp(parent, "."+filepath.Base(folder)+"-*")
	if err != nil {
		return nil, fmt.Errorf("drafting run: %w", err)
	}
	if err := os.Chmod(aside, folderMode); err != nil {
		return nil, fmt.Errorf("drafting run: %w", err)
	}
	return &Draft{aside: aside, final: folder}, nil
}

const folderMode = 0o755

// RemoveDrafts removes what processes that died have left aside of runs before the one whose folder is given: another
// process may be at work on that one.
func RemoveDrafts(folder string) error {
	runs := filepath.Dir(folder)
	entries, err := os.ReadDir(runs)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("removing drafts: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") && e.Name() < "."+filepath.Base(folder) {
			if err := os.RemoveAll(filepath.Join(runs, e.Name())); err != nil {
				return fmt.Errorf("removing drafts: %w", err)
			}
		}
	}
	return nil
}

// Create begins the file of that name in the draft.
func (d *Draft) Create(name string, meta Meta) (*Writer, error) {
	return create(filepath.Join(d.aside, name), meta)
}

// Path returns where the file of that name lies while the run is a draft.
func (d *Draft) Path(name string) string { return filepath.Join(d.aside, name) }

// ErrTaken says that another process is putting its own files of the run in their place: they are there, whole.
var ErrTaken = errors.New("another process commits this run")

// Commit gives the draft the run's name. If a folder of that name is there (a process died between this and writing down
// that the run is checked), it gives way: nobody reads a run's files before they are checked. Errors: ErrTaken, if one
// comes there meanwhile, or the file system's.
func (d *Draft) Commit() error {
	if err := durable.SyncDir(d.aside); err != nil {
		return err
	}
	parent := filepath.Dir(d.final)
	old, err := os.MkdirTemp(parent, "."+filepath.Base(d.final)+"-old-*")
	if err != nil {
		return fmt.Errorf("committing run: %w", err)
	}
	err = os.Rename(d.final, filepath.Join(old, "run"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("committing run: %w", err)
	}
	if err := os.Rename(d.aside, d.final); err != nil {
		if errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.ENOTEMPTY) {
			err = fmt.Errorf("%w: %w", ErrTaken, err)
		}
		// What stood there stands there again, if nothing else does: it may be all there is of the run.
		if back := os.Rename(filepath.Join(old, "run"), d.final); back == nil || errors.Is(err, ErrTaken) {
			err = errors.Join(err, os.RemoveAll(old))
		}
		return fmt.Errorf("committing run: %w", err)
	}
	if err := durable.SyncDir(parent); err != nil {
		return err
	}
	return os.RemoveAll(old)
}

// Discard removes the draft. After Commit it does nothing.
func (d *Draft) Discard() error { return os.RemoveAll(d.aside) }
