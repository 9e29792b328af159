package runfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/tidemark-io/tidemark/batch/durable"
	"github.com/tidemark-io/tidemark/shared/crash"
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
// process may be at work on that one. One that still writes to an earlier run, which somebody else has finished meanwhile,
// may fill a folder as fast as it is emptied: that is left for the next time.
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
			if err := os.RemoveAll(filepath.Join(runs, e.Name())); err != nil && !errors.Is(err, syscall.ENOTEMPTY) {
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

// Commit gives the draft the run's name. A folder of that name may be there: a process died between this and writing down
// that the run is checked, or another one makes the same run at this moment. A run that is repeated makes the same bytes,
// so that theirs stay and the draft is not needed; they may be published already. Only a folder with other bytes, of which
// nobody can have said that they are right, gives way. Errors: ErrTaken, if a folder comes or goes meanwhile, or the file
// system's.
func (d *Draft) Commit() error {
	if err := durable.SyncDir(d.aside); err != nil {
		return err
	}
	crash.Point(crash.RunBeforeName)
	err := os.Rename(d.aside, d.final)
	crash.Point(crash.RunAfterName)
	if errors.Is(err, fs.ErrExist) {
		var same bool
		if same, err = sameFiles(d.aside, d.final); err == nil && !same {
			err = d.replace()
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: %w", ErrTaken, err)
		}
	}
	if err != nil {
		return fmt.Errorf("committing run: %w", err)
	}
	return durable.SyncDir(filepath.Dir(d.final))
}

// replace puts the draft in the place of the folder that has the run's name.
func (d *Draft) replace() error {
	old, err := os.MkdirTemp(filepath.Dir(d.final), "."+filepath.Base(d.final)+"-old-*")
	if err != nil {
		return err
	}
	if err := os.Rename(d.final, filepath.Join(old, "run")); err != nil {
		return errors.Join(err, os.RemoveAll(old))
	}
	if err := os.Rename(d.aside, d.final); err != nil {
		if errors.Is(err, fs.ErrExist) {
			err = fmt.Errorf("%w: %w", ErrTaken, err)
		}
		// What stood there stands there again, if nothing else does: it may be all there is of the run.
		if back := os.Rename(filepath.Join(old, "run"), d.final); back == nil || errors.Is(err, ErrTaken) {
			err = errors.Join(err, os.RemoveAll(old))
		}
		return err
	}
	return os.RemoveAll(old)
}

// sameFiles tells whether two folders hold the same names and bytes.
func sameFiles(a, b string) (bool, error) {
	names, err := os.ReadDir(a)
	if err != nil {
		return false, err
	}
	others, err := os.ReadDir(b)
	if err != nil || len(names) != len(others) {
		return false, err
	}
	for i := range names {
		if names[i].Name() != others[i].Name() {
			return false, nil
		}
		if same, err := sameBytes(filepath.Join(a, names[i].Name()), filepath.Join(b, names[i].Name())); !same || err != nil {
			return false, err
		}
	}
	return true, nil
}

// sameBytes tells whether two files hold the same.
func sameBytes(a, b string) (same bool, err error) {
	f, err := os.Open(a)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	g, err := os.Open(b)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	var x, y [BlockSize]byte
	for {
		n, errX := io.ReadFull(f, x[:])
		m, errY := io.ReadFull(g, y[:])
		if n != m || !bytes.Equal(x[:n], y[:m]) {
			return false, nil
		}
		// Both ended within the same buffer, or neither did.
		if ended(errX) && ended(errY) {
			return true, nil
		}
		if err := errors.Join(errX, errY); err != nil {
			return false, err
		}
	}
}

func ended(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// Discard removes the draft. After Commit it does nothing, or removes what was not needed.
func (d *Draft) Discard() error { return os.RemoveAll(d.aside) }
