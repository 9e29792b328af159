package view

import (
	"testing"

	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/tile"
)

// TestMergerForgetsRows reads rows with events in many partitions, one after the other: nothing of a row stays.
func TestMergerForgetsRows(t *testing.T) {
	p, err := Compile(Spec{
		Name: "v", Sources: []schema.Source{{Name: "x", Fields: []schema.Field{{Name: "at", Type: schema.Time}}, EventTime: "at", Block: 8}},
		Entity:   []KeySpec{{Kind: "at", Fields: []string{"at"}}},
		Features: []FeatureSpec{{Name: "n", Op: "count"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	m := p.NewMerger()
	for row := range int32(50) {
		body := tile.Body{Newest: 5, Events: 3, States: make([][]byte, 1)}
		for i := range int32(3) {
			body.Pos = append(body.Pos, tile.Pos{Partition: 3*row + i, Last: 7})
		}
		m.Reset()
		if _, err := m.AddTile(body.Append(tile.Header{Kind: tile.KindBase, Run: 1}.Append(nil))); err != nil {
			t.Fatal(err)
		}
		if err := m.Finish(); err != nil {
			t.Fatal(err)
		}
		if len(m.fold.parts) != 3 || len(m.fold.cells) != 2 || m.Events() != 3 || len(m.Parts()) != 1 {
			t.Fatalf("row %d: %d partitions, %d cells, %d events", row, len(m.fold.parts), len(m.fold.cells), m.Events())
		}
	}
}
