package view

import (
	"math/bits"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// MaxShards bounds the shards of a Splitter: they are made of whole hash ranges (lane.MaxLanes).
const MaxShards = 256

// Splitter reads batches for many folds of one plan, each of which holds the entities of one shard: a stretch of hashes,
// by their topmost bits, as lanes are. Keys are built and hashed, columns computed and filters evaluated once a batch,
// whatever the number of shards; each fold then takes the rows of its own entities. Not safe for concurrent use: keep one
// for each goroutine. The folds may be shared by several as long as one at a time adds to each.
type Splitter struct {
	plan    *Plan
	shift   int
	readers []*reader

	// Of the batch at hand:
	batch  *column.Batch
	reader *reader
	to     int
	loaded bool
	keyed  keyed
	shards []shardRows
}

// shardRows are the keyed rows of one shard.
type shardRows struct {
	rows []int32 // indices
	keys []int32 // numbers
}

// NewSplitter returns a splitter into a number of shards, a power of two up to MaxShards.
func (p *Plan) NewSplitter(shards int) *Splitter {
	invariant.Check(shards > 0 && shards <= MaxShards && shards&(shards-1) == 0, "splitting into %d shards", shards)
	return &Splitter{plan: p, shift: 64 - bits.TrailingZeros(uint(shards)), shards: make([]shardRows, shards)}
}

// Split makes the accepted rows [from,to) of a batch that belong to an entity the ones at hand, and returns how many
// these are. The batch must stay as it is while they are in use. Its source must be one that Plan.Reads accepts.
func (s *Splitter) Split(b *column.Batch, from, to int) (rows int) {
	if from < 0 || from > to || to > b.N {
		invariant.Fail("splitting rows [%d,%d) of %d", from, to, b.N)
	}
	s.batch, s.to, s.loaded = b, to, false
	s.reader = s.readerOf(b.Source)
	s.reader.keyRows(&s.keyed, b, from, to)
	for i := range s.shards {
		sh := &s.shards[i]
		sh.rows, sh.keys = sh.rows[:0], sh.keys[:0]
	}
	for number, hash := range s.keyed.hash {
		sh := &s.shards[hash>>s.shift]
		sh.keys = append(sh.keys, int32(number))
	}
	for i, number := range s.keyed.of {
		sh := &s.shards[s.keyed.hash[number]>>s.shift]
		sh.rows = append(sh.rows, int32(i))
	}
	return len(s.keyed.row)
}

func (s *Splitter) readerOf(src *schema.Source) *reader {
	for _, r := range s.readers {
		if r.src == src {
			return r
		}
	}
	b, err := s.plan.bind(src)
	if err != nil {
		invariant.Fail("splitting a source that the view does not read so: %v", err)
	}
	r := newReader(s.plan, b, src)
	s.readers = append(s.readers, r)
	return r
}

// Len returns how many rows at hand belong to a shard.
func (s *Splitter) Len(shard int) int { return len(s.shards[shard].rows) }

// AddTo folds the rows at hand that belong to a shard into a fold, as Fold.Add would, and returns them with their slots;
// both are valid until the fold is used again. No rows of the shard may be added twice.
func (s *Splitter) AddTo(f *Fold, shard int) (rows, slots []int32) {
	invariant.Check(f.plan == s.plan, "adding rows of one plan to a fold of another")
	f.choose(&s.keyed, s.shards[shard].rows, s.shards[shard].keys)
	f.account(s.reader.binding.rank, s.batch)
	if len(f.chosen.row) == 0 {
		return nil, nil
	}
	if !s.loaded {
		s.reader.load(s.batch, s.to)
		s.reader.evaluateFilters()
		s.loaded = true
	}
	f.grow()
	f.foldLoaded(s.reader, s.batch)
	return f.chosen.row, f.chosen.slot
}

// Each calls yield with every row at hand, in order, its entity's hash and its key, which is valid during the call only.
func (s *Splitter) Each(yield func(row int, hash uint64, key []byte)) {
	for i, row := range s.keyed.row {
		number := s.keyed.of[i]
		yield(int(row), s.keyed.hash[number], s.keyed.key(int(number)))
	}
}

// Errors returns how many values were null so far because their expression overflowed or divided by zero, once for each
// distinct expression of a row.
func (s *Splitter) Errors() int64 {
	var n int64
	for _, r := range s.readers {
		n += r.errors()
	}
	return n
}

// Uses returns the indices of the fields of a source that the plan reads: a batch whose other columns are empty folds the
// same. The error, of class ErrSpec, is that of Reads.
func (p *Plan) Uses(src *schema.Source) ([]int, error) {
	b, err := p.bind(src)
	if err != nil {
		return nil, err
	}
	return b.fields, nil
}
