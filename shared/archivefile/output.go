package archivefile

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/parquet-go/parquet-go/format"
)

// writeBuffer and readBuffer are the sizes in which a temporary file is written, and read back for its checksums.
const (
	writeBuffer = 256 << 10
	readBuffer  = 256 << 10
)

// output is where the Parquet library writes to: the temporary file, and for everything behind the last row group memory,
// because the seal has to go in front of the footer.
type output struct {
	file   File
	path   string
	buffer *bufio.Writer
	size   int64 // bytes in file
	tail   *bytes.Buffer
	closed bool
}

func newOutput(file File, path string) *output {
	return &output{file: file, path: path, buffer: bufio.NewWriterSize(file, writeBuffer)}
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	if o.tail != nil {
		return o.tail.Write(p)
	}
	n, err := o.buffer.Write(p)
	o.size += int64(n)
	return n, err
}

// holdTail keeps what is written from now on in memory.
func (o *output) holdTail() error {
	if err := o.buffer.Flush(); err != nil {
		return err
	}
	o.tail = &bytes.Buffer{}
	return nil
}

// seal computes the checksums of the chunks as they stand in the file, writes what was held back with the seal in it, and
// makes the file durable.
func (o *output) seal(chunks []chunk) error {
	tail := o.tail.Bytes()
	o.tail = nil
	start := len(tail) - footerTail - int(binary.LittleEndian.Uint32(tail[len(tail)-footerTail:]))
	indexes, footer := tail[:start], tail[start:]
	s := seal{chunks: make([]uint32, len(chunks))}
	buffer := make([]byte, readBuffer)
	for i, c := range chunks {
		if c.offset+c.size > o.size {
			return fmt.Errorf("column chunk [%d,%d) of a file of %d bytes", c.offset, c.offset+c.size, o.size)
		}
		var err error
		if s.chunks[i], err = checksumRange(o.file, c.offset, c.size, buffer); err != nil {
			return err
		}
	}
	// A file without rows has its first magic in the tail.
	s.indexes = checksumBytes(indexes[max(0, int64(len(parquetMagic))-o.size):])
	for _, part := range [][]byte{indexes, s.append(nil, footer), footer} {
		if _, err := o.Write(part); err != nil {
			return err
		}
	}
	if err := o.buffer.Flush(); err != nil {
		return err
	}
	if err := o.file.Sync(); err != nil {
		return fmt.Errorf("syncing: %w", err)
	}
	return o.close()
}

// close closes the file, once.
func (o *output) close() error {
	if o.closed {
		return nil
	}
	o.closed = true
	if err := o.file.Close(); err != nil {
		return fmt.Errorf("closing temporary file: %w", err)
	}
	return nil
}

// chunk is where a column chunk lies in a file.
type chunk struct{ offset, size int64 }

// chunksOf returns the column chunks by row group, then column.
func chunksOf(m *format.FileMetaData) []chunk {
	var chunks []chunk
	for g := range m.RowGroups {
		for c := range m.RowGroups[g].Columns {
			meta := &m.RowGroups[g].Columns[c].MetaData
			at := meta.DataPageOffset
			if meta.DictionaryPageOffset != 0 {
				at = meta.DictionaryPageOffset
			}
			chunks = append(chunks, chunk{offset: at, size: meta.TotalCompressedSize})
		}
	}
	return chunks
}

var errChunks = errors.New("its column chunks do not lie one behind the other")

// checkChunks checks that the chunks fill [4, end) without holes and returns where they end.
func checkChunks(chunks []chunk, limit int64) (end int64, err error) {
	end = int64(len(parquetMagic))
	for _, c := range chunks {
		if c.offset != end || c.size < 0 || c.size > limit-end {
			return 0, errChunks
		}
		end += c.size
	}
	return end, nil
}
