package archivefile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// FS is the part of a file system that a Writer needs, so that a test can let each step fail.
type FS interface {
	// Create makes folder with its parents, durably, and in it a new empty file whose name begins with a dot and ends
	// with temporaryExtension. It returns the file and its path.
	Create(folder string) (File, string, error)
	// Link gives the file at path the further name to. It fails with fs.ErrExist if there is one already.
	Link(path, to string) error
	// Remove takes the name away.
	Remove(path string) error
	// SyncDir makes the names in folder durable.
	SyncDir(folder string) error
}

// File is a file being written.
type File interface {
	io.Writer
	io.ReaderAt
	Sync() error
	Close() error
}

// OS is the file system of the machine.
type OS struct{}

// folderMode and fileMode are what other programs that read an archive need: read for all, write for the owner.
const (
	folderMode = 0o755
	fileMode   = 0o644
)

// Create implements FS.
func (OS) Create(folder string) (File, string, error) {
	if err := makeFolder(folder); err != nil {
		return nil, "", err
	}
	f, err := os.CreateTemp(folder, ".*"+temporaryExtension)
	if err != nil {
		return nil, "", err
	}
	if err := f.Chmod(fileMode); err != nil {
		return nil, "", errors.Join(err, f.Close())
	}
	return f, f.Name(), nil
}

// makeFolder makes the missing folders from the outermost on and fsyncs the parent of each: a file in a folder whose own
// name is lost in a crash is lost too.
func makeFolder(folder string) error {
	switch info, err := os.Stat(folder); {
	case err == nil && info.IsDir():
		return nil
	case err != nil && !os.IsNotExist(err):
		return err
	}
	parent := filepath.Dir(folder)
	if parent != folder {
		if err := makeFolder(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(folder, folderMode); err != nil && !os.IsExist(err) {
		return err
	}
	return OS{}.SyncDir(parent)
}

// Link implements FS.
func (OS) Link(path, to string) error { return os.Link(path, to) }

// Remove implements FS.
func (OS) Remove(path string) error { return os.Remove(path) }

// SyncDir implements FS.
func (OS) SyncDir(folder string) error {
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closing := d.Close(); err == nil {
		err = closing
	}
	return err
}
