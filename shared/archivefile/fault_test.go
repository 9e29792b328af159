package archivefile_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// failing is a file system whose n-th step fails. It stands on the real one.
type failing struct {
	archivefile.OS
	left int // steps until the one that fails
	err  error
	log  []string // the steps taken
}

func (f *failing) step(name string) error {
	f.log = append(f.log, name)
	f.left--
	if f.left == 0 {
		return fmt.Errorf("%s: %w", name, f.err)
	}
	return nil
}

func (f *failing) Create(folder string) (archivefile.File, string, error) {
	if err := f.step("create"); err != nil {
		return nil, "", err
	}
	file, path, err := f.OS.Create(folder)
	return &failingFile{File: file, fs: f}, path, err
}

func (f *failing) Link(path, to string) error {
	if err := f.step("link"); err != nil {
		return err
	}
	return f.OS.Link(path, to)
}

func (f *failing) SyncDir(folder string) error {
	if err := f.step("sync folder"); err != nil {
		return err
	}
	return f.OS.SyncDir(folder)
}

type failingFile struct {
	archivefile.File
	fs *failing
}

func (f *failingFile) Write(p []byte) (int, error) {
	if err := f.fs.step("write"); err != nil {
		n, _ := f.File.Write(p[:len(p)/2]) // a full disk takes half of it
		return n, err
	}
	return f.File.Write(p)
}

func (f *failingFile) ReadAt(p []byte, offset int64) (int, error) {
	if err := f.fs.step("read"); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, offset)
}

func (f *failingFile) Sync() error {
	if err := f.fs.step("sync"); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *failingFile) Close() error {
	err := f.File.Close()
	if failed := f.fs.step("close"); failed != nil {
		return failed
	}
	return err
}

// TestEachStepMayFail: whatever fails, the error says so, no file has the name that is not whole, and nothing is left
// behind. Trying again succeeds.
func TestEachStepMayFail(t *testing.T) {
	t.Parallel()
	src := trips()
	r := position.Range{From: 0, Next: 256}
	b := decoded(t, src, 0, newGenerator(1).log(200, 0))
	whole := &failing{}
	if _, err := archivefile.Write(whole, t.TempDir(), src, 0, r, one(b)); err != nil {
		t.Fatal(err)
	}
	for step, name := range whole.log {
		for _, cause := range []error{syscall.ENOSPC, syscall.EIO} {
			dir := t.TempDir()
			folder := filepath.Join(dir, "trips", "0")
			_, err := archivefile.Write(&failing{left: step + 1, err: cause}, dir, src, 0, r, one(b))
			if !errors.Is(err, cause) {
				t.Errorf("step %d, %s: got %v, want %v", step, name, err, cause)
			}
			if name == "sync folder" {
				onlyFiles(t, folder, archivefile.Name(r)) // whole, but perhaps not durable: the next try finds it
			} else {
				onlyFiles(t, folder)
			}
			if _, err := archivefile.Write(archivefile.OS{}, dir, src, 0, r, one(b)); err != nil {
				t.Errorf("trying again after step %d, %s: %v", step, name, err)
			}
			onlyFiles(t, folder, archivefile.Name(r))
		}
	}
}

// TestKilledWriter: what a writer that was killed leaves is no file to anybody, and is removed when it is old.
func TestKilledWriter(t *testing.T) {
	t.Parallel()
	src, dir := trips(), t.TempDir()
	p := position.Partition{Source: src.Name}
	file, path, err := archivefile.OS{}.Create(archivefile.Folder(dir, p))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(writeAll(file, "PAR1"), file.Close()); err != nil {
		t.Fatal(err)
	}
	if c, err := archivefile.List(dir, p); err != nil || len(c.Files) != 0 {
		t.Errorf("listed %v, %v", c.Files, err)
	}
	write(t, dir, src, 0, 0, 256, newGenerator(1).log(20, 0))
	old := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	if n, err := archivefile.RemoveAbandoned(dir, p, old); n != 0 || err != nil {
		t.Errorf("removed %d young files, %v", n, err)
	}
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	if n, err := archivefile.RemoveAbandoned(dir, p, old.Add(time.Second)); n != 1 || err != nil {
		t.Errorf("removed %d old files, %v", n, err)
	}
	onlyFiles(t, archivefile.Folder(dir, p), archivefile.Name(position.Range{Next: 256}))
}

func writeAll(f archivefile.File, s string) error {
	_, err := f.Write([]byte(s))
	return err
}

// TestNeverOverAnother: a name that is taken stays as it is.
func TestNeverOverAnother(t *testing.T) {
	t.Parallel()
	src := trips()
	r := position.Range{From: 0, Next: 256}
	mine := newGenerator(1).log(100, 0)
	newer := trips()
	newer.Fields = append(newer.Fields, schema.Field{Name: "rating", Type: schema.Int32})
	for name, c := range map[string]struct {
		before func(dir string) string
		want   error
	}{
		"the same rows":        {func(dir string) string { return write(t, dir, src, 0, r.From, r.Next, mine) }, nil},
		"an older declaration": {func(dir string) string { return write(t, dir, newer, 0, r.From, r.Next, mine) }, nil},
		"other rows": {
			func(dir string) string { return write(t, dir, src, 0, r.From, r.Next, newGenerator(2).log(100, 0)) }, archivefile.ErrConflict,
		},
		"fewer rows": {
			func(dir string) string { return write(t, dir, newer, 0, r.From, r.Next, mine[:99]) }, archivefile.ErrConflict,
		},
		"half a file": {func(dir string) string {
			path := write(t, dir, src, 0, r.From, r.Next, mine)
			replace(t, path, contents(t, path)[:999])
			return path
		}, archivefile.ErrDamaged},
	} {
		dir := t.TempDir()
		path := c.before(dir)
		before := contents(t, path)
		got, err := archivefile.Write(archivefile.OS{}, dir, src, 0, r, one(decoded(t, src, 0, mine)))
		if !errors.Is(err, c.want) || err == nil && got != path {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
		if string(contents(t, path)) != string(before) {
			t.Errorf("%s: the file was changed", name)
		}
		onlyFiles(t, filepath.Dir(path), archivefile.Name(r))
	}
}
