package view

import (
	"math/bits"
	"slices"
	"unsafe"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// MaxShards bounds the shards of a Splitter: they are made of whole hash ranges (lane.MaxLanes).
const MaxShards = 256

// Splitter collects the rows of batches for many folds of one plan, each of which holds the entities of one shard: a stretch
// of hashes, by their topmost bits, as lanes are. Keys are built and hashed, columns computed and filters evaluated once a
// batch, whatever the number of shards, and what states read of its rows is kept; then each fold takes the rows of its own
// entities, one entity after the other. Not safe for concurrent use: keep one for each goroutine. The folds may be shared by
// several as long as one at a time adds to each.
type Splitter struct {
	plan    *Plan
	shift   int
	readers []*splitReader

	// What is collected: rows of one partition of one source.
	reader    *splitReader
	partition int32
	keyed     keyed // of its rows those of the last batch only; its keys stay, as they mostly come again
	last      int   // how many rows were collected before that batch

	// The same in order, once it is arranged.
	arranged bool
	next     []int32 // scratch of arrange, by number of key: how many rows it has, or where its next one goes
	keys     []int32 // scratch of keysInOrder and unknown
	shards   []shardRows
	from, to int      // the shards that are expected
	chunks   []*chunk // by shard, once one was asked for: those that were not

	all    []int32 // scratch of upTo
	reject []uint8 // scratch of accepting
	picked picked  // scratch of Each
}

// shardRows are the collected rows of one shard: what a fold holds of an entity is at hand for all of its rows, and fetched
// from memory once and not once a row; and so are the columns, which the states of each shard read one after the other.
type shardRows struct {
	era      int64      // of the fold whose slots keyed has for keys of the shard; 0 if it has none of any
	keys     []int32    // numbers of those that have rows
	from, to [2]int     // by class: its rows among the arranged ones
	counts   [2][]int32 // by class: how many rows each key has, in order of keys
}

// NewSplitter returns a splitter into a number of shards, a power of two up to MaxShards.
func (p *Plan) NewSplitter(shards int) *Splitter {
	invariant.Check(shards > 0 && shards <= MaxShards && shards&(shards-1) == 0, "splitting into %d shards", shards)
	return &Splitter{
		plan: p, shift: 64 - bits.TrailingZeros(uint(shards)), shards: make([]shardRows, shards), to: shards, keyed: keyed{unique: true},
	}
}

// Split collects the accepted rows [from,to) of a batch that belong to an entity, and returns how many these are. Its
// source must be one that Plan.Reads accepts. Batches that are collected together must be of one partition and one
// declaration of its source, and none may be collected after the first AddTo until Drop.
func (s *Splitter) Split(b *column.Batch, from, to int) (rows int) {
	if from < 0 || from > to || to > b.N {
		invariant.Fail("splitting rows [%d,%d) of %d", from, to, b.N)
	}
	r := s.readerOf(b.Source)
	if len(s.keyed.of) > 0 && (s.arranged || r != s.reader || b.Partition != s.partition) {
		invariant.Fail("splitting rows of partition %d with those of partition %d, arranged: %t", b.Partition, s.partition, s.arranged)
	}
	if r != s.reader || b.Partition != s.partition {
		s.forgetKeys()
	}
	s.reader, s.partition = r, b.Partition
	s.last = len(s.keyed.of)
	r.keyRows(&s.keyed, b, from, to)
	if rows = len(s.keyed.row); rows > 0 {
		if r.binding.fails {
			b = s.accepting(b)
		}
		r.load(b, to, false)
		r.evaluateFilters()
		r.collect(s.keyed.row, s.keyed.of[s.last:])
	}
	return rows
}

// accepting returns a batch with all rows rejected but those that are keyed: no error of an expression in another row is
// counted.
func (s *Splitter) accepting(b *column.Batch) *column.Batch {
	c := *b
	s.reject = slices.Grow(s.reject[:0], b.N)[:b.N]
	for i := range s.reject {
		s.reject[i] = 1
	}
	for _, row := range s.keyed.row {
		s.reject[row] = 0
	}
	c.Reject = s.reject
	return &c
}

func (s *Splitter) readerOf(src *schema.Source) *splitReader {
	for _, r := range s.readers {
		if r.src == src {
			return r
		}
	}
	b, err := s.plan.bind(src)
	if err != nil {
		invariant.Fail("splitting a source that the view does not read so: %v", err)
	}
	r := newSplitReader(newReader(s.plan, b, src))
	s.readers = append(s.readers, r)
	return r
}

// Drop forgets all collected rows and keeps the memory; and their keys, which rows of the same partition mostly have again,
// unless there are more of them than rows.
func (s *Splitter) Drop() {
	if len(s.keyed.hash) > len(s.keyed.of) {
		s.forgetKeys()
	}
	s.keyed.drop()
	s.arranged, s.last, s.chunks = false, 0, nil
	if s.reader != nil {
		s.reader.forget()
	}
}

// DropKeys makes a splitter that has no rows forget the keys that Drop kept. Their memory is for those that come next.
func (s *Splitter) DropKeys() {
	invariant.Check(len(s.keyed.of) == 0, "forgetting the keys of %d rows", len(s.keyed.of))
	s.forgetKeys()
}

func (s *Splitter) forgetKeys() {
	s.keyed.forget()
	s.picked.wanted = s.picked.wanted[:0]
	for i := range s.shards {
		s.shards[i].era = 0
	}
}

// Source returns the declaration of the source whose rows are collected.
func (s *Splitter) Source() *schema.Source { return s.reader.src }

// Partition returns the partition of Source whose rows are collected.
func (s *Splitter) Partition() int32 { return s.partition }

// keyBytes is about what a key takes, besides its bytes if it is long: hash; slot, next and keys in four bytes each; whether
// it is wanted; three places in the table, of which there are two to four.
const keyBytes = int(unsafe.Sizeof(inlineKey{})) + 8 + 3*4 + 1 + 3*8

// Size returns about how many bytes of memory the collected rows take, with the keys that are kept. What was made of the last
// batch alone is not counted.
func (s *Splitter) Size() int64 {
	if s.reader == nil {
		return 0
	}
	return s.reader.size(len(s.keyed.of)) + int64(keyBytes*len(s.keyed.hash)+len(s.keyed.long))
}

// Len returns how many of the collected rows belong to a shard.
func (s *Splitter) Len(shard int) int {
	s.arrange()
	return s.shards[shard].to[0] - s.shards[shard].from[0]
}

// arrange puts the collected rows in order: shard by shard, of one shard key by key, of one key as they came.
func (s *Splitter) arrange() {
	if s.arranged {
		return
	}
	s.arranged = true
	for i := range s.shards {
		sh := &s.shards[i]
		*sh = shardRows{era: sh.era, keys: sh.keys[:0], counts: [2][]int32{sh.counts[0][:0], sh.counts[1][:0]}}
	}
	if len(s.keyed.of) == 0 {
		return
	}
	s.reader.classes[0].of = s.keyed.of
	s.count(s.keyed.of)
	for _, number := range s.keysInOrder() {
		if s.next[number] > 0 {
			sh := &s.shards[s.keyed.hash[number]>>s.shift]
			sh.keys = append(sh.keys, number)
		}
	}
	s.place(&s.reader.classes[0], 0)
	s.count(s.reader.classes[1].of)
	s.place(&s.reader.classes[1], 1)
}

// orderBits is by how many of the topmost bits of their hashes keys are put in order; more than MaxShards take.
const orderBits = 12

// keysInOrder returns the numbers of the keys in about the order of their hashes: what is written later, in that order, then
// lies so in memory, and places in tables follow one another.
func (s *Splitter) keysInOrder() []int32 {
	var at [1<<orderBits + 1]int32
	for _, hash := range s.keyed.hash {
		at[hash>>(64-orderBits)+1]++
	}
	for i := 1; i < len(at); i++ {
		at[i] += at[i-1]
	}
	s.keys = slices.Grow(s.keys[:0], len(s.keyed.hash))[:len(s.keyed.hash)]
	for number, hash := range s.keyed.hash {
		s.keys[at[hash>>(64-orderBits)]] = int32(number)
		at[hash>>(64-orderBits)]++
	}
	return s.keys
}

// count counts how many rows each key has.
func (s *Splitter) count(of []int32) {
	s.next = slices.Grow(s.next[:0], len(s.keyed.hash))[:len(s.keyed.hash)]
	clear(s.next)
	for _, number := range of {
		s.next[number]++
	}
}

// place finds the order of the rows of a class: how many rows each key has, which were counted, says where they stand.
func (s *Splitter) place(c *classRows, class int) {
	at := int32(0)
	for i := range s.shards {
		sh := &s.shards[i]
		sh.from[class] = int(at)
		for _, number := range sh.keys {
			count := s.next[number]
			sh.counts[class] = append(sh.counts[class], count)
			s.next[number], at = at, at+count
		}
		sh.to[class] = int(at)
	}
	c.order = column.Resize(c.order, len(c.of))
	for row, number := range c.of {
		at := s.next[number]
		s.next[number] = at + 1
		c.order[at] = int32(row)
	}
}

// AddTo folds the collected rows that belong to a shard into a fold, as Fold.Add would, and returns their offsets and whose
// they are; both are valid until the splitter or the fold is used again. Each entity is one stretch, with its rows in the order
// in which they were split. No rows of the shard may be added twice.
func (s *Splitter) AddTo(f *Fold, shard int) (offsets []int64, entities []Stretch) {
	invariant.Check(f.plan == s.plan, "adding rows of one plan to a fold of another")
	f.touched = f.touched[:0]
	if s.Len(shard) == 0 {
		return nil, nil
	}
	sh, r := &s.shards[shard], s.reader
	if f.Len() == 0 {
		f.table.skip = uint8(64 - s.shift)
	}
	f.find(&s.keyed, s.unknown(shard, f))
	for i := range r.classes {
		c := &r.classes[i]
		c.chosen.row = s.upTo(sh.to[i])[sh.from[i]:]
		c.chosen.ofShard(sh, i, s.keyed.slot)
		class := &r.binding.classes[i]
		if i == 1 && f.deferring {
			if k := s.chunk(shard); k != nil {
				f.putBy(k, c.chosen.slot)
			}
			continue
		}
		sorted := c.arrange(r, class)
		if i == 0 {
			f.account(&c.chosen, r.binding.rank, &sorted.batch)
			f.grow()
		}
		f.foldClass(&c.chosen, r.reader, class, sorted)
	}
	return r.classes[0].sorted.batch.Offset[sh.from[0]:sh.to[0]], r.classes[0].chosen.stretches
}

// unknown returns the numbers of those keys of a shard that have rows, and were not looked up in a fold before.
func (s *Splitter) unknown(shard int, f *Fold) []int32 {
	sh := &s.shards[shard]
	if sh.era != f.era && sh.era != 0 {
		for number, hash := range s.keyed.hash {
			if hash>>s.shift == uint64(shard) {
				s.keyed.slot[number] = -1
			}
		}
	}
	sh.era = f.era
	s.keys = slices.Grow(s.keys[:0], len(sh.keys))[:len(sh.keys)]
	n := 0
	for _, number := range sh.keys {
		s.keys[n] = number
		n += int(uint32(s.keyed.slot[number]) >> 31)
	}
	return s.keys[:n]
}

// Only makes the splitter expect that it adds to the shards [from, to) only, until it is told otherwise; of others that takes
// longer. At first all are expected.
func (s *Splitter) Only(from, to int) { s.from, s.to = from, to }

// chunk returns the rows of the second class of a shard; nil if there are none. Those of all live shards are made at once.
func (s *Splitter) chunk(shard int) *chunk {
	c, class := &s.reader.classes[1], &s.reader.binding.classes[1]
	rows := func(i int) []int32 { return c.order[s.shards[i].from[1]:s.shards[i].to[1]] }
	if s.chunks == nil {
		lists := make([][]int32, len(s.shards))
		for i := s.from; i < s.to; i++ {
			lists[i] = rows(i)
		}
		s.chunks = c.pack(s.reader, class, lists)
	}
	k := s.chunks[shard]
	if s.chunks[shard] = nil; k == nil && len(rows(shard)) > 0 {
		k = c.pack(s.reader, class, [][]int32{rows(shard)})[0]
	}
	return k
}

// upTo returns 0, 1, 2, … up to n.
func (s *Splitter) upTo(n int) []int32 {
	if n > cap(s.all) {
		s.all = slices.Grow(s.all, max(n, 2*cap(s.all))-len(s.all))
	}
	for i := len(s.all); i < n; i++ {
		s.all = append(s.all, int32(i))
	}
	return s.all[:n]
}

// ofShard finds the slots and stretches of the arranged rows of a shard that are of a class.
func (c *chosen) ofShard(sh *shardRows, class int, slotOf []int32) {
	n := sh.to[class] - sh.from[class]
	c.slot, c.stretches = slices.Grow(c.slot[:0], n)[:n], slices.Grow(c.stretches[:0], len(sh.keys))
	at := int32(0)
	for i, number := range sh.keys {
		count := sh.counts[class][i]
		if count == 0 {
			continue
		}
		slot, end := slotOf[number], at+count
		for ; at < end; at++ {
			c.slot[at] = slot
		}
		c.stretches = append(c.stretches, Stretch{slot, end})
	}
}

// picked are rows of the last batch and the numbers of their keys.
type picked struct {
	wanted []bool   // by number of key
	list   []uint64 // number of key, then row
	rows   []int32
}

// Hashes returns the hashes of the keys of the rows that are collected, and of kept keys, each of which had rows before. They
// are valid until the splitter is used again.
func (s *Splitter) Hashes() []uint64 { return s.keyed.hash }

// Each calls yield with every key of the batch that was split last whose hash is wanted: its hash, its bytes and its rows,
// in order; both slices are valid until the next call. Each key comes once. A key may be left out of later batches whose
// hash was not wanted once, or for which yield returned false.
func (s *Splitter) Each(wanted func(hash uint64) bool, yield func(hash uint64, key []byte, rows []int32) bool) {
	p := &s.picked
	p.list, p.rows = p.list[:0], p.rows[:0]
	for _, hash := range s.keyed.hash[len(p.wanted):] {
		p.wanted = append(p.wanted, wanted(hash))
	}
	for i, key := range s.keyed.of[s.last:] {
		if p.wanted[key] {
			p.list = append(p.list, uint64(key)<<32|uint64(s.keyed.row[i]))
		}
	}
	slices.Sort(p.list)
	for _, one := range p.list {
		p.rows = append(p.rows, int32(uint32(one)))
	}
	for from := 0; from < len(p.list); {
		key, to := p.list[from]>>32, from+1
		for to < len(p.list) && p.list[to]>>32 == key {
			to++
		}
		if p.wanted[key] = wanted(s.keyed.hash[key]); p.wanted[key] {
			p.wanted[key] = yield(s.keyed.hash[key], s.keyed.key(int(key)), p.rows[from:to])
		}
		from = to
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
