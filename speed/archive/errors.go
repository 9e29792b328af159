package archive

import (
	"errors"
	"fmt"

	"github.com/tidemark-io/tidemark/shared/position"
)

// ErrLost is the class of errors that say which records are neither in the log nor in the archive. The error is a
// *LostError.
var ErrLost = errors.New("records are lost")

// ErrNotLost is the class of errors about records that cannot be accepted as lost: somebody has them, or others would be
// missing beside them.
var ErrNotLost = errors.New("cannot be accepted as lost")

// LostError says that the log was trimmed before its records were archived.
type LostError struct {
	Partition position.Partition
	// Lost are the offsets that nobody has.
	Lost position.Range
}

// Error says what is lost and what can be done.
func (e *LostError) Error() string {
	return fmt.Sprintf("archiving %s: offsets %s are neither in the log, which was trimmed, nor in the archive; the partition waits: "+
		"bring an archive file that holds them, or accept the loss: tidemark archive JOB --accept-loss %s:%d-%d",
		e.Partition, e.Lost, e.Partition, e.Lost.From, e.Lost.Next)
}

// Is makes the error one of class ErrLost.
func (e *LostError) Is(target error) bool { return target == ErrLost }
