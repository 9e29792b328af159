package runfile

import (
	"os"
	"syscall"
)

// syncWrite is SYNC_FILE_RANGE_WRITE: what is not on the disk, and not on its way, is sent there. It does not wait for that.
const syncWrite = 2

// sendToDisk sends what was written of f on its way to the disk, so that a flush finds most of its work done. It is no flush,
// and where it fails nothing is lost but time: the flush says what is wrong.
func sendToDisk(f *os.File) {
	_ = syscall.SyncFileRange(int(f.Fd()), 0, 0, syncWrite)
}
