package view

import (
	"fmt"
	"testing"

	"github.com/tidemark-io/tidemark/shared/schema"
)

// TestEqualHashes gives many keys one hash, which no log in practice does: keys tell entities, not hashes.
func TestEqualHashes(t *testing.T) {
	p, err := Compile(Spec{
		Name: "v", Sources: []schema.Source{{Name: "x", Fields: []schema.Field{{Name: "at", Type: schema.Time}}, EventTime: "at", Block: 8}},
		Entity:   []KeySpec{{Kind: "at", Fields: []string{"at"}}},
		Features: []FeatureSpec{{Name: "n", Op: "count"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	f := p.NewFold()
	const hash = 0xfeed_0000_ffff_ffff
	for round := range 2 {
		for i := range 100 {
			key := fmt.Appendf(nil, "at:%d", i)
			if slot := f.findOrAdd(hash, key); int(slot) != i || string(f.Key(i)) != string(key) {
				t.Fatalf("round %d: %s has slot %d, whose key is %s", round, key, slot, f.Key(int(slot)))
			}
		}
	}
}
