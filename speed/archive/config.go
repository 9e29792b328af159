package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// Log fetches records of one topic, as kafkalog.Fetcher does. Records are valid until the next Fetch. Used by one
// goroutine.
type Log interface {
	Fetch(ctx context.Context, wants []kafkalog.Want, maxWait time.Duration) ([]kafkalog.Fetched, error)
}

// The defaults and limits of Config.
const (
	DefaultTailAge         = 10 * time.Minute
	DefaultMemoryBytes     = 512 << 20
	MinMemoryBytes         = 4 * archivefile.GroupBytes
	DefaultFetchWait       = 500 * time.Millisecond
	DefaultPartitionsEvery = time.Minute
	DefaultBackoff         = 200 * time.Millisecond
	// abandonedAge is how long the temporary file of a writer must have been untouched to count as abandoned: no block
	// is written for an hour.
	abandonedAge = time.Hour
)

// Config says what an archiver does. Fields without a default are required.
type Config struct {
	// Dir is the archive's folder, common to all sources.
	Dir string
	// Source is what is archived.
	Source schema.Source
	// Topic is the very topic that Log fetches. The archive keeps it, and nobody fills it from another one. Not Known = it is
	// not kept.
	Topic schema.Topic
	// Log fetches the source's topic.
	Log Log
	// Partitions returns the numbers of the topic's partitions; it is asked every PartitionsEvery, since a topic may grow.
	Partitions func(ctx context.Context) ([]int32, error)
	Logger     *slog.Logger

	// TailAge is how long a record may wait for its block to fill until it is written all the same. 0 = never; then
	// nothing is written on shutdown either. The command line's default is DefaultTailAge.
	TailAge time.Duration
	// MemoryBytes bounds the rows held in memory, all partitions together; past it the largest open block is closed as a
	// tail. It is passed by at most what one fetch decodes to. 0 = 512 MiB, at least 256 MiB.
	MemoryBytes int64
	// FetchWait bounds one fetch without news. 0 = 500 ms.
	FetchWait time.Duration
	// PartitionsEvery is how often the topic's partitions are asked for. 0 = 1 min.
	PartitionsEvery time.Duration
	// Backoff is the pause after the log could not be reached. 0 = 200 ms.
	Backoff time.Duration
	// Written is called after each file; nil = not. It must not block.
	Written func(File)
	// FS is the file system that is written to. nil = the machine's.
	FS archivefile.FS
	// Now tells the time, for TailAge only. nil = time.Now.
	Now func() time.Time
}

// File is a file that was written.
type File struct {
	Partition position.Partition
	Range     position.Range
	Path      string
	Rows      int64
	// Tail tells that the file ends inside of a block, or holds less than the block because it was closed early.
	Tail bool
}

// withDefaults returns the config with zero fields set, or all its faults.
func (c Config) withDefaults() (Config, error) {
	var faults []error
	for name, missing := range map[string]bool{
		"Dir": c.Dir == "", "Log": c.Log == nil, "Partitions": c.Partitions == nil, "Logger": c.Logger == nil,
	} {
		if missing {
			faults = append(faults, fmt.Errorf("archiver: %s is required", name))
		}
	}
	if err := c.Source.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("archiver: %w", err))
	}
	for name, negative := range map[string]bool{
		"TailAge": c.TailAge < 0, "FetchWait": c.FetchWait < 0, "PartitionsEvery": c.PartitionsEvery < 0, "Backoff": c.Backoff < 0,
	} {
		if negative {
			faults = append(faults, fmt.Errorf("archiver: %s is negative", name))
		}
	}
	if c.MemoryBytes != 0 && c.MemoryBytes < MinMemoryBytes {
		faults = append(faults, fmt.Errorf("archiver: MemoryBytes is %d, want 0 (default) or at least %d", c.MemoryBytes, int64(MinMemoryBytes)))
	}
	setDefault(&c.MemoryBytes, DefaultMemoryBytes)
	setDefault(&c.FetchWait, DefaultFetchWait)
	setDefault(&c.PartitionsEvery, DefaultPartitionsEvery)
	setDefault(&c.Backoff, DefaultBackoff)
	if c.Written == nil {
		c.Written = func(File) {}
	}
	if c.FS == nil {
		c.FS = archivefile.OS{}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, errors.Join(faults...)
}

func setDefault[T int64 | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}
