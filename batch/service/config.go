package service

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/tidemark-io/tidemark/batch/journal"
	"github.com/tidemark-io/tidemark/batch/publish"
	"github.com/tidemark-io/tidemark/batch/recompute"
	"github.com/tidemark-io/tidemark/batch/schedule"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/view"
)

// Store is what the batch role needs of the store: lanes, leftovers, manifests (package lane says what each does).
type Store interface {
	publish.Store
	publish.SweepStore
	ManifestStore
}

// ManifestStore keeps the manifests of views.
type ManifestStore interface {
	Manifest(ctx context.Context, view string) (seq int64, body []byte, err error)
	PutManifest(ctx context.Context, view string, seq int64, body []byte) (bool, error)
}

// Config says what a batch role works on.
type Config struct {
	// Job is the job's name, and Plans are those of its views, compiled from the job's files; at least one.
	Job   string
	Plans []*view.Plan
	// State is the folder of journals and run files; made if it is not there.
	State   string
	Archive recompute.Archive
	Store   Store
	// Starts returns the first offsets that the log of a source has, of all its partitions. It is asked when views are
	// begun, for the partitions that are not archived yet; nil if there is no log to ask, and these then begin at 0.
	Starts func(ctx context.Context, src *schema.Source) (map[int32]int64, error)
	// Topics returns the very topic that a source is read from: what the archive says, or else the log; not Known if neither
	// says. A generation keeps those that it is begun with, and nobody goes on with it if they are others (schema.ErrTopic).
	// Nil = none is known.
	Topics func(source string) (schema.Topic, error)
	// Memory bounds what a run's folds hold, in bytes; default recompute.DefaultMemory.
	Memory int64
	// Workers is the number of goroutines of a run; default GOMAXPROCS.
	Workers int
	// Every says in how many runs each of the 256 hash ranges gets one fresh base, 1 to journal.MaxEvery; default (0)
	// DefaultEvery. A row has less deltas than that. It may be changed at any time: each run's own is in the journal.
	Every int64
	// Limits of publishing; the zero value is the defaults.
	Limits publish.Limits
	// Schedule of Run; default schedule.Default.
	Schedule schedule.Schedule
	// Wait is how long Once, Check and Versions wait for a store that is away; 0 = they fail at once. Run waits for ever.
	Wait time.Duration
	// Grace is how long rows of earlier fillings of lanes, and of dropped generations, are kept; default publish.Grace, which
	// readers count on. Tests that cannot wait so long set it.
	Grace time.Duration
	// Logger takes what happens; default slog.Default().
	Logger *slog.Logger
	// Events, if not nil, is told what happens as it happens. It may be called concurrently and must not block.
	Events func(Event)
	// Judge makes what computes sampled rows of a run a second time; default the oracle. Tests set it that are to see a run
	// fail its check.
	Judge func(plan *view.Plan) (recompute.Judge, error)
	// Random fills b with random bytes; by default crypto/rand's. Simulations set it.
	Random func(b []byte)

	// readOnly keeps open from writing what is due: a command that moves an alias begins no generation.
	readOnly bool
}

// DefaultEvery is in how many runs each hash range gets a fresh base: a run writes about 3 % of all rows anew, and a lane
// that is begun takes in at most as many runs.
const DefaultEvery = 32

// ErrConfig is the class of errors about a configuration that cannot be.
var ErrConfig = errors.New("invalid configuration of batch")

func (c Config) withDefaults() (Config, error) {
	var errs []error
	if c.Job == "" || len(c.Plans) == 0 || c.State == "" || c.Archive == nil || c.Store == nil {
		errs = append(errs, fmt.Errorf("%w: job %q with %d views, state folder %q; archive and store are needed too", ErrConfig, c.Job, len(c.Plans), c.State))
	}
	names := map[string]bool{}
	for _, p := range c.Plans {
		if name := p.Spec().Name; names[name] || p.Spec().Job != c.Job {
			errs = append(errs, fmt.Errorf("%w: view %q of job %q", ErrConfig, name, p.Spec().Job))
		}
		names[p.Spec().Name] = true
	}
	if c.Every == 0 {
		c.Every = DefaultEvery
	}
	if c.Every < 0 || !journal.ValidEvery(c.Every) {
		errs = append(errs, fmt.Errorf("%w: a base each %d runs, want 1 to %d", ErrConfig, c.Every, journal.MaxEvery))
	}
	if c.Schedule == (schedule.Schedule{}) {
		s, err := schedule.Parse(schedule.Default)
		errs, c.Schedule = append(errs, err), s
	}
	if c.Grace == 0 {
		c.Grace = publish.Grace
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Random == nil {
		c.Random = func(b []byte) { _, _ = rand.Read(b) } // never fails: it ends the process instead
	}
	c.Archive = judged{c.Archive}
	return c, errors.Join(errs...)
}

// EventKind says what happened.
type EventKind string

// The kinds of events.
const (
	EventCreated    EventKind = "generation created"
	EventInherited  EventKind = "state folder is new; what the store has goes on being served, a new generation is built beside it"
	EventDropped    EventKind = "generation dropped" // every lane of it says so
	EventSkipped    EventKind = "nothing new"
	EventRegistered EventKind = "run registered"
	EventProgress   EventKind = "run progress" // Step, Done, Total
	EventChecked    EventKind = "run checked"
	EventFailed     EventKind = "run failed check"
	EventBegun      EventKind = "lanes begun"   // Done
	EventPublished  EventKind = "run published" // every lane has taken it in
	EventSwept      EventKind = "rows swept"    // Done
	EventTidied     EventKind = "runs removed"  // Done: the runs whose files nothing needs any more
	EventStopped    EventKind = "runs stopped"  // Err; lanes are cared for as before
	EventResumed    EventKind = "runs resumed"  // the run that failed was repeated, or there is other reason to try
	EventTrouble    EventKind = "trouble"       // Err; it is tried again
	EventRecovered  EventKind = "trouble over"
)

// Event is something that happened. Fields that say nothing of it are zero.
type Event struct {
	Kind        EventKind
	View        string
	Generation  int64
	Run         int64
	Step        string
	Done, Total int64
	Err         error
}

func (s *Service) tell(e Event) {
	level := slog.LevelInfo
	switch e.Kind {
	case EventProgress, EventSkipped:
		level = slog.LevelDebug
	case EventTrouble:
		level = slog.LevelWarn
	case EventFailed, EventStopped:
		level = slog.LevelError
	default:
	}
	attrs := []slog.Attr{slog.String("role", "batch"), slog.String("job", s.cfg.Job)}
	for name, n := range map[string]int64{"generation": e.Generation, "run": e.Run, "done": e.Done, "total": e.Total} {
		if n != 0 {
			attrs = append(attrs, slog.Int64(name, n))
		}
	}
	for name, text := range map[string]string{"view": e.View, "step": e.Step} {
		if text != "" {
			attrs = append(attrs, slog.String(name, text))
		}
	}
	if e.Err != nil {
		attrs = append(attrs, slog.Any("error", e.Err))
	}
	if p, ok := errors.AsType[*recompute.PanicError](e.Err); ok {
		attrs = append(attrs, slog.String("stack", p.Stack))
	}
	s.cfg.Logger.LogAttrs(context.Background(), level, string(e.Kind), attrs...)
	if s.cfg.Events != nil {
		s.cfg.Events(e)
	}
}
