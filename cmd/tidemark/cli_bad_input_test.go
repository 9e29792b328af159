package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// retailWorld is an archive, a state folder and a store of the retail job: what batch and get need, and nothing that runs.
type retailWorld struct {
	t                     *testing.T
	archive, state, store string
}

func newRetailWorld(t *testing.T) *retailWorld {
	t.Helper()
	dir := t.TempDir()
	return &retailWorld{t, filepath.Join(dir, "archive"), filepath.Join(dir, "state"), "pebble:" + filepath.Join(dir, "store")}
}

const retailBlock = 8

// block archives block n of partition 0, whose lines are all of customer 7.
func (w *retailWorld) block(n int64) string {
	w.t.Helper()
	values := make([][]byte, retailBlock)
	for i := range values {
		values[i] = []byte(fineLine)
	}
	return archiveOf(w.t, w.archive, 0, n*retailBlock, values...)
}

func (w *retailWorld) batch() result {
	w.t.Helper()
	return invoke(w.t, "", "batch", "../../jobs/retail", "--once", "--block", strconv.Itoa(retailBlock),
		"--archive", w.archive, "--state", w.state, "--store", w.store)
}

// lines returns how many lines customer 7 has, as the store says.
func (w *retailWorld) lines() string {
	w.t.Helper()
	out := invoke(w.t, "", "get", "../../jobs/retail", "customer", "7", "--features", "lines_all", "--as-of", "newest", "--store", w.store, "-o", "json").want(w.t, exitOK).stdout
	_, out, _ = strings.Cut(out, `"lines_all":{"value":`)
	out, _, _ = strings.Cut(out, ",")
	return out
}

// TestArchiveFileFaults: whatever is wrong with a file of the archive, the run stops and names it, the version before is
// still served, and once the file is as it should be, the same run goes through.
func TestArchiveFileFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, w *retailWorld, file string) (names string, mend func())
	}{
		{"corrupt", func(t *testing.T, _ *retailWorld, file string) (string, func()) {
			return file, changed(t, file, func(b []byte) []byte { b[100] ^= 1; return b }) // of the column of offsets
		}},
		{"truncated", func(t *testing.T, _ *retailWorld, file string) (string, func()) {
			return file, changed(t, file, func(b []byte) []byte { return b[:len(b)-1] })
		}},
		{"half written", func(t *testing.T, _ *retailWorld, file string) (string, func()) {
			return file, changed(t, file, func(b []byte) []byte { return b[:len(b)/2] })
		}},
		{"empty", func(t *testing.T, _ *retailWorld, file string) (string, func()) {
			return file, changed(t, file, func([]byte) []byte { return nil })
		}},
		{"no Parquet", func(t *testing.T, _ *retailWorld, file string) (string, func()) {
			return file, changed(t, file, func([]byte) []byte { return []byte("a,b\n1,2\n") })
		}},
		{"missing", func(t *testing.T, w *retailWorld, file string) (string, func()) {
			behind, aside := w.block(2), filepath.Join(t.TempDir(), "aside")
			rename(t, file, aside)
			return filepath.Base(behind), func() { rename(t, aside, file) }
		}},
		{"overlapping", func(t *testing.T, w *retailWorld, _ string) (string, func()) {
			values := make([][]byte, 2*retailBlock)
			for i := range values {
				values[i] = []byte(fineLine)
			}
			file := archiveOf(t, w.archive, 0, retailBlock+retailBlock/2, values...)
			return filepath.Base(file), func() { rename(t, file, filepath.Join(t.TempDir(), "aside")) }
		}},
		{"under another name", func(t *testing.T, _ *retailWorld, file string) (string, func()) {
			other := strings.Replace(file, "0008-", "0009-", 1)
			if other == file {
				t.Fatalf("%s has another form", file)
			}
			rename(t, file, other)
			return filepath.Base(other), func() { rename(t, other, file) }
		}},
		{"a folder", func(t *testing.T, _ *retailWorld, file string) (string, func()) {
			aside := filepath.Join(t.TempDir(), "aside")
			rename(t, file, aside)
			if err := os.Mkdir(file, 0o755); err != nil {
				t.Fatal(err)
			}
			return file, func() {
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
				rename(t, aside, file)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newRetailWorld(t)
			w.block(0)
			w.batch().want(t, exitOK)
			names, mend := c.spoil(t, w, w.block(1))
			r := w.batch().want(t, exitFailed)
			if !strings.Contains(r.stderr, names) || strings.Contains(r.stderr, "goroutine ") {
				t.Errorf("it does not name %s: %s", names, r.stderr)
			}
			if n := w.lines(); n != "8" {
				t.Errorf("the run before answers %s lines", n)
			}
			mend()
			w.batch().want(t, exitOK)
			if n := w.lines(); n != "16" && n != "24" {
				t.Errorf("after the cure there are %s lines", n)
			}
		})
	}
}

// TestJournalFaults: a journal that does not read ends batch with the entry's name and a cure; the store is served.
func TestJournalFaults(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(b []byte) []byte{
		"a byte":    func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"truncated": func(b []byte) []byte { return b[:len(b)/2] },
		"empty":     func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newRetailWorld(t)
			w.block(0)
			w.batch().want(t, exitOK)
			entries, err := filepath.Glob(filepath.Join(w.state, "retail", "customer", "*", "journal", "*.json"))
			if err != nil || len(entries) < 2 {
				t.Fatalf("%v, %v", entries, err)
			}
			mend := changed(t, entries[1], change)
			w.block(1)
			r := w.batch().want(t, exitFailed)
			if !strings.Contains(r.stderr, entries[1]) || !strings.Contains(r.stderr, "restore") {
				t.Errorf("it does not name %s and a cure: %s", entries[1], r.stderr)
			}
			if n := w.lines(); n != "8" {
				t.Errorf("the run before answers %s lines", n)
			}
			mend()
			w.batch().want(t, exitOK)
			if n := w.lines(); n != "16" {
				t.Errorf("after the cure there are %s lines", n)
			}
		})
	}
}

// TestTwoJournals: a state folder that was restored from an older backup is refused beside the store that went on, and changes
// nothing, also when it has gone on by itself in an empty store; the folder that belongs there is taken as before.
func TestTwoJournals(t *testing.T) {
	t.Parallel()
	w := newRetailWorld(t)
	w.block(0)
	w.batch().want(t, exitOK)
	own, backup := w.state, filepath.Join(t.TempDir(), "backup")
	if err := os.CopyFS(backup, os.DirFS(own)); err != nil {
		t.Fatal(err)
	}
	w.block(1)
	w.batch().want(t, exitOK)
	refused := func(when, cure string) {
		t.Helper()
		w.state = backup
		r := w.batch().want(t, exitFailed)
		for _, says := range []string{"view ", "store is ahead of the journal", cure, backup} {
			if !strings.Contains(r.stderr, says) {
				t.Errorf("%s: it does not say %q: %s", when, says, r.stderr)
			}
		}
		if n := w.lines(); n != "16" {
			t.Errorf("%s: there are %s lines", when, n)
		}
	}
	refused("restored", "restore the newer state folder")
	there := w.store
	w.store = "pebble:" + filepath.Join(t.TempDir(), "other")
	w.block(2)
	w.batch().want(t, exitOK)
	w.store = there
	refused("gone on by itself", "restore the state folder that the store was filled from")
	w.state = own
	w.batch().want(t, exitOK)
	if n := w.lines(); n != "24" {
		t.Errorf("with its own folder there are %s lines", n)
	}
}

// changed changes a file's bytes and returns what puts them back.
func changed(t *testing.T, file string, change func(b []byte) []byte) (mend func()) {
	t.Helper()
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write := func(b []byte) {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(change(append([]byte(nil), good...)))
	return func() { write(good) }
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}
