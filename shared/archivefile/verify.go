package archivefile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/tidemark-io/tidemark/shared/column"
)

// Verify reads every byte of the file: all row groups as they were written, the indexes that only other programs read, and
// compares rows, rejections, append times and content with the footer. Any change of the file since it was written is an
// error of class ErrDamaged.
func (r *Reader) Verify(ctx context.Context) error {
	if err := r.verifyIndexes(); err != nil {
		return r.wrap("its indexes are not as written", err)
	}
	src := r.footer.Source
	fields := make([]int, len(src.Fields))
	for i := range fields {
		fields[i] = i
	}
	// A Writer that never writes counts and digests just as the one that wrote the file did.
	w := NewWriter(nil, "", &src, r.footer.Partition.ID, r.footer.Range.From)
	digest := sha256.New()
	err := r.readGroups(ctx, &src, fields, Everything(&src), func(b *column.Batch) error {
		if err := w.check(b, 0, b.N); err != nil {
			return r.wrap("its rows are out of order", err)
		}
		for i := range b.N {
			w.count(b, i)
		}
		appendRows(w.group, b, 0, b.N)
		digestGroup(digest, w.group)
		w.group.Reset(b.Partition)
		return nil
	})
	if err != nil {
		return err
	}
	found := w.footer
	found.Range, found.Decoder, found.Lost, found.Content = r.footer.Range, r.footer.Decoder, r.footer.Lost, hex.EncodeToString(digest.Sum(nil))
	if !found.Equal(r.footer) {
		return r.wrap("its rows are not those of its footer", fmt.Errorf("%d rows, %d rejected, appended from %d to %d, content %s",
			found.Rows, found.Rejects, found.AppendMin, found.AppendMax, found.Content))
	}
	return nil
}

func (r *Reader) verifyIndexes() error {
	magic, err := readRange(r.r, 0, int64(len(parquetMagic)))
	if err != nil {
		return err
	}
	if string(magic) != parquetMagic {
		return errors.New("it does not begin with " + parquetMagic)
	}
	sum, err := checksumRange(r.r, r.dataEnd, r.sealStart-r.dataEnd, make([]byte, readBuffer))
	if err == nil && sum != r.seal.indexes {
		err = errors.New("the indexes have another checksum than the seal says")
	}
	return err
}
