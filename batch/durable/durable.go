// Package durable makes files that are there whole or not at all, also after the power failed: written aside, flushed to
// the disk, then given their name, and the folder flushed too. It knows nothing of what is in them.
package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tidemark-io/tidemark/shared/crash"
)

// ErrExists is the class of errors that say that a name is taken already.
var ErrExists = errors.New("exists already")

const (
	folderMode = 0o755
	fileMode   = 0o644
)

// MkdirAll makes a folder and its parents, each flushed to its parent.
func MkdirAll(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := MkdirAll(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, folderMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("making folder: %w", err)
	}
	return SyncDir(parent)
}

// SyncDir flushes the names in a folder to the disk.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("flushing folder: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// Link writes content aside and gives it its name by a hard link, which fails if the name is taken (ErrExists): on a
// plain folder this is compare-and-set.
func Link(path string, content []byte) error {
	dir := filepath.Dir(path)
	aside, err := writeAside(dir, content)
	if err != nil {
		return fmt.Errorf("writing %s aside: %w", path, err)
	}
	crash.Point(crash.JournalBeforeLink)
	err = os.Link(aside, path)
	crash.Point(crash.JournalAfterLink)
	// The link has decided. A file left aside is harmless: its name begins with a dot, which readers pass over.
	removed := os.Remove(aside)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("linking %s: %w", path, ErrExists)
	}
	if err := errors.Join(err, removed); err != nil {
		return fmt.Errorf("linking %s: %w", path, err)
	}
	return SyncDir(dir)
}

// RemoveAbandoned removes from a folder what processes that died have left aside, if it was written before the given time:
// what a live one has aside is linked within moments. A folder that is not there has nothing in it.
func RemoveAbandoned(dir string, before time.Time) error {
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("looking for abandoned files: %w", err)
	}
	for _, f := range files {
		if !strings.HasPrefix(f.Name(), asidePrefix) {
			continue
		}
		info, err := f.Info()
		if err == nil && info.ModTime().Before(before) {
			err = os.Remove(filepath.Join(dir, f.Name()))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing an abandoned file: %w", err)
		}
	}
	return nil
}

// asidePrefix is how the names of files begin that are not linked yet.
const asidePrefix = ".aside-"

func writeAside(dir string, content []byte) (path string, err error) {
	f, err := os.CreateTemp(dir, asidePrefix+"*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(fileMode), f.Sync(), f.Close())
	if err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}
