package service

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tidemark-io/tidemark/batch/journal"
	"github.com/tidemark-io/tidemark/batch/publish"
	"github.com/tidemark-io/tidemark/batch/runfile"
)

// lowest returns the oldest run whose files are there with those of all runs after it, never beyond the bases that a lane
// needs to be begun: if one of these is gone, whoever opens it says so.
func (v *viewState) lowest(g *generation) (int64, error) {
	low := g.BasesFrom()
	have, err := runfile.Folders(v.layout.Runs(g.Identity))
	if err != nil {
		return 0, fmt.Errorf("looking after the runs of view %s: %w", g.View, err)
	}
	for low > 1 {
		if _, there := slices.BinarySearch(have, low-1); !there {
			break
		}
		low--
	}
	return low, nil
}

// tidy removes the files of runs that nothing needs, given how far all lanes are. Needed are, from the journal's last
// checked run back, those from which a lane is begun, the next run merges its bases and a full check reads, and those that
// a lane has still to take in; and all of them while a lane is not begun, for a process that knows an older journal may be
// beginning it at older bases. Should a lane go back behind them (restored from an old dump), it is begun again. So what is
// removed is never needed, whatever other processes do meanwhile.
func (s *Service) tidy(all []publish.Status) error {
	var errs []error
	for _, one := range s.untidy(all) {
		n, err := one.tidy()
		errs = append(errs, err)
		if n > 0 {
			s.tell(Event{Kind: EventTidied, View: one.gen.View, Generation: one.gen.Number, Done: n})
		}
	}
	return errors.Join(errs...)
}

// untidy is a generation with the first run whose files are kept.
type untidy struct {
	layout journal.Layout
	gen    *generation
	keep   int64
}

// untidy lists the generations whose lanes are known.
func (s *Service) untidy(all []publish.Status) (list []untidy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.views {
		for _, g := range v.gens {
			at := slices.IndexFunc(all, func(st publish.Status) bool { return st.Namespace == g.Namespace() })
			if at >= 0 && g.live() {
				list = append(list, untidy{v.layout, g, min(g.BasesFrom(), all[at].Run)})
			}
		}
	}
	return list
}

func (u *untidy) tidy() (removed int64, err error) {
	have, err := runfile.Folders(u.layout.Runs(u.gen.Identity))
	if err != nil {
		return 0, fmt.Errorf("tidying the runs of view %s: %w", u.gen.View, err)
	}
	// The oldest go first, so that what is left has no gap wherever this ends.
	for _, run := range have {
		if run >= u.keep {
			break
		}
		if err := runfile.Remove(u.layout.RunFolder(u.gen.Identity, run)); err != nil {
			return removed, fmt.Errorf("tidying the runs of view %s: %w", u.gen.View, err)
		}
		removed++
	}
	return removed, nil
}
