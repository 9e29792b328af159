package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/position"
)

// MemoryLimit returns Config.MemoryBytes as it is used: the bound of Stats.Buffered, which a single batch may exceed.
func (a *Archiver) MemoryLimit() int64 { return a.cfg.MemoryBytes }

// Source returns the name of what is archived.
func (a *Archiver) Source() string { return a.cfg.Source.Name }

// Archiver archives one source. Its Stats may be read at any time.
type Archiver struct {
	Stats Stats

	cfg        Config
	decoder    *decode.Decoder
	rows       *column.Batch
	partitions []*partition
	asked      time.Time // when the topic's partitions were asked for last
	looked     time.Time // when files were looked for that answer for lost records
	trouble    bool      // the log cannot be reached, and that was said
}

// New returns an Archiver that does nothing until Run, or all faults of the configuration.
func New(cfg Config) (*Archiver, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	a := &Archiver{cfg: cfg}
	if a.decoder, err = decode.Compile(&a.cfg.Source); err != nil {
		return nil, fmt.Errorf("archiver: %w", err)
	}
	a.rows = column.NewBatch(&a.cfg.Source, 0, true)
	return a, nil
}

// Run archives until ctx ends; then it closes tails (if TailAge is set) and returns nil. A partition whose log is trimmed
// past what is archived (ErrLost), truncated or damaged is stopped, logged and shown by Stats, and the others go on. One
// that lost records (ErrLost) goes on when a file answers for them (AcceptLoss); when all are stopped for other reasons, Run
// returns these. Another topic than the archive was filled from (schema.ErrTopic), and an error of the archive itself (full disk, conflicting or damaged files), end
// Run at once. A log that cannot be reached is waited for. Run may be called once.
func (a *Archiver) Run(ctx context.Context) error {
	err := a.run(ctx)
	if ctx.Err() != nil && (err == nil || errors.Is(err, ctx.Err())) {
		err = nil
	}
	for _, p := range a.partitions {
		if err == nil && a.cfg.TailAge > 0 {
			err = p.closeTail()
		}
		if dropping := p.drop(nil); dropping != nil {
			err = errors.Join(err, dropping)
		}
		p.report()
	}
	return err
}

func (a *Archiver) run(ctx context.Context) error {
	if err := archivefile.KeepTopic(a.cfg.FS, a.cfg.Dir, a.cfg.Source.Name, a.cfg.Topic); err != nil {
		return fmt.Errorf("archiving %s: %w", a.cfg.Source.Name, err)
	}
	var wants []kafkalog.Want
	for ctx.Err() == nil {
		if err := a.refresh(ctx); err != nil {
			return err
		}
		if err := a.revive(); err != nil {
			return err
		}
		wants = wants[:0]
		for _, p := range a.partitions {
			if !p.stopped() {
				wants = append(wants, kafkalog.Want{Partition: p.id.ID, Offset: p.position})
			}
		}
		if len(wants) == 0 && len(a.partitions) > 0 {
			if !slices.ContainsFunc(a.partitions, (*partition).waits) {
				return a.stopped()
			}
			pause(ctx, lostEvery)
			continue
		}
		fetched, err := a.cfg.Log.Fetch(ctx, wants, a.cfg.FetchWait)
		if err := a.reachable(ctx, err); err != nil {
			return err
		}
		for i := range fetched {
			if err := a.deliver(ctx, &fetched[i]); err != nil {
				return err
			}
		}
		if err := a.tails(); err != nil {
			return err
		}
	}
	return nil
}

// refresh takes on the topic's partitions that are new. Not reaching the log is no error here: there are those known.
func (a *Archiver) refresh(ctx context.Context) error {
	now := a.cfg.Now()
	if len(a.partitions) > 0 && now.Sub(a.asked) < a.cfg.PartitionsEvery {
		return nil
	}
	ids, err := a.cfg.Partitions(ctx)
	if err != nil {
		return a.reachable(ctx, fmt.Errorf("asking for partitions of topic %s: %w", a.cfg.Source.Topic, err))
	}
	a.asked = now
	for _, id := range ids {
		if slices.ContainsFunc(a.partitions, func(p *partition) bool { return p.id.ID == id }) {
			continue
		}
		p := &partition{
			cfg: &a.cfg, id: position.Partition{Source: a.cfg.Source.Name, ID: id}, stats: &a.Stats, decoder: a.decoder, rows: a.rows,
		}
		if err := p.open(); err != nil {
			return err
		}
		if _, err := archivefile.RemoveAbandoned(a.cfg.Dir, p.id, now.Add(-abandonedAge)); err != nil {
			return err
		}
		p.report()
		a.partitions = append(a.partitions, p)
		a.cfg.Logger.Info("archiving partition", "partition", p.id.String(), "archived", p.archived, "from", p.position)
	}
	return nil
}

// lostEvery is how often files are looked for that answer for lost records.
const lostEvery = time.Second

// revive lets partitions go on whose lost records a file answers for.
func (a *Archiver) revive() error {
	now := a.cfg.Now()
	if now.Sub(a.looked) < lostEvery {
		return nil
	}
	a.looked = now
	for _, p := range a.partitions {
		if !p.waits() {
			continue
		}
		if err := p.reopen(); err != nil {
			return err
		}
		if p.report(); !p.stopped() {
			a.cfg.Logger.Info("partition goes on: its lost records were accepted, or brought", "partition", p.id.String(), "from", p.position)
		}
	}
	return nil
}

// reachable says once that the log cannot be reached, waits, and lets any other error through.
func (a *Archiver) reachable(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && !kafkalog.Transient(err):
		return fmt.Errorf("archiving %s: %w", a.cfg.Source.Name, err)
	case err != nil:
		a.wait(ctx, err)
	case a.trouble:
		a.trouble = false
		a.cfg.Logger.Info("log can be reached again", "topic", a.cfg.Source.Topic)
	}
	return nil
}

// wait pauses because of cause, which it tells of once.
func (a *Archiver) wait(ctx context.Context, cause error) {
	if !a.trouble {
		a.cfg.Logger.Warn("log cannot be reached; waiting, nothing is lost", "topic", a.cfg.Source.Topic, "error", cause)
	}
	a.trouble = true
	pause(ctx, a.cfg.Backoff)
}

// deliver hands a partition what was fetched of it. Errors of the log stop the partition, others are returned.
func (a *Archiver) deliver(ctx context.Context, got *kafkalog.Fetched) error {
	i := slices.IndexFunc(a.partitions, func(p *partition) bool { return p.id.ID == got.Partition })
	if i < 0 || a.partitions[i].stopped() {
		return nil
	}
	p := a.partitions[i]
	if got.Err != nil && kafkalog.Transient(got.Err) {
		return a.reachable(ctx, got.Err)
	}
	err := p.deliver(ctx, got)
	if err != nil && got.Err != nil {
		p.err = err
		a.cfg.Logger.Error("partition stopped; nothing is skipped", "partition", p.id.String(), "offset", p.position, "error", err)
		// What is in memory may be the only copy by now.
		err = p.closeTail()
	}
	p.report()
	return err
}

// tails closes the open blocks that have waited for TailAge, and the largest ones as long as memory is over its bound.
func (a *Archiver) tails() error {
	total := int64(0)
	for _, p := range a.partitions {
		if a.cfg.TailAge > 0 && !p.since.IsZero() && a.cfg.Now().Sub(p.since) >= a.cfg.TailAge {
			if err := p.closeTail(); err != nil {
				return err
			}
			p.report()
		}
		total += p.buffered()
	}
	for total > a.cfg.MemoryBytes {
		largest := slices.MaxFunc(a.partitions, func(p, q *partition) int { return int(p.buffered() - q.buffered()) })
		before := largest.buffered()
		if err := largest.closeTail(); err != nil {
			return err
		}
		largest.report()
		freed := before - largest.buffered()
		if total -= freed; freed == 0 {
			break // a block that is being decoded anew may not be closed before it contains its old tail
		}
	}
	a.Stats.Buffered.Store(total)
	return nil
}

// stopped returns why all partitions are stopped.
func (a *Archiver) stopped() error {
	var all []error
	for _, p := range a.partitions {
		all = append(all, p.err)
	}
	return errors.Join(all...)
}

// pause waits for d or for the context's end.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
