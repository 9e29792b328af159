package archivefile

import (
	"bytes"
	"slices"

	"github.com/tidemark-io/tidemark/shared/schema"
)

// OpenBytes opens a file that is in memory; its name and folder are not looked at.
func OpenBytes(b []byte) (*Reader, error) {
	return newReader(bytes.NewReader(b), int64(len(b)), "in memory")
}

// Reseal returns the file with checksums that fit its bytes, so that a test can show the reader damage that no checksum
// tells. It returns false if there is no seal to be found.
func Reseal(b []byte) ([]byte, bool) {
	s, start, footer, ok := sealOf(b)
	if !ok {
		return nil, false
	}
	r, err := newReader(bytes.NewReader(append(append(append([]byte(nil), b[:start]...), s.append(nil, footer)...), footer...)), int64(len(b)), "")
	if err != nil {
		return nil, false
	}
	for i, c := range r.chunks {
		s.chunks[i] = checksumBytes(b[c.offset : c.offset+c.size])
	}
	s.indexes = checksumBytes(b[r.dataEnd:start])
	return append(append(append([]byte(nil), b[:start]...), s.append(nil, footer)...), footer...), true
}

// sealOf takes a file apart by lengths alone.
func sealOf(b []byte) (s *seal, start int, footer []byte, ok bool) {
	if len(b) < minimumSize {
		return nil, 0, nil, false
	}
	length := int(uint32At(b, len(b)-footerTail))
	at := len(b) - footerTail - length - sealTrailer
	if length < 0 || at < len(parquetMagic) {
		return nil, 0, nil, false
	}
	n := int(uint32At(b, at))
	if start = at - 4*(n+1); n < 0 || n > len(b) || start < len(parquetMagic) {
		return nil, 0, nil, false
	}
	return &seal{chunks: make([]uint32, n)}, start, b[at+sealTrailer:], true
}

func uint32At(b []byte, at int) uint32 {
	return uint32(b[at]) | uint32(b[at+1])<<8 | uint32(b[at+2])<<16 | uint32(b[at+3])<<24
}

// DecodeTopic reads the bytes of a source's topic.json.
func DecodeTopic(source string, b []byte) (schema.Topic, error) {
	return decodeTopic("topic.json", source, b)
}

// ChunkAt returns where in the file the named system column of the first row group begins.
func (r *Reader) ChunkAt(name string) int64 {
	return r.chunks[slices.Index(systemNames[:], name)].offset
}
