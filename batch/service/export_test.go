package service

import (
	"context"

	"github.com/tidemark-io/tidemark/batch/recompute"
	"github.com/tidemark-io/tidemark/shared/view"
)

// SetJudge lets tests be wrong about sampled rows.
func (s *Service) SetJudge(judge func(*view.Plan) (recompute.Judge, error)) { s.engine.Judge = judge }

// Tend takes care of the lanes once, as a role does each second.
func (s *Service) Tend(ctx context.Context) error {
	if err := s.open(ctx); err != nil {
		return err
	}
	_, err := s.tend(ctx)
	return err
}
