package archive

import (
	"iter"
	"sort"

	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/record"
)

// piece is a part of what was fetched that belongs into one block.
type piece struct {
	records []record.Record
	next    int64 // first offset behind the piece
	whole   bool  // next is the end of a block
}

// split cuts what was fetched from offset at to next, records in order with gaps anywhere, at the ends of blocks. A block
// in which the log has no record is a piece without records.
func split(records []record.Record, at, next, block int64) iter.Seq[piece] {
	return func(yield func(piece) bool) {
		for at < next {
			end := position.Block(at, block) + block
			p := piece{next: min(end, next), whole: end <= next}
			n := sort.Search(len(records), func(i int) bool { return records[i].Offset >= p.next })
			p.records, records = records[:n], records[n:]
			at = p.next
			if !yield(p) {
				return
			}
		}
	}
}
