package arena

import (
	"bytes"
	"hash/maphash"
	"math"
	"math/bits"

	"github.com/tidemark-io/tidemark/shared/invariant"
)

// minTable is the smallest hash table; a power of two, as all are.
const minTable = 16

// Keys interns byte strings: equal ones have equal numbers, counted from 0 in the order of their first appearance. The
// hash is a random one, but nothing that leaves the package depends on it.
type Keys struct {
	seed   maphash.Seed
	secret [2]uint64 // of the hash of short keys
	table  []uint32  // number + 1, 0 = free; linear probing, at most half full
	names  []Name    // by number
	ends   []int     // by number: where its bytes end
	sorted int       // so many keys, the first ones, are in order and not in the table
	bytes  []byte
}

// NewKeys returns an empty set of keys.
func NewKeys() Keys {
	seed := maphash.MakeSeed()
	secret := [2]uint64{maphash.Bytes(seed, []byte{0}), maphash.Bytes(seed, []byte{1}) | 1<<63}
	return Keys{seed: seed, secret: secret, table: make([]uint32, minTable)}
}

// Len returns the number of keys.
func (k *Keys) Len() int { return len(k.ends) }

// Bytes returns a key; it is valid until Reset.
func (k *Keys) Bytes(id uint64) []byte {
	from := 0
	if id > 0 {
		from = k.ends[id-1]
	}
	return k.bytes[from:k.ends[id]]
}

// AppendTo appends a key to dst.
func (k *Keys) AppendTo(dst []byte, id uint64) []byte {
	if name := k.names[id]; name.known() {
		return name.appendTo(dst)
	}
	return append(dst, k.Bytes(id)...)
}

// Head is HeadOf of a key.
func (k *Keys) Head(id uint64) uint64 {
	if name := k.names[id]; name.known() {
		return bits.ReverseBytes64(name.low)
	}
	return HeadOf(k.Bytes(id))
}

// ID returns the number of key, a new one if it was not seen since Reset.
func (k *Keys) ID(key []byte) uint64 { return k.IDOf(k.Name(key), key) }

// Name returns the name of a key, for IDOf and Touch.
func (k *Keys) Name(key []byte) Name {
	if len(key) > maxShort {
		return Name{maphash.Bytes(k.seed, key), longName}
	}
	return shortName(key)
}

// hash returns the hash of the key of this name. Two words are multiplied by a secret: to call the general function takes
// longer.
func (k *Keys) hash(name Name) uint64 {
	if !name.Short() {
		return name.low
	}
	hi, lo := bits.Mul64(name.low^k.secret[0], name.high^k.secret[1])
	return hi ^ lo
}

// AddSorted returns the number of a key that follows the last one in the order of bytes; all keys before must have been added
// so. Such keys are looked up by halves, later ones by their hash: who adds many, looks up few and forgets them all, as a
// reader of a row does, is spared the hashes.
func (k *Keys) AddSorted(key []byte) uint64 {
	if k.sorted != len(k.ends) {
		invariant.Fail("adding a key in order behind %d that are not", len(k.ends)-k.sorted)
	}
	k.sorted++
	return k.append(key, Name{})
}

// search returns the number of a key that was added in order, and whether it was.
func (k *Keys) search(key []byte) (id uint64, ok bool) {
	low, high := uint64(0), uint64(k.sorted)
	for low < high {
		mid := (low + high) / 2
		if bytes.Compare(k.Bytes(mid), key) < 0 {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low, low < uint64(k.sorted) && bytes.Equal(k.Bytes(low), key)
}

// Less tells whether a key is before another one in the order of bytes.
func (k *Keys) Less(a, b uint64) bool {
	if sorted := uint64(k.sorted); a < sorted && b < sorted {
		return a < b
	}
	return bytes.Compare(k.Bytes(a), k.Bytes(b)) < 0
}

// IDOf is ID of a key whose name is known; of a short one, whose name says it all, key may be nil.
func (k *Keys) IDOf(name Name, key []byte) uint64 {
	if k.sorted > 0 {
		var room [maxShort + 1]byte
		if key == nil {
			key = name.appendTo(room[:0])
		}
		if id, ok := k.search(key); ok {
			return id
		}
	}
	mask := uint64(len(k.table) - 1)
	for at := k.hash(name) & mask; ; at = (at + 1) & mask {
		entry := k.table[at]
		if entry == 0 {
			return k.add(key, name, at)
		}
		if id := uint64(entry - 1); k.names[id] == name && (name.Short() || bytes.Equal(k.Bytes(id), key)) {
			return id
		}
	}
}

// add adds a key to the table, at a free place.
func (k *Keys) add(key []byte, name Name, at uint64) uint64 {
	id := k.append(key, name)
	k.table[at] = uint32(id) + 1
	if 2*(len(k.ends)-k.sorted) > len(k.table) {
		k.rehash()
	}
	return id
}

// append adds a key, but not to the table.
func (k *Keys) append(key []byte, name Name) uint64 {
	id := len(k.ends)
	// The arguments of invariant.Check would be boxed for every new key: the branch stands here.
	if id >= math.MaxUint32 {
		invariant.Fail("interning more than %d keys", id)
	}
	if key != nil {
		k.bytes = append(k.bytes, key...)
	} else {
		k.bytes = name.appendTo(k.bytes)
	}
	k.ends = append(k.ends, len(k.bytes))
	k.names = append(k.names, name)
	return uint64(id)
}

// Expect makes the table large enough for n more keys: who knows how many will come spares the table from growing by and
// by.
func (k *Keys) Expect(n int) {
	if need := 2 * (len(k.ends) - k.sorted + n); need > len(k.table) {
		k.resize(1 << bits.Len(uint(need-1)))
	}
}

// rehash doubles the table.
func (k *Keys) rehash() { k.resize(2 * len(k.table)) }

// resize makes the table one of n entries, a power of two, in the memory of an earlier one if there is.
func (k *Keys) resize(n int) {
	clear(k.table)
	if n <= cap(k.table) {
		k.table = k.table[:n]
	} else {
		k.table = make([]uint32, n)
	}
	mask := uint64(n - 1)
	for id := k.sorted; id < len(k.names); id++ {
		at := k.hash(k.names[id]) & mask
		for k.table[at] != 0 {
			at = (at + 1) & mask
		}
		k.table[at] = uint32(id) + 1
	}
}

// Reset forgets all keys and keeps the memory. The table becomes small again, so that the next Reset costs as much as
// what was used until then, not as the most that ever was. What lies behind it is zero.
func (k *Keys) Reset() {
	clear(k.table)
	k.table = k.table[:minTable]
	k.names, k.ends, k.bytes = k.names[:0], k.ends[:0], k.bytes[:0]
	k.sorted = 0
}

// Size returns the memory in use, roughly.
func (k *Keys) Size() int64 {
	return int64(len(k.table))*4 + int64(len(k.ends))*24 + int64(len(k.bytes))
}
