package pebblestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tidemark-io/tidemark/shared/lane"
)

// addressFile lies among Pebble's files, which ignores names that are not its own.
const addressFile = "tidemark.http"

// maxAddressBytes bounds what ReadAddress takes for a URL.
const maxAddressBytes = 4096

// WriteAddress says, to other processes, where the owner of the store in dir serves it: the base URL of its HTTP
// server. Only the process that has the store open may call it; the address goes when the store is closed.
func WriteAddress(dir, url string) error {
	if url == "" || len(url) > maxAddressBytes {
		return fmt.Errorf("%w: writing the store's address: %d bytes, want 1 to %d", lane.ErrStore, len(url), maxAddressBytes)
	}
	f, err := os.CreateTemp(dir, addressFile+".*")
	if err != nil {
		return fmt.Errorf("%w: writing the store's address: %w", lane.ErrStore, err)
	}
	_, err = f.WriteString(url + "\n")
	// Renaming makes a reader see the whole address or none.
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, addressFile))
	}
	if err != nil {
		return fmt.Errorf("%w: writing the store's address: %w", lane.ErrStore, errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}

// ReadAddress returns the URL at which the owner of the store in dir serves it. It errs with lane.ErrUnavailable where
// there is none: nobody has the store open, or its owner does not serve it yet. An owner that was killed leaves its
// address behind; the next owner removes it.
func ReadAddress(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, addressFile))
	if err != nil {
		return "", fmt.Errorf("%w: reading the address of the store's owner: %w", lane.ErrUnavailable, err)
	}
	url := strings.TrimSpace(string(b))
	if url == "" || len(url) > maxAddressBytes {
		return "", fmt.Errorf("%w: the address of the store's owner in %s does not read", lane.ErrUnavailable, dir)
	}
	return url, nil
}

func removeAddress(dir string) error {
	if err := os.Remove(filepath.Join(dir, addressFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: removing the address of an earlier owner: %w", lane.ErrStore, err)
	}
	return nil
}
