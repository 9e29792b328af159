package kafkalogtest

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tidemark-io/tidemark/shared/kafkalog"
)

// member joins the case's group under a stable name.
func (b *bench) member(instance string) *kafkalog.Group {
	b.Helper()
	g, err := b.client.JoinGroup(b.ctx, kafkalog.GroupConfig{
		ID:                b.topic,
		Topics:            []string{b.topic},
		Instance:          instance,
		SessionTimeout:    b.SessionTimeout,
		HeartbeatInterval: b.SessionTimeout / 20,
		RebalanceTimeout:  b.SessionTimeout,
		WatchInterval:     200 * time.Millisecond,
	})
	b.must(err)
	return g
}

// next returns the member's next generation, riding out transient failures.
func (b *bench) next(g *kafkalog.Group) *kafkalog.Generation {
	b.Helper()
	for {
		gen, err := g.Next(b.ctx)
		if err == nil {
			return gen
		}
		if !kafkalog.Transient(err) {
			b.Fatal(err)
		}
	}
}

// settle lets the members follow their generations, without doing anything in them, until their parts are as done wants
// them; it returns the parts. The members stay in their last generations.
func (b *bench) settle(done func(parts [][]int32) bool, members ...*kafkalog.Group) [][]int32 {
	b.Helper()
	type part struct {
		member int
		gen    *kafkalog.Generation
	}
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	news := make(chan part)
	for i, g := range members {
		go func() {
			for ctx.Err() == nil {
				gen, err := g.Next(ctx)
				if err != nil {
					continue
				}
				select {
				case news <- part{i, gen}:
				case <-ctx.Done():
				}
			}
		}()
	}
	parts := make([][]int32, len(members))
	for !done(parts) {
		select {
		case p := <-news:
			parts[p.member] = p.gen.Assigned[b.topic]
		case <-b.ctx.Done():
			b.Fatalf("the group did not settle: %v", parts)
		}
	}
	return parts
}

// shared tells whether n partitions are dealt out evenly, each once.
func shared(n int) func([][]int32) bool {
	return func(parts [][]int32) bool {
		var all []int32
		for _, p := range parts {
			if len(p) < n/len(parts) {
				return false
			}
			all = append(all, p...)
		}
		slices.Sort(all)
		return len(all) == n && len(slices.Compact(all)) == n
	}
}

// groupSharesAndHandsOver: a second member gets its part, after the first has drained; when it leaves, it comes back.
func groupSharesAndHandsOver(b *bench) {
	b.create(kafkalog.TopicSpec{Partitions: 4})
	first := b.member("first")
	defer first.Close()
	gen := b.next(first)
	if len(gen.Assigned[b.topic]) != 4 {
		b.Fatalf("alone, the first member has %v", gen.Assigned)
	}
	var drained atomic.Bool
	gen.Run(func(ctx context.Context) {
		<-ctx.Done()
		drained.Store(true)
	})
	second := b.member("second")
	parts := b.settle(shared(4), first, second)
	if !drained.Load() {
		b.Error("the second generation began before the first had drained")
	}
	b.must(second.Close())
	if _, err := second.Next(b.ctx); !errors.Is(err, kafkalog.ErrClosed) {
		b.Errorf("Next after Close: %v", err)
	}
	b.settle(shared(4), first)
	b.Logf("parts were %v", parts)
}

// restartedMember: a member that comes back under its name gets what it had.
func restartedMember(b *bench) {
	b.create(kafkalog.TopicSpec{Partitions: 8})
	stay, leave := b.member("stays"), b.member("leaves")
	defer stay.Close()
	before := b.settle(shared(8), stay, leave)
	b.must(leave.Close())
	b.settle(shared(8), stay)
	back := b.member("leaves")
	defer back.Close()
	after := b.settle(shared(8), stay, back)
	if !slices.Equal(before[0], after[0]) || !slices.Equal(before[1], after[1]) {
		b.Errorf("before the restart the parts were %v, after it %v", before, after)
	}
}

// zombie: a member that was thrown out, and does not know it, cannot put back what its successor committed.
func zombie(b *bench) {
	b.create(kafkalog.TopicSpec{Partitions: 1})
	first := b.member("zombie")
	old := b.next(first)
	release := make(chan struct{})
	old.Run(func(context.Context) { <-release }) // it does not see that its generation ends
	b.must(old.CommitHint(map[string]map[int32]int64{b.topic: {0: 1}}))

	second := b.member("heir")
	defer second.Close()
	gen := b.next(second)
	for len(gen.Assigned[b.topic]) == 0 { // until the coordinator has given the zombie up
		gen = b.next(second)
	}
	b.must(gen.CommitHint(map[string]map[int32]int64{b.topic: {0: 100}}))
	err := old.CommitHint(map[string]map[int32]int64{b.topic: {0: 2}})
	if !errors.Is(err, kafkalog.ErrGenerationEnded) || kafkalog.Transient(err) {
		b.Errorf("the zombie's commit: %v, want ErrGenerationEnded", err)
	}
	committed, err := b.foreign.Committed(b.ctx, b.topic, b.topic, 0)
	b.must(err)
	if committed != 100 {
		b.Errorf("the committed offset is %d, want the heir's 100", committed)
	}
	close(release)
	b.must(first.Close())
}

// groupSeesGrowth: new partitions are dealt out without anybody's help.
func groupSeesGrowth(b *bench) {
	b.create(kafkalog.TopicSpec{Partitions: 4})
	g := b.member("only")
	defer g.Close()
	b.settle(shared(4), g)
	b.must(b.foreign.Grow(b.ctx, b.topic, 8))
	b.settle(shared(8), g)
}
