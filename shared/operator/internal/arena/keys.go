package arena

import (
	"bytes"
	"encoding/binary"
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
	hashes []uint64  // by number
	ends   []int     // by number: where its bytes end
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

// ID returns the number of key, a new one if it was not seen since Reset.
func (k *Keys) ID(key []byte) uint64 { return k.IDOf(k.Hash(key), key) }

// Hash returns the hash of a key, for IDOf and Touch. A short key, as most are, is one word and its length, which are
// multiplied by a secret: to call the general function takes longer.
func (k *Keys) Hash(key []byte) uint64 {
	if len(key) > 8 {
		return maphash.Bytes(k.seed, key)
	}
	hi, lo := bits.Mul64(short(key)^k.secret[0], uint64(len(key))^k.secret[1])
	return hi ^ lo
}

// short returns the bytes of a key of at most eight as a word: different ones of keys of one length.
func short(key []byte) uint64 {
	switch n := len(key); {
	case n >= 4:
		return uint64(binary.LittleEndian.Uint32(key)) | uint64(binary.LittleEndian.Uint32(key[n-4:]))<<32
	case n > 0:
		return uint64(key[0]) | uint64(key[n/2])<<8 | uint64(key[n-1])<<16
	}
	return 0
}

// IDOf is ID of a key whose hash is known.
func (k *Keys) IDOf(hash uint64, key []byte) uint64 {
	mask := uint64(len(k.table) - 1)
	for at := hash & mask; ; at = (at + 1) & mask {
		entry := k.table[at]
		if entry == 0 {
			return k.add(key, hash, at)
		}
		if id := uint64(entry - 1); k.hashes[id] == hash && bytes.Equal(k.Bytes(id), key) {
			return id
		}
	}
}

func (k *Keys) add(key []byte, hash, at uint64) uint64 {
	id := len(k.ends)
	// The arguments of invariant.Check would be boxed for every new key: the branch stands here.
	if id >= math.MaxUint32 {
		invariant.Fail("interning more than %d keys", id)
	}
	k.bytes = append(k.bytes, key...)
	k.ends = append(k.ends, len(k.bytes))
	k.hashes = append(k.hashes, hash)
	k.table[at] = uint32(id) + 1
	if 2*len(k.ends) > len(k.table) {
		k.rehash()
	}
	return uint64(id)
}

// Expect makes the table large enough for n more keys: who knows how many will come spares the table from growing by and
// by.
func (k *Keys) Expect(n int) {
	if need := 2 * (len(k.ends) + n); need > len(k.table) {
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
	for id, hash := range k.hashes {
		at := hash & mask
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
	k.hashes, k.ends, k.bytes = k.hashes[:0], k.ends[:0], k.bytes[:0]
}

// Size returns the memory in use, roughly.
func (k *Keys) Size() int64 {
	return int64(len(k.table))*4 + int64(len(k.ends))*16 + int64(len(k.bytes))
}
