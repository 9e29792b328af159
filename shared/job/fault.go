package job

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrJob is the class of errors about what a job's files say. Errors of reading the files are not of it.
var ErrJob = errors.New("invalid job")

// Fault is one thing wrong in a file of a job.
type Fault struct {
	File string // path as the user gave it, joined with the path inside of the job
	Line int    // from 1; 0 for the folder or file as a whole
	Col  int    // from 1, in characters
	Msg  string // what is wrong
	Cure string // what to write instead; may be empty
}

// String returns `file:line:col: message (cure)`.
func (f Fault) String() string {
	s := f.File
	if f.Line > 0 {
		s = fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Col)
	}
	s += ": " + f.Msg
	if f.Cure != "" {
		s += " (" + f.Cure + ")"
	}
	return s
}

// Faults is the error of a job with faults: all that were found, by file, line and column.
type Faults struct{ List []Fault } //nolint:errname // it is a list of Fault, and called so

// Error returns the faults, one a line.
func (fs *Faults) Error() string {
	lines := make([]string, len(fs.List))
	for i, f := range fs.List {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// Is tells that Faults are of class ErrJob.
func (fs *Faults) Is(target error) bool { return target == ErrJob }

// add collects a fault. One that has been found at the same place already is left out: a feature of five windows is
// five features to the compiler and one to its author.
func (fs *Faults) add(f Fault) {
	if !slices.Contains(fs.List, f) {
		fs.List = append(fs.List, f)
	}
}

// err returns the faults in order, nil if there are none.
func (fs *Faults) err() error {
	if len(fs.List) == 0 {
		return nil
	}
	slices.SortStableFunc(fs.List, func(a, b Fault) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col), strings.Compare(a.Msg, b.Msg))
	})
	return fs
}
