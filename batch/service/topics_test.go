package service_test

import (
	"errors"
	"testing"

	"github.com/tidemark-io/tidemark/batch/service"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// TestAnotherTopic: a generation keeps the topics that it is begun with, the manifest says them, and nothing is done for it
// when a source is read from another one: no run, no lane. One that was begun when nobody knew them is gone on with.
func TestAnotherTopic(t *testing.T) {
	first := schema.Topic{Name: "t", ID: "AAAAAAAAAAAAAAAAAAAAAQ"}
	again := schema.Topic{Name: "t", ID: "AAAAAAAAAAAAAAAAAAAAAg"}
	for name, begun := range map[string]schema.Topic{"known": first, "not known": {}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 3)
			reads := func(topic schema.Topic) *service.Service {
				cfg := w.config()
				cfg.Topics = func(string) (schema.Topic, error) { return topic, nil }
				s, err := service.New(cfg)
				must(t, err)
				return s
			}
			w.grow(0.5)
			_, err := reads(begun).Once(t.Context())
			must(t, err)
			w.grow(1)
			before := w.manifest("visitor")
			for _, src := range before.Served().Spec.Sources {
				if got := before.Served().Topics[src.Name]; got != begun {
					t.Errorf("the manifest says topic %+v of source %s", got, src.Name)
				}
			}
			report, err := reads(again).Once(t.Context())
			if !begun.Known() {
				if err != nil || len(report.Runs) == 0 {
					t.Fatalf("%d runs, %v", len(report.Runs), err)
				}
				return
			}
			if !errors.Is(err, schema.ErrTopic) || len(report.Runs) > 0 || w.manifest("visitor").Seq != before.Seq {
				t.Fatalf("%d runs, manifest %d after %d, error %v", len(report.Runs), w.manifest("visitor").Seq, before.Seq, err)
			}
			if err := reads(again).Run(t.Context()); !errors.Is(err, schema.ErrTopic) {
				t.Errorf("the role: %v", err)
			}
			_, err = reads(first).Rebuild(t.Context(), "visitor")
			must(t, err)
			if _, err = reads(again).Once(t.Context()); !errors.Is(err, schema.ErrTopic) {
				t.Errorf("two generations: %v", err)
			}
			report, err = reads(first).Once(t.Context())
			if err != nil || len(report.Runs) == 0 {
				t.Errorf("with its own topic: %+v, %v", report, err)
			}
			for _, g := range w.manifest("visitor").Generations {
				if g.Topics[g.Spec.Sources[0].Name] != first {
					t.Errorf("generation %d keeps %+v", g.Number, g.Topics)
				}
			}
			w.verify()
		})
	}
}
