package view

import (
	"math/bits"
	"slices"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// MaxShards bounds the shards of a Splitter: they are made of whole hash ranges (lane.MaxLanes).
const MaxShards = 256

// Splitter reads batches for many folds of one plan, each of which holds the entities of one shard: a stretch of hashes,
// by their topmost bits, as lanes are. Keys are built and hashed, rows arranged by shard and entity, columns computed and
// filters evaluated once a batch, whatever the number of shards; each fold then takes the rows of its own entities. Not
// safe for concurrent use: keep one for each goroutine. The folds may be shared by several as long as one at a time adds
// to each.
type Splitter struct {
	plan    *Plan
	shift   int
	readers []*reader

	// Of the batch at hand:
	batch  *column.Batch
	reader *reader
	keyed  keyed
	next   []int32 // scratch of arrange, by number of key
	shards []shardRows

	// The keyed rows shard by shard, and of one shard key by key: where they stand in the batch, and what of them is used.
	order  []int32
	sorted column.Batch
	loaded bool // whether sorted is filled, and the reader has it
}

// shardRows are the keyed rows of one shard: what a fold holds of an entity is at hand for all of its rows, and fetched
// from memory once and not once a row; and so are the columns, which the states of each shard read one after the other.
type shardRows struct {
	from, to int     // in Splitter.order
	keys     []int32 // numbers, in that order
	counts   []int32 // of each one's rows
}

// NewSplitter returns a splitter into a number of shards, a power of two up to MaxShards.
func (p *Plan) NewSplitter(shards int) *Splitter {
	invariant.Check(shards > 0 && shards <= MaxShards && shards&(shards-1) == 0, "splitting into %d shards", shards)
	return &Splitter{
		plan: p, shift: 64 - bits.TrailingZeros(uint(shards)), shards: make([]shardRows, shards), keyed: keyed{unique: true},
	}
}

// Split makes the accepted rows [from,to) of a batch that belong to an entity the ones at hand, and returns how many
// these are. The batch must stay as it is while they are in use. Its source must be one that Plan.Reads accepts.
func (s *Splitter) Split(b *column.Batch, from, to int) (rows int) {
	if from < 0 || from > to || to > b.N {
		invariant.Fail("splitting rows [%d,%d) of %d", from, to, b.N)
	}
	s.batch, s.loaded = b, false
	s.reader = s.readerOf(b.Source)
	s.reader.keyRows(&s.keyed, b, from, to)
	s.arrange()
	return len(s.keyed.row)
}

// arrange gives each shard its keys and rows, by counting: how many rows each key has says where they stand.
func (s *Splitter) arrange() {
	k := &s.keyed
	for i := range s.shards {
		s.shards[i].keys, s.shards[i].counts = s.shards[i].keys[:0], s.shards[i].counts[:0]
	}
	for number, hash := range k.hash {
		sh := &s.shards[hash>>s.shift]
		sh.keys = append(sh.keys, int32(number))
	}
	s.next = slices.Grow(s.next[:0], len(k.hash))[:len(k.hash)]
	clear(s.next)
	for _, number := range k.of {
		s.next[number]++
	}
	at := int32(0)
	for i := range s.shards {
		sh := &s.shards[i]
		sh.from = int(at)
		for _, number := range sh.keys {
			count := s.next[number]
			sh.counts = append(sh.counts, count)
			s.next[number], at = at, at+count
		}
		sh.to = int(at)
	}
	s.order = slices.Grow(s.order[:0], len(k.of))[:len(k.of)]
	for i, number := range k.of {
		s.order[s.next[number]] = k.row[i]
		s.next[number]++
	}
}

// load gathers the rows at hand, as they are arranged, and has the reader compute and filter them.
func (s *Splitter) load() {
	to, b := &s.sorted, s.batch
	to.Source, to.Partition, to.N = b.Source, b.Partition, len(s.order)
	to.Time, to.Offset = column.GatherRows(to.Time, b.Time, s.order), column.GatherRows(to.Offset, b.Offset, s.order)
	to.Reject = slices.Grow(to.Reject[:0], to.N)[:to.N] // 0: all of them are accepted
	for len(to.Cols) < len(b.Cols) {
		to.Cols = append(to.Cols, column.Column{})
	}
	for _, i := range s.reader.binding.folded {
		to.Cols[i].Gather(&b.Cols[i], s.order)
	}
	s.reader.load(to, to.N)
	s.reader.evaluateFilters()
	s.loaded = true
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
func (s *Splitter) Len(shard int) int { return s.shards[shard].to - s.shards[shard].from }

// AddTo folds the rows at hand that belong to a shard into a fold, as Fold.Add would, and returns their offsets and slots;
// both are valid until the fold is used again. No rows of the shard may be added twice.
func (s *Splitter) AddTo(f *Fold, shard int) (offsets []int64, slots []int32) {
	invariant.Check(f.plan == s.plan, "adding rows of one plan to a fold of another")
	sh := &s.shards[shard]
	f.touched = f.touched[:0]
	if sh.from == sh.to {
		return nil, nil
	}
	if !s.loaded {
		s.load()
	}
	f.find(&s.keyed, sh.keys)
	f.chosen.runs(sh, s.keyed.slot)
	f.account(s.reader.binding.rank, &s.sorted)
	f.grow()
	f.foldLoaded(s.reader, &s.sorted)
	return s.sorted.Offset[sh.from:sh.to], f.chosen.slot
}

// runs makes c the rows of a shard.
func (c *chosen) runs(sh *shardRows, slotOf []int32) {
	c.row, c.slot = c.row[:0], c.slot[:0]
	row := int32(sh.from)
	for i, number := range sh.keys {
		slot := slotOf[number]
		for range sh.counts[i] {
			c.row, c.slot = append(c.row, row), append(c.slot, slot)
			row++
		}
	}
}

// Each calls yield with every key of the rows at hand: its hash, its bytes and its rows, in order; both slices are valid
// as long as the rows are at hand. Each key comes once.
func (s *Splitter) Each(yield func(hash uint64, key []byte, rows []int32)) {
	for i := range s.shards {
		sh := &s.shards[i]
		rows := s.order[sh.from:sh.to]
		for j, number := range sh.keys {
			n := sh.counts[j]
			yield(s.keyed.hash[number], s.keyed.key(int(number)), rows[:n])
			rows = rows[n:]
		}
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
