package verify

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/shared/view"
)

// Values are an entity's features as the store has them, so that what two deployments answer can be compared as text.
type Values struct {
	View   string `json:"view"`
	Entity string `json:"entity"`
	Events int64  `json:"events"` // of the entity
	Newest int64  `json:"newest"` // its newest event, ms since 1970
	AsOf   int64  `json:"as_of"`  // the time that was read at, ms since 1970; 0 with an Error
	// Error is why they cannot be read at the time asked for, empty if they can.
	Error string `json:"error,omitempty"`
	// Features is an object of values by name, in the order of the view.
	Features json.RawMessage `json:"features,omitempty"`
}

// valuesOf reads the features of the row at hand in a merger.
func (v *run) valuesOf(entity string, m *view.Merger) *Values {
	out := &Values{View: v.view, Entity: entity, Events: m.Events(), Newest: m.Newest()}
	asOf, err := lookup.AsOf(*v.cfg.At, m.Newest(), 0)
	if err != nil {
		out.Error = err.Error()
		return out
	}
	out.AsOf = asOf
	b := []byte{'{'}
	for i := range v.gen.Plan.Features() {
		spec := v.gen.Plan.Features()[i].Spec
		if i > 0 {
			b = append(b, ',')
		}
		name, err := json.Marshal(spec.Name)
		if err != nil {
			out.Error = err.Error()
			return out
		}
		value, _ := v.gen.Plan.FeatureValue(m.Value(i, asOf), spec)
		b = value.AppendJSON(append(append(b, name...), ':'))
	}
	out.Features = append(b, '}')
	return out
}

// sortValues brings them into the order of views and entities.
func sortValues(all []Values) {
	slices.SortFunc(all, func(a, b Values) int { return cmp.Or(cmp.Compare(a.View, b.View), cmp.Compare(a.Entity, b.Entity)) })
}
