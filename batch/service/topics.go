package service

import (
	"fmt"

	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// topics returns the topics that the sources are known to be read from.
func (s *Service) topics(sources []schema.Source) (map[string]schema.Topic, error) {
	known := map[string]schema.Topic{}
	if s.cfg.Topics == nil {
		return known, nil
	}
	for i := range sources {
		name := sources[i].Name
		t, err := s.cfg.Topics(name)
		if err != nil {
			return nil, fmt.Errorf("looking for the topic of source %s: %w", name, err)
		}
		if t.Known() {
			known[name] = t
		}
	}
	return known, nil
}

// checkTopics refuses to go on with generations that are made of another topic than a source is read from now. What they
// hold stays as it is. Errors are of class schema.ErrTopic.
func (s *Service) checkTopics(v *viewState) error {
	for _, g := range v.gens {
		if g.member.State == manifest.Dropped {
			continue
		}
		now, err := s.topics(g.Spec.Sources)
		if err != nil {
			return err
		}
		for source, t := range now {
			if err := g.CheckTopic(source, t); err != nil {
				return err
			}
		}
	}
	return nil
}
