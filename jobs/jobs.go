// Package jobs holds the reference jobs. Their YAML is embedded, so that the binary runs them from any folder.
package jobs

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/tidemark-io/tidemark/shared/job"
)

// Default is the job of commands that name none.
const Default = "usedcar"

// FS has the folder of each embedded job at its root.
//
//go:embed usedcar/sources usedcar/views usedcar/tests retail/sources retail/views retail/tests
var FS embed.FS

// Open loads the job in the folder at path. If nothing is there and an embedded job is called so ("retail", or
// "jobs/retail" as in the repository), that one is loaded and embedded is true, which callers should say. Errors are
// those of job.LoadDir.
func Open(folder string) (j *job.Job, embedded bool, err error) {
	sub, name, err := find(folder)
	switch {
	case err != nil:
		return nil, false, err
	case sub == nil:
		j, err = job.LoadDir(folder)
		return j, false, err
	}
	j, err = job.Load(sub, name)
	return j, true, err
}

// OpenTested loads a job as Open does, with its tests. Errors are those of job.LoadDirTested.
func OpenTested(folder string) (j *job.Job, tests []*job.Test, embedded bool, err error) {
	sub, name, err := find(folder)
	switch {
	case err != nil:
		return nil, nil, false, err
	case sub == nil:
		j, tests, err = job.LoadDirTested(folder)
		return j, tests, false, err
	}
	j, tests, err = job.LoadTested(sub, name)
	return j, tests, true, err
}

// find returns the embedded job that a path names where nothing is there; a nil sub if something is.
func find(folder string) (sub fs.FS, name string, err error) {
	_, err = os.Stat(folder)
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil // whoever reads the folder meets any other error again
	}
	name = path.Clean(filepath.ToSlash(folder))
	if path.Dir(name) == "jobs" {
		name = path.Base(name)
	}
	sub, subErr := fs.Sub(FS, name)
	if subErr != nil || path.Dir(name) != "." {
		return nil, "", fmt.Errorf("reading job %s: %w", folder, err)
	}
	if _, statErr := fs.Stat(sub, "sources"); statErr != nil {
		return nil, "", fmt.Errorf("reading job %s: %w; embedded are %s", folder, err, names())
	}
	return sub, name, nil
}

// names lists the embedded jobs, for messages.
func names() []string {
	entries, err := fs.ReadDir(FS, ".")
	if err != nil {
		return nil
	}
	out := make([]string, 0, len(entries))
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}
