package service

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/tidemark-io/tidemark/batch/publish"
	"github.com/tidemark-io/tidemark/shared/crash"
	"github.com/tidemark-io/tidemark/shared/manifest"
)

// droppedEvery is how often the lanes of generations that are dropped already are looked at again: a store that lost their
// marks, or a process that did not know of the drop, may have brought them back.
const droppedEvery = time.Minute

// dropping is what is known of the generations that were dropped. Of the care of lanes alone.
type dropping struct {
	at   map[string]time.Time // by namespace: when every lane was last seen to say so
	seen []publish.Status     // of the last look at each that was due
}

// drop makes the lanes of dropped generations say so. Rows go later, by the sweeper. One that cannot be dropped keeps no
// other from it.
func (s *Service) drop(ctx context.Context) error {
	s.gone.seen = nil
	if s.gone.at == nil {
		s.gone.at = map[string]time.Time{}
	}
	var errs []error
	for _, d := range s.droppedGenerations() {
		if last, done := s.gone.at[d.namespace]; done && time.Since(last) < droppedEvery {
			continue
		}
		st, changed, err := s.publisher.Drop(ctx, d.namespace, d.lanes)
		crash.Point(crash.DropFiles)
		if err == nil {
			err = removeFiles(d.files)
		}
		if changed > 0 {
			s.sweeping.forget = append(s.sweeping.forget, d.namespace) // rows may be back, and readers may have read marks that were
			s.tell(Event{Kind: EventDropped, View: d.view, Generation: d.number})
		}
		s.gone.seen = append(s.gone.seen, st)
		if err != nil {
			errs = append(errs, fmt.Errorf("dropping generation %d of view %s: %w", d.number, d.view, err))
			continue
		}
		s.gone.at[d.namespace] = time.Now()
	}
	return errors.Join(errs...)
}

// ErrLeft is the class of errors about files of a dropped generation that could not be removed. It is tried again.
var ErrLeft = errors.New("run files of a dropped generation are left")

// removeFiles removes all run files of a generation: nobody fills a lane from them any more. Somebody may be making one more
// run of it, who has not heard of the drop yet, and then a folder is not empty when its turn comes.
func removeFiles(folder string) error {
	if err := os.RemoveAll(folder); err != nil {
		return fmt.Errorf("%w: %w", ErrLeft, err)
	}
	return nil
}

type dropped struct {
	view      string
	number    int64
	namespace string
	lanes     int
	files     string // folder of its run files
}

func (s *Service) droppedGenerations() (all []dropped) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.views {
		for _, g := range v.gens {
			if g.member.State == manifest.Dropped {
				all = append(all, dropped{g.View, g.Number, g.Namespace(), g.Lanes, v.layout.Runs(g.Identity)})
			}
		}
	}
	return all
}
