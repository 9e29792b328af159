package pebblestore

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/tidemark-io/tidemark/shared/lane"
)

// The first byte of a key says what it is.
const (
	kindVersion  = 'v' // "v"                                                                 → version
	kindManifest = 'f' // "f" view                                                            → seq (8 bytes) body
	kindMark     = 'm' // "m" namespace 0 lane name                                           → mark
	kindRow      = 'r' // "r" namespace 0 lane incarnation 0 (2 bytes: length of key) key name → tile
)

// layoutVersion is the number of this layout; a database with another one is refused.
const layoutVersion = "1"

func appendLane(dst []byte, kind byte, id lane.ID) []byte {
	dst = append(dst, kind)
	dst = append(dst, id.Namespace...)
	return append(dst, 0, byte(id.N))
}

func appendRow(dst []byte, id lane.RowID) []byte {
	dst = appendLane(dst, kindRow, id.Lane)
	dst = append(dst, id.Incarnation...)
	dst = append(dst, 0)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(id.Key)))
	return append(dst, id.Key...)
}

// parseRow reads what follows "r" namespace 0 in a field's key. prefix is the length of the row's part of rest; the
// row's key aliases rest.
func parseRow(namespace string, rest []byte) (id lane.RowID, prefix int, err error) {
	if len(rest) > 1 {
		n := rest[0]
		if inc, tail, ok := bytes.Cut(rest[1:], []byte{0}); ok && len(tail) >= 2 {
			size := int(binary.BigEndian.Uint16(tail))
			if len(tail) >= 2+size {
				id = lane.RowID{
					Lane:        lane.ID{Namespace: namespace, N: int(n)},
					Incarnation: lane.Incarnation(inc),
					Key:         tail[2 : 2+size],
				}
				return id, 1 + len(inc) + 1 + 2 + size, nil
			}
		}
	}
	return lane.RowID{}, 0, fmt.Errorf("%w: the key of a row of namespace %q does not read: %x", lane.ErrStore, namespace, rest)
}

// appendAfter appends to dst the smallest key above all that begin with prefix. A prefix always has a byte below 255:
// its first one.
func appendAfter(dst, prefix []byte) []byte {
	end := len(prefix)
	for end > 0 && prefix[end-1] == 0xff {
		end--
	}
	dst = append(dst, prefix[:end]...)
	dst[len(dst)-1]++
	return dst
}
