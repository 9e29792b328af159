package kafkalog

import (
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
)

// The classes of errors. Each error of this package wraps exactly one of them, or the error of a context that ended.
var (
	// ErrUnreachable: no broker answered, a connection broke, or a partition has no leader for now. Trying again may help.
	ErrUnreachable = errors.New("kafka cannot be reached")
	// ErrRefused: the broker answered with an error that trying again will not change.
	ErrRefused = errors.New("kafka refused the request")
	// ErrUnsupported: the broker, or a record batch, is of a version that this package does not speak.
	ErrUnsupported = errors.New("not supported")
	// ErrNoTopic: the topic does not exist.
	ErrNoTopic = errors.New("no such topic")
	// ErrRecreated: the topic was deleted and created again; the offsets known of it mean nothing any more.
	ErrRecreated = errors.New("topic was deleted and created again")
	// ErrOutOfRange: the log does not hold the offset asked for. The error is a *RangeError.
	ErrOutOfRange = errors.New("offset out of range")
	// ErrCorrupt: the bytes of the log are damaged. The error is a *CorruptError.
	ErrCorrupt = errors.New("log is corrupt")
	// ErrTooLarge: a message, a batch or a response is over a limit of Config or ProducerConfig.
	ErrTooLarge = errors.New("over the limit")
	// ErrGenerationEnded: the group's generation is over, the partitions may belong to somebody else.
	ErrGenerationEnded = errors.New("generation of the consumer group has ended")
	// ErrClosed: the Client, Fetcher, Producer or Group was closed.
	ErrClosed = errors.New("closed")
)

// Transient tells whether waiting and trying again may cure err. It is the one place where retry or stop is decided.
func Transient(err error) bool { return errors.Is(err, ErrUnreachable) }

// RangeError says that the log of a partition does not hold the offset asked for: it was trimmed past it (Asked below
// LogStart), or it was truncated or lost data (Asked above End). It matches ErrOutOfRange.
type RangeError struct {
	Topic     string
	Partition int32
	Asked     int64 // the offset that was to be fetched
	LogStart  int64 // first offset that the log holds
	End       int64 // offset that the next record will get: the high watermark
}

// Error names the partition, what was asked and what there is.
func (e *RangeError) Error() string {
	cause := "was trimmed"
	if e.Asked > e.End {
		cause = "was truncated or replaced"
	}
	return fmt.Sprintf("fetching %s/%d at offset %d: the log %s, it holds [%d,%d)",
		e.Topic, e.Partition, e.Asked, cause, e.LogStart, e.End)
}

// Is makes the error one of class ErrOutOfRange.
func (e *RangeError) Is(target error) bool { return target == ErrOutOfRange }

// CorruptError says where in the log which damage was found. It matches ErrCorrupt.
type CorruptError struct {
	Topic     string
	Partition int32
	Offset    int64 // base offset of the damaged batch, or the offset asked for if that cannot be read
	What      string
}

// Error names the place and the damage.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("reading batch at %s/%d@%d: %s", e.Topic, e.Partition, e.Offset, e.What)
}

// Is makes the error one of class ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// codeError returns the error for a broker's error code, of the class that the code belongs to; nil for code 0.
func codeError(code int16) error {
	if code == 0 {
		return nil
	}
	e := kafka.Error(code)
	switch {
	case e == kafka.UnknownTopicOrPartition:
		return fmt.Errorf("%w: %w", ErrNoTopic, e)
	case movedCode(code), e.Temporary(), e.Timeout():
		return fmt.Errorf("%w: %w", ErrUnreachable, e)
	default:
		return fmt.Errorf("%w: %w", ErrRefused, e)
	}
}

// Codes that kafka-go has no name for or judges otherwise than we do.
const (
	codeOffsetOutOfRange = 1
	codeCorruptMessage   = 2
	codeUnknownTopic     = 3
	codeTopicExists      = 36
	codeFencedEpoch      = 74
	codeUnknownEpoch     = 75
	codeStorageError     = 56
	codeOffsetNotThere   = 78
	codeUnknownTopicID   = 100
	codeWrongTopicID     = 103
)

// movedCode tells whether the code says that our picture of the leaders is old, or that a leader is just changing.
func movedCode(code int16) bool {
	switch code {
	case int16(kafka.LeaderNotAvailable), int16(kafka.NotLeaderForPartition), int16(kafka.ReplicaNotAvailable),
		int16(kafka.BrokerNotAvailable), int16(kafka.NotController),
		codeFencedEpoch, codeUnknownEpoch, codeStorageError, codeOffsetNotThere:
		return true
	default:
		return false
	}
}
