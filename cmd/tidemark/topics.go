package main

import (
	"context"
	"errors"

	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/speed/service"
)

// sourceTopics are the very topics that sources are read from, by source.
type sourceTopics map[string]schema.Topic

// topicOf is what a cluster says of a topic, as archive and journals keep it.
func topicOf(t kafkalog.Topic) schema.Topic { return schema.Topic{Name: t.Name, ID: t.IDText()} }

// sameTopic notes what a source is read from. It is an error if the archive was filled from another topic: offsets that are
// known of that one mean other records here.
func (n *node) sameTopic(src *schema.Source, now schema.Topic) error {
	if err := archivefile.CheckTopic(n.o.archive, src.Name, now); err != nil {
		return err
	}
	n.topics[src.Name] = now
	return nil
}

// topicOf returns the topic of a source: what the archive says, or else the log. Where both say, it is the same, or the node
// would not have begun.
func (n *node) topicOf(source string) (schema.Topic, error) {
	t, err := archivefile.Topic(n.o.archive, source)
	if err != nil || t.Known() {
		return t, err
	}
	return n.topics[source], nil
}

// archiveTopics returns the topics that an archive says its sources were filled from.
func archiveTopics(dir string) func(source string) (schema.Topic, error) {
	return func(source string) (schema.Topic, error) { return archivefile.Topic(dir, source) }
}

// generations returns what the speed layer feeds. One that is made of another topic than is read here ends the process.
func (n *node) generations(ctx context.Context) ([]service.Generation, error) {
	if err := n.catalog.checkTopics(ctx, n.topics); err != nil {
		if errors.Is(err, schema.ErrTopic) {
			n.fail(err)
		}
		return nil, err
	}
	return n.catalog.generations(ctx)
}

// checkTopics returns an error of class schema.ErrTopic if a generation that is fed is made of other topics than these.
func (c *catalog) checkTopics(ctx context.Context, now sourceTopics) error {
	all, err := c.manifests(ctx)
	if err != nil {
		return err
	}
	for _, m := range all {
		for i := range m.Generations {
			g := &m.Generations[i]
			if g.State == manifest.Dropped {
				continue
			}
			for source, t := range now {
				if err := m.CheckTopic(g, source, t); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
