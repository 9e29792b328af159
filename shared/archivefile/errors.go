package archivefile

import (
	"errors"
	"fmt"
)

// The classes of errors. Errors of the file system itself (no space, no permission, failing disk) keep their own class.
var (
	// ErrDamaged: a file is not what was written: truncated, empty, changed, of another place, or no archive file at all.
	// The error is a *DamageError.
	ErrDamaged = errors.New("archive file is damaged")
	// ErrVersion: a file of a format that this program does not know. A newer tidemark wrote it.
	ErrVersion = errors.New("archive file has an unknown format")
	// ErrCoverage: the files of a partition overlap or leave a gap.
	ErrCoverage = errors.New("archive does not cover its log in one piece")
	// ErrConflict: another file of the same name has other content.
	ErrConflict = errors.New("archive file exists with other content")
	// ErrRows: rows that a file cannot take: of another source or partition, out of order, out of the file's range.
	ErrRows = errors.New("rows do not fit the archive file")
	// ErrSource: a file cannot be read as the source that was asked for: it has another name, or a field has another type.
	ErrSource = errors.New("archive file is of another source")
)

// DamageError names a damaged file, what is wrong with it, and what cures it.
type DamageError struct {
	Path string
	What string
	Err  error // the cause, if another package found it
}

// damaged returns a *DamageError about the file at path.
func damaged(path, format string, args ...any) error {
	return &DamageError{Path: path, What: fmt.Sprintf(format, args...)}
}

// Error names file, damage and cure.
func (e *DamageError) Error() string {
	cause := ""
	if e.Err != nil {
		cause = ": " + e.Err.Error()
	}
	return fmt.Sprintf("reading archive file %s: %s%s; restore it from a copy, or move it "+
		"and the later ones of its partition away: the archiver writes them again if the log still has their offsets", e.Path, e.What, cause)
}

// Is makes the error one of class ErrDamaged.
func (e *DamageError) Is(target error) bool { return target == ErrDamaged }

// Unwrap returns the cause.
func (e *DamageError) Unwrap() error { return e.Err }
