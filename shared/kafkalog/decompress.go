package kafkalog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/segmentio/kafka-go/compress"
)

// The codecs of a batch's attributes.
const (
	codecGzip   = int(compress.Gzip)
	codecSnappy = int(compress.Snappy)
	codecLz4    = int(compress.Lz4)
	codecZstd   = int(compress.Zstd)
)

// codecs holds what decompressors keep from one batch to the next.
type codecs struct {
	src  bytes.Reader
	zstd *zstd.Decoder
}

// decompress returns a batch's records in the plain, in a buffer of the arena, at most batchBytes of them.
func (d *decoder) decompress(codec int, src []byte) ([]byte, error) {
	dst := d.plain.room(len(src))
	out, err := d.expand(codec, dst, src)
	if err != nil {
		return nil, err
	}
	d.plain.keep(out, len(src))
	d.budget -= len(out)
	return out, nil
}

// expand appends the decompressed src to dst, which is empty.
func (d *decoder) expand(codec int, dst, src []byte) ([]byte, error) {
	switch codec {
	case codecSnappy:
		return expandSnappy(dst, src, d.batchBytes)
	case codecZstd:
		return d.expandZstd(dst, src)
	case codecGzip, codecLz4:
		d.codecs.src.Reset(src)
		r := compress.Compression(codec).Codec().NewReader(&d.codecs.src)
		out, err := readAll(dst, r, d.batchBytes)
		return out, errors.Join(err, r.Close())
	default:
		return nil, fmt.Errorf("%w: codec %d", ErrUnsupported, codec)
	}
}

func (d *decoder) expandZstd(dst, src []byte) ([]byte, error) {
	if d.codecs.zstd == nil {
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(d.batchBytes)))
		if err != nil {
			return nil, err
		}
		d.codecs.zstd = z
	}
	return d.codecs.zstd.DecodeAll(src, dst)
}

// xerial is how Java producers frame snappy: this magic, two versions, then blocks with their lengths. Other clients
// write one bare block.
var xerial = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

const xerialHeaderBytes = 16

// expandSnappy is ours because kafka-go's reader allocates whatever length a block claims.
func expandSnappy(dst, src []byte, limit int) ([]byte, error) {
	if !bytes.HasPrefix(src, xerial) || len(src) < xerialHeaderBytes {
		return expandBlock(dst, src, limit)
	}
	src = src[xerialHeaderBytes:]
	for len(src) > 0 {
		if len(src) < 4 {
			return nil, io.ErrUnexpectedEOF
		}
		n := binary.BigEndian.Uint32(src)
		if uint64(n) > uint64(len(src)-4) {
			return nil, io.ErrUnexpectedEOF
		}
		var err error
		if dst, err = expandBlock(dst, src[4:4+n], limit); err != nil {
			return nil, err
		}
		src = src[4+n:]
	}
	return dst, nil
}

// expandBlock appends one decompressed snappy block to dst.
func expandBlock(dst, block []byte, limit int) ([]byte, error) {
	n, err := snappy.DecodedLen(block)
	if err != nil {
		return nil, err
	}
	at := len(dst)
	if n > limit-at {
		return nil, fmt.Errorf("%w: decompresses to more than %d bytes", ErrTooLarge, limit)
	}
	if at+n > cap(dst) {
		dst = append(make([]byte, 0, at+n), dst...)
	}
	if _, err := snappy.Decode(dst[at:at+n], block); err != nil {
		return nil, err
	}
	return dst[:at+n], nil
}

// readAll appends all that r yields to dst, at most limit bytes.
func readAll(dst []byte, r io.Reader, limit int) ([]byte, error) {
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if len(dst) > limit {
			return nil, fmt.Errorf("%w: decompresses to more than %d bytes", ErrTooLarge, limit)
		}
		if errors.Is(err, io.EOF) {
			return dst, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
