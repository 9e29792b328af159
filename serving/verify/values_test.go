package verify_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/serving/verify"
)

// TestValues: the values of a report are those that lookups answer at the same time, of every entity, in order; and an entity
// that is newer than the time asked for says so.
func TestValues(t *testing.T) {
	w := newWorld(t)
	var keys []string
	for _, some := range w.keysOf {
		keys = append(keys, some...)
	}
	slices.Sort(keys)
	for _, at := range []lookup.Options{{Newest: true}, {AsOf: time.Now().UnixMilli()}, {AsOf: 1}} {
		r, err := verify.Run(t.Context(), verify.Config{Reader: w.reader, Store: w.store, Log: w.log, At: &at})
		if err != nil {
			t.Fatal(err)
		}
		if r.Wrong != 0 || len(r.Values) != r.Entities || r.Entities != len(keys) {
			t.Fatalf("%d values of %d entities, %d wrong; there are %d", len(r.Values), r.Entities, r.Wrong, len(keys))
		}
		a, err := w.reader.Lookup(t.Context(), w.reader.Views()[0], keys, at)
		if err != nil {
			t.Fatal(err)
		}
		for i := range a.Profiles {
			p, got := &a.Profiles[i], r.Values[i]
			if (p.Err != nil) != (got.Error != "") || (p.Err != nil) != (at.AsOf == 1) || got.Entity != p.Key {
				t.Fatalf("entity %s: error %q; looked up %s: %v", got.Entity, got.Error, p.Key, p.Err)
			}
			if p.Err != nil {
				continue
			}
			var values map[string]json.RawMessage
			if err := json.Unmarshal(got.Features, &values); err != nil {
				t.Fatal(err)
			}
			if got.AsOf != p.AsOf || got.Newest != p.Newest || got.Events != p.Events || len(values) != len(p.Values) {
				t.Errorf("%+v; looked up %+v", got, p)
			}
			for k, v := range p.Values {
				name := a.Generation.Plan.Features()[a.Features[k]].Spec.Name
				if want := string(v.Value.AppendJSON(nil)); want != string(values[name]) {
					t.Errorf("feature %s of %s is %s, looked up %s", name, p.Key, values[name], want)
				}
			}
		}
	}
}
