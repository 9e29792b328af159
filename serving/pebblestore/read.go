package pebblestore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidemark-io/tidemark/serving/storelimit"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
)

// Marks returns the marks of each lane.
func (s *Store) Marks(ctx context.Context, lanes []lane.ID) ([]lane.Marks, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	out := make([]lane.Marks, len(lanes))
	for i, id := range lanes {
		if err := errors.Join(ctx.Err(), storelimit.Lane(id)); err != nil {
			return nil, err
		}
		marks, err := s.stripe(id).read(s, id, nil)
		if err != nil {
			return nil, err
		}
		out[i] = copyMarks(marks)
	}
	return out, nil
}

// Rows returns the values of each row, all rows at one instant.
func (s *Store) Rows(ctx context.Context, rows []lane.RowID) (out [][][]byte, err error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	it, err := s.db.NewIter(nil)
	if err != nil {
		return nil, fmt.Errorf("%w: reading rows: %w", lane.ErrStore, err)
	}
	r := rowReader{it: it}
	defer func() { err = errors.Join(err, r.close()) }()
	out = make([][][]byte, len(rows))
	for i, id := range rows {
		if err := errors.Join(ctx.Err(), storelimit.Row(id)); err != nil {
			return nil, err
		}
		if out[i], err = r.values(id); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Exact returns each row with its lane's marks of the same instant. Neighbours of one lane share an instant.
func (s *Store) Exact(ctx context.Context, rows []lane.RowID) (out []lane.Exact, err error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	var (
		r     rowReader
		marks lane.Marks
	)
	defer func() { err = errors.Join(err, r.close()) }()
	out = make([]lane.Exact, len(rows))
	for i, id := range rows {
		if err := errors.Join(ctx.Err(), storelimit.Row(id)); err != nil {
			return nil, err
		}
		if i == 0 || id.Lane != rows[i-1].Lane {
			// An iterator sees what was committed before it was made, and no commit to the lane runs meanwhile.
			marks, err = s.stripe(id.Lane).read(s, id.Lane, func() error { return r.renew(s.db) })
			if err != nil {
				return nil, err
			}
		}
		out[i].Marks = copyMarks(marks)
		if out[i].Fields, err = r.fields(id); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// rowReader reads rows through one iterator, and so as they were when that was made.
type rowReader struct {
	it    *pebble.Iterator
	lower []byte
	upper []byte
	ends  []int
	buf   []byte
}

func (r *rowReader) renew(db *pebble.DB) error {
	if err := r.close(); err != nil {
		return err
	}
	it, err := db.NewIter(nil)
	if err != nil {
		return fmt.Errorf("%w: reading rows: %w", lane.ErrStore, err)
	}
	r.it = it
	return nil
}

func (r *rowReader) close() error {
	if r.it == nil {
		return nil
	}
	err := r.it.Close()
	r.it = nil
	if err != nil {
		return fmt.Errorf("%w: reading rows: %w", lane.ErrStore, err)
	}
	return nil
}

// values returns the values of a row's fields, all in one new array.
func (r *rowReader) values(id lane.RowID) ([][]byte, error) {
	r.buf, r.ends = r.buf[:0], r.ends[:0]
	err := r.each(id, func(_, value []byte) {
		r.buf = append(r.buf, value...)
		r.ends = append(r.ends, len(r.buf))
	})
	if err != nil {
		return nil, err
	}
	data := bytes.Clone(r.buf)
	values := make([][]byte, len(r.ends))
	from := 0
	for i, end := range r.ends {
		values[i] = data[from:end:end]
		from = end
	}
	return values, nil
}

func (r *rowReader) fields(id lane.RowID) ([]lane.Field, error) {
	fields := []lane.Field{}
	err := r.each(id, func(name, value []byte) {
		fields = append(fields, lane.Field{Name: string(name), Value: append([]byte{}, value...)})
	})
	return fields, err
}

// each passes the fields of a row in order of names; the slices are valid during the call.
func (r *rowReader) each(id lane.RowID, f func(name, value []byte)) error {
	r.lower = appendRow(r.lower[:0], id)
	r.upper = appendAfter(r.upper[:0], r.lower)
	r.it.SetBounds(r.lower, r.upper)
	for ok := r.it.First(); ok; ok = r.it.Next() {
		value, err := r.it.ValueAndErr()
		if err != nil {
			return fmt.Errorf("%w: reading a row of lane %s: %w", lane.ErrStore, id.Lane, err)
		}
		f(r.it.Key()[len(r.lower):], value)
	}
	if err := r.it.Error(); err != nil {
		return fmt.Errorf("%w: reading a row of lane %s: %w", lane.ErrStore, id.Lane, err)
	}
	return nil
}

// scanChunkRows is the number of rows after which a scan takes a new iterator: an old one keeps Pebble from deleting
// what was superseded meanwhile.
const scanChunkRows = 4096

// Scan yields every row of the namespace, in order of lanes and incarnations; yield may use the store.
func (s *Store) Scan(ctx context.Context, namespace string, yield func(lane.RowID) error) error {
	if err := errors.Join(ctx.Err(), storelimit.Namespace(namespace)); err != nil {
		return err
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	prefix := append([]byte{kindRow}, namespace...)
	prefix = append(prefix, 0)
	end := appendAfter(nil, prefix)
	from := prefix
	for from != nil {
		var err error
		if from, err = s.scanChunk(ctx, namespace, from, end, yield); err != nil {
			return err
		}
	}
	return nil
}

// scanChunk yields rows from the key from on and returns the key to go on from, nil at the end.
func (s *Store) scanChunk(
	ctx context.Context, namespace string, from, end []byte, yield func(lane.RowID) error,
) (next []byte, err error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: end})
	if err != nil {
		return nil, fmt.Errorf("%w: scanning %s: %w", lane.ErrStore, namespace, err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	ok := it.First()
	for range scanChunkRows {
		if !ok {
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		head := 1 + len(namespace) + 1
		id, size, err := parseRow(namespace, it.Key()[head:])
		if err != nil {
			return nil, err
		}
		next = appendAfter(next[:0], it.Key()[:head+size])
		if err := yield(id); err != nil {
			return nil, err
		}
		ok = it.SeekGE(next)
	}
	if err := it.Error(); err != nil {
		return nil, fmt.Errorf("%w: scanning %s: %w", lane.ErrStore, namespace, err)
	}
	if !ok {
		return nil, nil
	}
	return next, nil
}

func manifestKey(view string) []byte { return append([]byte{kindManifest}, view...) }

// Manifest returns the manifest of a view.
func (s *Store) Manifest(ctx context.Context, view string) (int64, []byte, error) {
	if err := errors.Join(ctx.Err(), storelimit.View(view)); err != nil {
		return 0, nil, err
	}
	if err := s.enter(); err != nil {
		return 0, nil, err
	}
	defer s.leave()
	return s.manifest(view)
}

func (s *Store) manifest(view string) (int64, []byte, error) {
	v, err := s.get(manifestKey(view))
	if err != nil || v == nil {
		return 0, nil, err
	}
	if len(v) < 8 || binary.BigEndian.Uint64(v) > position.MaxOffset {
		return 0, nil, fmt.Errorf("%w: the manifest of %s does not read", lane.ErrStore, view)
	}
	return int64(binary.BigEndian.Uint64(v)), v[8:], nil
}

// PutManifest sets the manifest of a view unless the one there is as new.
func (s *Store) PutManifest(ctx context.Context, view string, seq int64, body []byte) (bool, error) {
	if err := errors.Join(ctx.Err(), storelimit.Manifest(view, seq, body)); err != nil {
		return false, err
	}
	if err := s.enter(); err != nil {
		return false, err
	}
	defer s.leave()
	// Any one lock serves; manifests are rare.
	s.stripes[0].mu.Lock()
	defer s.stripes[0].mu.Unlock()
	old, _, err := s.manifest(view)
	if err != nil || old >= seq {
		return false, err
	}
	v := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(body)), uint64(seq))
	if err := s.db.Set(manifestKey(view), append(v, body...), pebble.NoSync); err != nil {
		return false, fmt.Errorf("%w: writing the manifest of %s: %w", lane.ErrStore, view, err)
	}
	return true, nil
}
