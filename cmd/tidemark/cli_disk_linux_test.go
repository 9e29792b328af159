package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// tmpfs mounts a file system of so many bytes on a new folder, or skips the test where that is not allowed.
func tmpfs(t *testing.T, options string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("mounting a small disk: %v; run the tests as root to have full disks and read-only folders tried", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmounting: %v", err)
		}
	})
	return dir
}

func remount(t *testing.T, dir string, flags uintptr, options string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|flags, options); err != nil {
		t.Fatal(err)
	}
}

// TestFullDisk: a run that finds no room ends with the file's name and leaves nothing that hinders the next, which goes
// through once there is room. What was published before is served all along.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	w := newRetailWorld(t)
	w.state = tmpfs(t, "size=16m")
	w.block(0)
	w.batch().want(t, exitOK)
	fill := filepath.Join(w.state, "fill")
	f, err := os.Create(fill)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	w.block(1)
	for range 2 {
		r := w.batch().want(t, exitFailed)
		if !strings.Contains(r.stderr, "no space left on device") || !strings.Contains(r.stderr, w.state) {
			t.Errorf("it does not say what is full: %s", r.stderr)
		}
	}
	if n := w.lines(); n != "8" {
		t.Errorf("the run before answers %s lines", n)
	}
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	w.batch().want(t, exitOK)
	if n := w.lines(); n != "16" {
		t.Errorf("with room there are %s lines", n)
	}
}

// TestReadOnly: folders that cannot be written are named; an archive that is only read may be.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	w := newRetailWorld(t)
	w.state, w.archive = tmpfs(t, "size=16m"), tmpfs(t, "size=16m")
	w.block(0)
	w.batch().want(t, exitOK)
	w.block(1)
	remount(t, w.archive, syscall.MS_RDONLY, "size=16m")
	remount(t, w.state, syscall.MS_RDONLY, "size=16m")
	if r := w.batch().want(t, exitFailed); !strings.Contains(r.stderr, "read-only file system") || !strings.Contains(r.stderr, w.state) {
		t.Errorf("it does not name %s: %s", w.state, r.stderr)
	}
	if n := w.lines(); n != "8" {
		t.Errorf("the run before answers %s lines", n)
	}
	remount(t, w.state, 0, "size=16m")
	w.batch().want(t, exitOK)
	if n := w.lines(); n != "16" {
		t.Errorf("with a state folder that can be written there are %s lines", n)
	}
}
