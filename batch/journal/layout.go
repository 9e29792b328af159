package journal

import (
	"fmt"
	"path/filepath"
)

// Layout says where things lie under the state folder of one view.
type Layout struct {
	State string // the folder given by --state
	Job   string
	View  string
}

func (l Layout) root() string { return filepath.Join(l.State, l.Job, l.View) }

// ViewJournal returns the folder of the view's journal.
func (l Layout) ViewJournal() string { return filepath.Join(l.root(), "journal") }

// GenerationJournal returns the folder of a generation's journal.
func (l Layout) GenerationJournal(identity string) string {
	return filepath.Join(l.root(), identity, "journal")
}

// Runs returns the folder of all run files of a generation.
func (l Layout) Runs(identity string) string { return filepath.Join(l.root(), identity, "runs") }

// RunFolder returns the folder of the files of one run.
func (l Layout) RunFolder(identity string, run int64) string {
	return filepath.Join(l.Runs(identity), fmt.Sprintf("%08d", run))
}

// RunFile returns the path of the file of one lane of one run.
func (l Layout) RunFile(identity string, run int64, lane int) string {
	return filepath.Join(l.RunFolder(identity, run), RunFileName(lane))
}

// RunFileName returns the name, within the folder of its run, of a lane's file: the lane in two hex digits, as in the
// store's keys.
func RunFileName(lane int) string { return fmt.Sprintf("%02x.run", lane) }
