package service

import (
	"github.com/tidemark-io/tidemark/batch/recompute"
	"github.com/tidemark-io/tidemark/shared/view"
)

// SetJudge lets tests be wrong about sampled rows.
func (s *Service) SetJudge(judge func(*view.Plan) (recompute.Judge, error)) { s.engine.Judge = judge }
