package recompute

import (
	"bytes"
	"cmp"
	"slices"
	"sync"

	"github.com/tidemark-io/tidemark/batch/runfile"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
)

// shard folds the entities of one stretch of hashes and notes in which blocks each had events: the names of the tiles that
// the run supersedes.
type shard struct {
	mu     sync.Mutex
	fold   *view.Fold // nil while the shard is not live
	last   []int32    // by slot: number of the block noted last, -1 for none
	notes  [][]note   // those of each add
	fresh  []note     // scratch of add
	noted  int        // how many notes there are
	events int64
	bytes  int64 // memory, as last counted
}

// note says that an entity had events in a block. One may stand twice.
type note struct {
	slot  int32
	block int32
}

const (
	noteBytes = 8
	lastBytes = 4
)

func (s *shard) begin(p *view.Plan) {
	s.end()
	s.fold, s.events = p.NewFold(), 0
	s.fold.Defer()
}

// end frees the shard's memory.
func (s *shard) end() { s.fold, s.last, s.notes, s.fresh, s.noted, s.bytes = nil, nil, nil, nil, 0, 0 }

// addLocked is add, if the shard is live, and unlocks it.
func (s *shard) addLocked(sp *view.Splitter, number int, blocks *blockRun) (grown int64) {
	defer s.mu.Unlock()
	if s.fold == nil {
		return 0
	}
	return s.add(sp, number, blocks)
}

// add folds the rows at hand in the splitter that are the shard's, and returns by how many bytes its memory grew.
func (s *shard) add(sp *view.Splitter, number int, blocks *blockRun) (grown int64) {
	offsets, entities := sp.AddTo(s.fold, number)
	s.events += int64(len(offsets))
	s.last = slices.Grow(s.last, s.fold.Len()-len(s.last))
	for len(s.last) < s.fold.Len() {
		s.last = append(s.last, -1)
	}
	s.fresh = s.fresh[:0]
	var block int32
	var all position.Range // offsets of the block
	from := int32(0)
	for _, e := range entities {
		last := s.last[e.Slot]
		for at := from; at < e.To; at++ {
			if all.Contains(offsets[at]) && last == block {
				continue
			}
			if block, all = blocks.at(offsets[at]); last != block {
				last = block
				s.fresh = append(s.fresh, note{e.Slot, block})
			}
		}
		s.last[e.Slot], from = last, e.To
	}
	if len(s.fresh) > 0 {
		s.notes, s.noted = append(s.notes, slices.Clone(s.fresh)), s.noted+len(s.fresh)
	}
	return s.count()
}

// count counts the shard's memory, and returns by how many bytes it grew since it was counted last.
func (s *shard) count() (grown int64) {
	before := s.bytes
	s.bytes = s.fold.Bytes() + int64(s.noted+cap(s.fresh))*noteBytes + int64(cap(s.last))*lastBytes
	return s.bytes - before
}

// place is a slot in the order of rows.
type place struct {
	hash uint64
	slot int32
}

// order returns the slots in order of (hash, key).
func (s *shard) order() []place {
	places := make([]place, s.fold.Len())
	for slot := range places {
		places[slot] = place{s.fold.Hash(slot), int32(slot)}
	}
	slices.SortFunc(places, func(a, b place) int {
		if a.hash != b.hash {
			return cmp.Compare(a.hash, b.hash)
		}
		return bytes.Compare(s.fold.Key(int(a.slot)), s.fold.Key(int(b.slot)))
	})
	return places
}

// superseded returns the numbers of each slot's blocks, ascending, none twice: those of slot i are
// blocks[starts[i]:starts[i+1]] as far as they are not negative.
func (s *shard) superseded() (starts, blocks []int32) {
	starts = make([]int32, s.fold.Len()+1)
	for _, notes := range s.notes {
		for _, n := range notes {
			starts[n.slot+1]++
		}
	}
	for i := 1; i < len(starts); i++ {
		starts[i] += starts[i-1]
	}
	blocks = make([]int32, s.noted)
	at := slices.Clone(starts)
	for _, notes := range s.notes {
		for _, n := range notes {
			blocks[at[n.slot]] = n.block
			at[n.slot]++
		}
	}
	return starts, blocks
}

// write gives the shard's rows to the sink of its lane. bodies is what the worker writes with.
func (s *shard) write(g *generation, n int, bodies *view.Bodies) error {
	starts, blocks := s.superseded()
	head := tile.Header{Kind: g.Kind, Run: g.Run}.Append(nil)
	var r runfile.Row
	places := s.order()
	slots := make([]int32, len(places))
	for i, p := range places {
		slots[i] = p.slot
	}
	bodies.Begin(s.fold, slots)
	for _, p := range places {
		r.Hash, r.Key = p.hash, s.fold.Key(int(p.slot))
		r.Tile = bodies.Append(append(r.Tile[:0], head...))
		own := blocks[starts[p.slot]:starts[p.slot+1]]
		slices.Sort(own)
		r.Superseded = r.Superseded[:0]
		for _, block := range slices.Compact(own) {
			r.Superseded = append(r.Superseded, g.blocks.header(block))
		}
		row, err := g.sinks[n].Append(&r)
		if err != nil {
			return err
		}
		var change []byte
		if g.Bases[lane.Range(r.Hash)] > 0 {
			change = r.Tile[len(head):]
		}
		g.sampler.place(&r, n, row, change)
	}
	return nil
}
