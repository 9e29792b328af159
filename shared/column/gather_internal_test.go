package column

import (
	"testing"

	"github.com/tidemark-io/tidemark/shared/schema"
)

// TestAllSet shows that a bitmap without a null is known as one whatever the number of rows, and that one null is seen
// wherever it stands.
func TestAllSet(t *testing.T) {
	for n := range 200 {
		c := NewColumn(schema.Int64, 0)
		for range n {
			c.grow(true)
		}
		if !allSet(c.Valid, n) {
			t.Errorf("%d rows without a null are not all set", n)
		}
		for row := range n {
			c.Valid[row>>3] ^= 1 << (row & 7)
			if allSet(c.Valid, n) {
				t.Errorf("%d rows are all set though row %d is null", n, row)
			}
			c.Valid[row>>3] ^= 1 << (row & 7)
		}
	}
}
