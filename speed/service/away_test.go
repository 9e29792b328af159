package service_test

import (
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/speed/service"
)

// TestStoreAwayTakesNoMemory: once a store answers nothing, not even its marks, nothing more is folded for it, however much
// memory is allowed; when it is back nothing is missing.
func TestStoreAwayTakesNoMemory(t *testing.T) {
	inWorld(t, 37, func(t *testing.T, w *world) {
		s := w.run(nil)
		s.group.assign(everyPartition)
		w.traffic(3*time.Second, time.Millisecond)
		w.door.set(func(d *door) { d.hangs = true })
		w.traffic(4*settle, 10*time.Millisecond) // calls, and then a read of marks, run out of time
		before := s.partition("events/0")
		w.traffic(time.Minute, 10*time.Millisecond)
		if p := s.partition("events/0"); p.Bytes != before.Bytes || p.Position != before.Position || !p.Full || p.End <= before.End {
			t.Errorf("it goes on folding: %+v, a minute ago %+v", p, before)
		}
		w.door.set(func(d *door) { d.hangs = false })
		time.Sleep(settle)
		w.check(true)
		s.end(t)
	})
}

// TestLongLinger: changed tiles linger as long as they are told to, also beyond the time in which marks are moved otherwise.
func TestLongLinger(t *testing.T) {
	inWorld(t, 38, func(t *testing.T, w *world) {
		const linger = 20 * time.Second
		s := w.run(func(c *service.Config) { c.Linger = linger })
		s.group.assign(everyPartition)
		time.Sleep(settle)
		w.produceTo(w.topics[0], 0, 10)
		time.Sleep(linger - time.Second)
		if p := s.partition("events/0"); p.Mark >= p.Position || p.Position != p.End {
			t.Errorf("before it is over: %+v", p)
		}
		time.Sleep(2 * time.Second)
		if p := s.partition("events/0"); p.Mark != p.Position {
			t.Errorf("after it: %+v", p)
		}
		w.check(false)
		s.end(t)
	})
}

// TestFullMemoryDoesNotLinger: once memory is full, changed tiles are written however long they may linger, and marks are moved,
// so that folding goes on.
func TestFullMemoryDoesNotLinger(t *testing.T) {
	inWorld(t, 39, func(t *testing.T, w *world) {
		s := w.run(func(c *service.Config) { c.Linger, c.MaxOpenBytes = time.Hour, 1 })
		s.group.assign(everyPartition)
		time.Sleep(settle)
		w.produce(1000)
		time.Sleep(settle)
		if p := s.partition("events/0"); p.Position != p.End || p.Full || p.Mark != p.Position {
			t.Errorf("it waits: %+v", p)
		}
		s.end(t)
		w.check(true)
	})
}
