package arena

import "encoding/binary"

// Name stands for a key in a table: a short key as it is, a longer one by its hash. Short keys with equal names are equal,
// and no short key has the name of a long one, so that nobody has to look up their bytes.
type Name struct {
	low  uint64 // the first bytes of a short key, the first one lowest; the hash of a long one
	high uint64 // the next bytes, and the length of a short key in the top byte; longName
}

const (
	// maxShort is the length up to which keys are short, bytes: the last byte of a name is their length.
	maxShort = 15
	// longName marks the name of a long key: the length of no short one.
	longName = 0xff << 56
)

// ShortName returns the name of a key of n bytes, at most 15: those of low and then those of high, the lowest first. The
// bytes behind them are zero.
func ShortName(low, high uint64, n int) Name { return Name{low, high | uint64(n)<<56} }

// shortName returns the name of a short key.
func shortName(key []byte) Name {
	switch n := len(key); {
	case n > 8:
		return ShortName(binary.LittleEndian.Uint64(key), binary.LittleEndian.Uint64(key[n-8:])>>(8*(16-n)), n)
	case n >= 4:
		return ShortName(uint64(binary.LittleEndian.Uint32(key))|uint64(binary.LittleEndian.Uint32(key[n-4:]))<<(8*(n-4)), 0, n)
	case n > 0:
		return ShortName(uint64(key[0])|uint64(key[n/2])<<(8*(n/2))|uint64(key[n-1])<<(8*(n-1)), 0, n)
	}
	return Name{}
}

// Short tells whether the name is that of a short key.
func (n Name) Short() bool { return n.high < longName }

// known tells whether the name is that of a short key and not that of the empty one, which keys added in order have too.
func (n Name) known() bool { return n.high-1 < longName-1 }

// appendTo appends the key of a short name.
func (n Name) appendTo(dst []byte) []byte {
	from := len(dst)
	dst = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(dst, n.low), n.high)
	return dst[:from+int(n.high>>56)]
}
