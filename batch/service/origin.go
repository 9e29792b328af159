package service

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// ErrStarts is the class of errors of Config.Starts: as long as the log does not say where it begins, no generation is
// begun. It is asked again.
var ErrStarts = errors.New("where the log begins is not known")

// origins finds out where the log of every source of the job begins: at the archive's first offset of a partition, or, of
// one that is not archived yet, at the log's own. A topic may have lost its head before anybody archived it, and then
// nobody may wait for that. Partitions that begin at 0 are not listed, as those are not that come later.
//
// All sources are asked before any view is begun, so that views that are begun together begin at one place.
func (s *Service) origins(ctx context.Context) (map[string]position.Cut, error) {
	all := map[string]position.Cut{}
	for _, plan := range s.cfg.Plans {
		for i := range plan.Spec().Sources {
			src := &plan.Spec().Sources[i]
			if all[src.Name] != nil {
				continue
			}
			origin, err := s.origin(ctx, src)
			if err != nil {
				return nil, fmt.Errorf("looking for the origin of source %s: %w", src.Name, err)
			}
			all[src.Name] = origin
		}
	}
	return all, nil
}

// origin asks the log before the archive: what is archived meanwhile counts.
func (s *Service) origin(ctx context.Context, src *schema.Source) (position.Cut, error) {
	origin := position.Cut{}
	if s.cfg.Starts != nil {
		starts, err := s.cfg.Starts(ctx, src)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrStarts, err)
		}
		for id, first := range starts {
			if first > 0 {
				origin[position.Partition{Source: src.Name, ID: id}] = first
			}
		}
	}
	archived, _, err := s.cfg.Archive.Extent(ctx, src.Name, src.Block)
	if err != nil {
		return nil, err
	}
	maps.Copy(origin, archived)
	return origin, nil
}
