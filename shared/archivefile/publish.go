package archivefile

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"

	"github.com/tidemark-io/tidemark/shared/crash"
)

func checksumBytes(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// publish gives the finished temporary file its name.
func (w *Writer) publish(path string) error {
	crash.Point(crash.ArchiveBeforeLink)
	err := w.fs.Link(w.out.path, path)
	crash.Point(crash.ArchiveAfterLink)
	if errors.Is(err, fs.ErrExist) {
		err = w.compare(path)
	}
	if err != nil {
		return w.failed("naming", err)
	}
	// Also when another writer's file stands there: it may have died between its link and its sync.
	if err := w.fs.SyncDir(w.folder); err != nil {
		return w.failed("syncing folder", err)
	}
	return nil
}

// compare looks whether the file that has our name can stand for ours. Other rules of decoding are fine if the rows are
// of the same offsets: their number decides that, since both come from one log.
func (w *Writer) compare(path string) error {
	other, err := Open(path)
	if err != nil {
		return err
	}
	if err := other.Close(); err != nil {
		return err
	}
	switch theirs := other.Footer(); {
	case theirs.Equal(&w.footer):
		return nil
	case !theirs.SameDecoding(&w.footer) && theirs.Rows == w.footer.Rows:
		return nil
	default:
		return fmt.Errorf("%w: %s has %d rows with content %.12s, ours are %d with %.12s; if the topic was deleted and created "+
			"again, it needs a new source; else move the file away and see which of the two the log confirms", ErrConflict, path,
			theirs.Rows, theirs.Content, w.footer.Rows, w.footer.Content)
	}
}
