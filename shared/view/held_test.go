package view_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/shared/view/viewtest"
)

// manyStates returns a view of more states than a word has bits, most of which are empty.
func manyStates() view.Spec {
	spec := viewtest.Spec()
	for i := range 90 {
		spec.Features = append(spec.Features, view.FeatureSpec{Name: fmt.Sprintf("item_%d", i), Op: "count", Where: fmt.Sprintf("item == %d", i)})
	}
	return spec
}

// TestOnlyHeldStatesAreAsked compares bodies with those for which every state was asked, of folded events and of merged
// bodies, in folds that are used again.
func TestOnlyHeldStatesAreAsked(t *testing.T) {
	for name, spec := range map[string]view.Spec{"usual": viewtest.Spec(), "many": manyStates()} {
		t.Run(name, func(t *testing.T) {
			p := compile(t, spec)
			folded, merged := p.NewFold(), p.NewFold()
			rapid.Check(t, func(t *rapid.T) {
				folded.Reset()
				merged.Reset()
				for _, b := range small.Batches(genRand(t), p.Spec().Sources) {
					folded.Add(b, 0, b.N)
				}
				asked := bodies(folded)
				for key, body := range asked {
					slot := merged.Slot([]byte(key))
					if err := merged.Merge(slot, []byte(body)); err != nil {
						t.Fatal(err)
					}
					merged.Touch([]int32{int32(slot)})
				}
				sameBodies(t, "merged", bodies(merged), asked)
				folded.HoldAll()
				merged.HoldAll()
				sameBodies(t, "folded, of all states", bodies(folded), asked)
				sameBodies(t, "merged, of all states", bodies(merged), asked)
			})
		})
	}
}
