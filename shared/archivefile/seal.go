package archivefile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// The seal stands between the last Parquet structure and the Parquet footer, where other readers never look:
//
//	n × u32   CRC-32C of each column chunk, by row group, then column
//	u32       CRC-32C of what lies between the last chunk and the seal (the indexes)
//	u32       n
//	u32       CRC-32C of everything above in the seal, then of the footer with its length and magic
//	8 bytes   "TIDEMARK"
//
// All integers are little-endian. The Parquet footer follows: metadata, its length (u32), "PAR1".
const (
	sealMagic   = "TIDEMARK"
	sealTrailer = 4 + 4 + len(sealMagic) // n, checksum, magic
	footerTail  = 4 + len(parquetMagic)
	// minimumSize is the size of the smallest conceivable file: magic, seal of no chunk, footer of no metadata.
	minimumSize  = len(parquetMagic) + 4 + sealTrailer + footerTail
	parquetMagic = "PAR1"
)

// maximumFooter bounds the metadata that is read into memory: a file of 1,024 fields and 1,000 row groups takes 150 MB.
const maximumFooter = 256 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal holds the checksums of a file.
type seal struct {
	chunks  []uint32
	indexes uint32
}

// append appends the encoded seal for a file whose metadata with length and magic is footer.
func (s *seal) append(dst, footer []byte) []byte {
	start := len(dst)
	for _, c := range s.chunks {
		dst = binary.LittleEndian.AppendUint32(dst, c)
	}
	dst = binary.LittleEndian.AppendUint32(dst, s.indexes)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(s.chunks)))
	sum := crc32.Update(crc32.Checksum(dst[start:], castagnoli), castagnoli, footer)
	dst = binary.LittleEndian.AppendUint32(dst, sum)
	return append(dst, sealMagic...)
}

var errNoSeal = errors.New("it ends before it is complete, or another program wrote it")

// readSeal reads and checks the seal at the end of a file of the given size. It returns where the seal begins. Errors of
// r that are not its end are returned as they are and wrap errReading.
func readSeal(r io.ReaderAt, size int64) (s *seal, start int64, err error) {
	if size < int64(minimumSize) {
		return nil, 0, fmt.Errorf("%d bytes: %w", size, errNoSeal)
	}
	tail, err := readRange(r, size-int64(footerTail), int64(footerTail))
	if err != nil {
		return nil, 0, err
	}
	metadata := int64(binary.LittleEndian.Uint32(tail))
	magicAt := size - int64(footerTail) - metadata - int64(sealTrailer)
	if string(tail[4:]) != parquetMagic || metadata > maximumFooter || magicAt < int64(len(parquetMagic)) {
		return nil, 0, errNoSeal
	}
	end, err := readRange(r, magicAt, size-magicAt)
	if err != nil {
		return nil, 0, err
	}
	n := int64(binary.LittleEndian.Uint32(end))
	start = magicAt - 4*(n+1)
	if string(end[8:sealTrailer]) != sealMagic || start < int64(len(parquetMagic)) {
		return nil, 0, errNoSeal
	}
	sums, err := readRange(r, start, magicAt-start)
	if err != nil {
		return nil, 0, err
	}
	sum := crc32.Update(crc32.Checksum(sums, castagnoli), castagnoli, end[:4])
	if sum = crc32.Update(sum, castagnoli, end[sealTrailer:]); sum != binary.LittleEndian.Uint32(end[4:]) {
		return nil, 0, errors.New("its footer has another checksum than its seal says")
	}
	s = &seal{chunks: make([]uint32, n), indexes: binary.LittleEndian.Uint32(sums[4*n:])}
	for i := range s.chunks {
		s.chunks[i] = binary.LittleEndian.Uint32(sums[4*i:])
	}
	return s, start, nil
}

// errReading is the class of errors of the file system below, which say nothing about the file's content.
var errReading = errors.New("reading failed")

// readRange reads n bytes at offset.
func readRange(r io.ReaderAt, offset, n int64) ([]byte, error) {
	b := make([]byte, n)
	return b, readFull(r, b, offset)
}

// readFull fills b from offset on. A file that ends before is damaged; any other error is the file system's.
func readFull(r io.ReaderAt, b []byte, offset int64) error {
	switch n, err := r.ReadAt(b, offset); {
	case n == len(b):
		return nil
	case errors.Is(err, io.EOF):
		return fmt.Errorf("it ends at byte %d, expected %d", offset+int64(n), offset+int64(len(b)))
	default:
		return fmt.Errorf("%w: %w", errReading, err)
	}
}

// checksumRange returns the CRC-32C of n bytes at offset, read in pieces through buffer.
func checksumRange(r io.ReaderAt, offset, n int64, buffer []byte) (uint32, error) {
	sum := uint32(0)
	for n > 0 {
		piece := buffer[:min(n, int64(len(buffer)))]
		if err := readFull(r, piece, offset); err != nil {
			return 0, err
		}
		sum = crc32.Update(sum, castagnoli, piece)
		offset, n = offset+int64(len(piece)), n-int64(len(piece))
	}
	return sum, nil
}
