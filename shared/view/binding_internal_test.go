package view

import (
	"errors"
	"testing"

	"github.com/tidemark-io/tidemark/shared/schema"
)

// TestLatestBindingIsRemembered binds declarations that are not the one compiled with: the last one that fits is bound once.
func TestLatestBindingIsRemembered(t *testing.T) {
	at := schema.Field{Name: "at", Type: schema.Time}
	source := func(fields ...schema.Field) *schema.Source {
		return &schema.Source{Name: "x", Fields: fields, EventTime: "at", Block: 8}
	}
	p, err := Compile(Spec{
		Name: "v", Sources: []schema.Source{*source(at)},
		Entity:   []KeySpec{{Kind: "at", Fields: []string{"at"}}},
		Features: []FeatureSpec{{Name: "n", Op: "count"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	more, other := source(schema.Field{Name: "new", Type: schema.Int64}, at), source(at)
	bound, err := p.bind(more)
	if err != nil || bound.src != more {
		t.Fatalf("bound to %v, error %v", bound, err)
	}
	if _, err := p.bind(source(schema.Field{Name: "at", Type: schema.Int64})); !errors.Is(err, ErrSpec) {
		t.Errorf("a field of another type is taken: %v", err)
	}
	if again, err := p.bind(more); err != nil || again != bound {
		t.Errorf("bound again, error %v", err)
	}
	if b, err := p.bind(other); err != nil || b.src != other || b.keys[0][0] != 0 {
		t.Errorf("another declaration is bound to %v, error %v", b, err)
	}
	if b, err := p.bind(more); err != nil || b == bound || b.keys[0][0] != 1 {
		t.Errorf("more than the latest is remembered: error %v", err)
	}
}
