package lookup_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view/viewtest"
)

// TestManyKeys: a request for many keys, which are merged side by side, answers each as a request for it alone does:
// in order, doubles kept, a key or a row at fault beside the others.
func TestManyKeys(t *testing.T) {
	w := newWorld(t)
	w.fold = w.plan.NewFold()
	for _, b := range (viewtest.Log{Partitions: [2]int{2, 1}, Rows: 2000, Users: 90}).Batches(rand.New(rand.NewPCG(1, 2)), w.plan.Spec().Sources) {
		w.fold.Add(b, 0, b.N)
	}
	h := tile.Header{Kind: tile.KindBase, Run: 1}
	c := lane.Call{Name: lane.BatchName, AnyMark: true, RowsOf: incarnation}
	keys := []string{"nonsense", "user:nobody"}
	for slot := range w.fold.Len() {
		value := w.fold.AppendBody(h.Append(nil), slot)
		if slot == 40 {
			value = value[:len(value)-1]
		}
		c.Rows = append(c.Rows, lane.RowChange{Key: w.fold.Key(slot), Set: []lane.Field{{Name: h.Name(), Value: value}}})
		keys = append(keys, string(w.fold.Key(slot)))
	}
	w.apply(c)
	keys = append(keys, keys...)
	if len(keys) < 100 {
		t.Fatalf("only %d keys", len(keys))
	}
	all, err := w.reader.Lookup(t.Context(), "visitor", keys, lookup.Options{Frontier: true, Newest: true})
	if err != nil {
		t.Fatal(err)
	}
	faults := 0
	for i, key := range keys {
		one, err := w.reader.Lookup(t.Context(), "visitor", []string{key}, lookup.Options{Frontier: true, Newest: true})
		if err != nil {
			t.Fatal(err)
		}
		got, want := fmt.Sprintf("%+v", all.Profiles[i]), fmt.Sprintf("%+v", one.Profiles[0])
		if got != want {
			t.Errorf("%s: %s among many, %s alone", key, got, want)
		}
		if all.Profiles[i].Err != nil {
			faults++
		}
	}
	if faults != 4 { // the nonsense and the damaged row, twice each
		t.Errorf("%d keys are at fault, want 4", faults)
	}
}

// TestEncoded: features that were encoded while they were read are, byte for byte, what their values encode, of many keys
// and of few, of all features and of some; also when the buffers are those of answers before.
func TestEncoded(t *testing.T) {
	w := newWorld(t)
	w.fold = w.plan.NewFold()
	for _, b := range (viewtest.Log{Partitions: [2]int{2, 1}, Rows: 3000, Users: 60}).Batches(rand.New(rand.NewPCG(3, 4)), w.plan.Spec().Sources) {
		w.fold.Add(b, 0, b.N)
	}
	h := tile.Header{Kind: tile.KindBase, Run: 1}
	c := lane.Call{Name: lane.BatchName, AnyMark: true, RowsOf: incarnation}
	keys := []string{"user:nobody", "nonsense"}
	for slot := range w.fold.Len() {
		c.Rows = append(c.Rows, lane.RowChange{
			Key: w.fold.Key(slot), Set: []lane.Field{{Name: h.Name(), Value: w.fold.AppendBody(h.Append(nil), slot)}},
		})
		keys = append(keys, string(w.fold.Key(slot)))
	}
	w.apply(c)
	features := w.plan.Features()
	some := []string{features[len(features)-1].Spec.Name, features[0].Spec.Name}
	for _, names := range [][]string{nil, some, {}} {
		for _, n := range []int{len(keys), 5} {
			opt := lookup.Options{Features: names, Newest: true}
			want, err := w.reader.Lookup(t.Context(), "visitor", keys[:n], opt)
			if err != nil {
				t.Fatal(err)
			}
			opt.Encode = true
			got, err := w.reader.Lookup(t.Context(), "visitor", keys[:n], opt)
			if err != nil {
				t.Fatal(err)
			}
			for i := range want.Profiles {
				if text := string(got.Profiles[i].Encoded); text != encoded(want, i) {
					t.Errorf("%s: encoded is %s, want %s", keys[i], text, encoded(want, i))
				}
			}
			got.Release()
		}
	}
}

// encoded returns what the values of a profile encode.
func encoded(a *lookup.Answer, i int) string {
	var b []byte
	for k, v := range a.Profiles[i].Values {
		if k > 0 {
			b = append(b, ',')
		}
		b = a.Generation.Plan.AppendAnswer(b, a.Features[k], v.Value, v.Status)
	}
	return string(b)
}
