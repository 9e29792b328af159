package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/view"
)

// Log fetches records of one topic. Records are valid until the next Fetch. Used by one goroutine, which closes it at the
// end; Close abandons what is in flight.
type Log interface {
	Fetch(ctx context.Context, wants []kafkalog.Want, maxWait time.Duration) ([]kafkalog.Fetched, error)
	Close()
}

// Store is what the speed layer needs of the store: see package lane for the contract. Both return soon after the
// context's deadline, also if it is cancelled before, and use nothing of the calls once they have returned.
type Store interface {
	Apply(ctx context.Context, calls []lane.Call) []lane.Outcome
	Marks(ctx context.Context, lanes []lane.ID) ([]lane.Marks, error)
}

// Archive gives the part of a partition that the log no longer has. Scan yields all records of [from, to) that it holds
// without a gap from from on, in order, each batch with the offset after it, and returns the first offset that it does
// not hold (from, if it holds nothing there). A batch is the receiver's once it is yielded; what yield returns ends the
// scan.
type Archive interface {
	Scan(ctx context.Context, src *schema.Source, partition int32, from, to int64, yield func(b *column.Batch, next int64) error) (int64, error)
}

// Assignment is the partitions, by topic, that this process owns until Lost is done. It may be wrong for a while.
type Assignment struct {
	Partitions map[string][]int32
	Lost       context.Context //nolint:containedctx // it is the assignment's end, handed on as a value
	// Drained tells the group that the partitions were let go. It is called exactly once.
	Drained func()
}

// Ownership is the consumer group. Next blocks until partitions are assigned; the one before must have been drained.
type Ownership interface {
	Next(ctx context.Context) (*Assignment, error)
}

// Generation is one generation of a view to feed.
type Generation struct {
	Namespace string
	Number    int64 // among the generations of its view, for people
	Plan      *view.Plan
	Lanes     int
	Block     map[string]int64 // by source
	Origin    position.Cut     // the first offsets that the generation knows
	// Served says that readers are answered by this generation: its freshness is measured, that of others is nobody's.
	Served bool
}

// Config says what the service does. Fields without a default are required.
type Config struct {
	Sources   []schema.Source
	NewLog    func(topic string) Log
	Store     Store
	Archive   Archive
	Ownership Ownership
	// Generations returns all generations to feed, at every call; it is called each ManifestEvery. Until there is one
	// the service waits and says so.
	Generations func(ctx context.Context) ([]Generation, error)
	Logger      *slog.Logger

	// Linger is how long changed tiles may wait for more while memory has room, 0 = pure stream. Default of the command line
	// 50 ms.
	Linger time.Duration
	// MaxTiles is the number of changed tiles of one lane that makes a flush due. 0 = 1,024.
	MaxTiles int
	// MaxOpenBytes bounds the tiles in memory of one partition and generation, in bytes; past it no more is folded until
	// flushes have freed blocks. The block being folded is always allowed. 0 = 256 MiB.
	MaxOpenBytes int64
	// MaxBehind is how many offsets a generation may be behind the furthest of its partition and still share its feed;
	// one that is further behind reads the log by itself, and holds up no other. 0 = 16,384.
	MaxBehind int64
	// MarksEvery is how often lanes without new tiles move their marks, and how often marks are read where there is
	// nothing to move. 0 = 1 s.
	MarksEvery time.Duration
	// ManifestEvery is how often generations are asked for. 0 = 1 s.
	ManifestEvery time.Duration
	// FetchWait bounds one fetch, so that partitions left out are asked for again soon. 0 = 50 ms.
	FetchWait time.Duration
	// StoreTimeout bounds one call of the store. 0 = 10 s.
	StoreTimeout time.Duration
	// Drain bounds the last flushes when partitions go to another owner. 0 = 5 s; it must stay below the group's session
	// timeout less its heartbeat interval.
	Drain time.Duration
	// Grace bounds them when the service is told to end: it is a member of its group until then, and nobody waits. 0 = Drain.
	Grace time.Duration
}

// withDefaults returns the config with zero fields set, or all that is missing.
func (c Config) withDefaults() (Config, error) {
	var errs []error
	for name, missing := range map[string]bool{
		"Sources": len(c.Sources) == 0, "NewLog": c.NewLog == nil, "Store": c.Store == nil, "Archive": c.Archive == nil,
		"Ownership": c.Ownership == nil, "Generations": c.Generations == nil, "Logger": c.Logger == nil,
	} {
		if missing {
			errs = append(errs, fmt.Errorf("speed service: %s is required", name))
		}
	}
	if c.Linger < 0 {
		errs = append(errs, fmt.Errorf("speed service: linger %v is negative", c.Linger))
	}
	setDefault(&c.MaxTiles, 1024)
	setDefault(&c.MaxOpenBytes, 256<<20)
	setDefault(&c.MaxBehind, rowsPerDelivery)
	setDefault(&c.MarksEvery, time.Second)
	setDefault(&c.ManifestEvery, time.Second)
	setDefault(&c.FetchWait, 50*time.Millisecond)
	setDefault(&c.StoreTimeout, 10*time.Second)
	setDefault(&c.Drain, 5*time.Second)
	setDefault(&c.Grace, c.Drain)
	return c, errors.Join(errs...)
}

func setDefault[T int | int64 | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}
