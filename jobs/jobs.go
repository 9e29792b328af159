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
//go:embed usedcar/sources usedcar/views retail/sources retail/views
var FS embed.FS

// Open loads the job in the folder at path. If nothing is there and an embedded job is called so ("retail", or
// "jobs/retail" as in the repository), that one is loaded and embedded is true, which callers should say. Errors are
// those of job.LoadDir.
func Open(folder string) (j *job.Job, embedded bool, err error) {
	_, err = os.Stat(folder)
	if !errors.Is(err, fs.ErrNotExist) {
		j, err = job.LoadDir(folder)
		return j, false, err
	}
	name := path.Clean(filepath.ToSlash(folder))
	if path.Dir(name) == "jobs" {
		name = path.Base(name)
	}
	sub, subErr := fs.Sub(FS, name)
	if subErr != nil || path.Dir(name) != "." {
		return nil, false, fmt.Errorf("reading job %s: %w", folder, err)
	}
	if _, statErr := fs.Stat(sub, "sources"); statErr != nil {
		return nil, false, fmt.Errorf("reading job %s: %w; embedded are %s", folder, err, names())
	}
	j, err = job.Load(sub, name)
	return j, true, err
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
