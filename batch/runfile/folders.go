package runfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/tidemark-io/tidemark/shared/crash"
)

// Folders returns the numbers of the runs whose folders lie below a folder, ascending; none if it is not there.
func Folders(runs string) ([]int64, error) {
	entries, err := os.ReadDir(runs)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing runs: %w", err)
	}
	var all []int64
	for _, e := range entries {
		// What is no number is a draft, or something that is on its way out.
		if n, err := strconv.ParseInt(e.Name(), 10, 64); err == nil {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all, nil
}

// Remove removes the folder of a run that nobody needs. It loses its name before its files go, so that a run is there
// whole or not at all; what a process that dies leaves is removed by RemoveDrafts. A folder that is not there is no error:
// another process was first.
func Remove(folder string) error {
	aside, err := os.MkdirTemp(filepath.Dir(folder), "."+filepath.Base(folder)+"-gone-*")
	if err != nil {
		return fmt.Errorf("removing run: %w", err)
	}
	err = os.Rename(folder, filepath.Join(aside, "run"))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	crash.Point(crash.RunGone)
	if err := errors.Join(err, os.RemoveAll(aside)); err != nil {
		return fmt.Errorf("removing run: %w", err)
	}
	return nil
}

// Hold gives the files of a run's folder a second name each, in another folder of the same disk, under which they stay
// when the run is removed.
func Hold(folder, as string) error {
	files, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("holding run: %w", err)
	}
	if err := os.MkdirAll(as, folderMode); err != nil {
		return fmt.Errorf("holding run: %w", err)
	}
	for _, f := range files {
		if err := os.Link(filepath.Join(folder, f.Name()), filepath.Join(as, f.Name())); err != nil {
			return fmt.Errorf("holding run: %w", err)
		}
	}
	return nil
}
