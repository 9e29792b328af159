package recompute

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
)

// digester sums up the states of entities in order of hash and key: SHA-256 over, for each, the length of its key, the
// key, the length of its canonical body and the body (lengths as 8 bytes, big endian). It says the same of merged run
// files and of a recompute from the whole archive at the same cut.
type digester struct{ h hash.Hash }

func newDigester() digester { return digester{sha256.New()} }

func (d digester) add(key, body []byte) {
	var n [8]byte
	for _, b := range [][]byte{key, body} {
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		d.h.Write(n[:])
		d.h.Write(b)
	}
}

func (d digester) sum() []byte { return d.h.Sum(nil) }

// combine returns the digest of all lanes, in hex.
func combine(lanes []digester) string {
	h := sha256.New()
	for _, d := range lanes {
		h.Write(d.sum())
	}
	return hex.EncodeToString(h.Sum(nil))
}
