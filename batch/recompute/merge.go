package recompute

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/tidemark-io/tidemark/batch/runfile"
	"github.com/tidemark-io/tidemark/shared/view"
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

// merged is the states of one lane that its run files make together, in order of hash and key.
type merged struct {
	merger *view.Merger
	files  []*stream

	hash uint64
	key  []byte
	body []byte
	tile [][]byte // the row's tiles while it is merged
}

// stream is one file with the row that is its next.
type stream struct {
	file *runfile.Reader
	row  *runfile.Row // nil at the end
}

func (s *stream) advance() error {
	row, err := s.file.Next()
	if errors.Is(err, io.EOF) {
		s.row = nil
		return nil
	}
	s.row = row
	return err
}

// merge begins to merge files of one lane, of ascending runs, and takes them over.
func merge(plan *view.Plan, files []*runfile.Reader) (*merged, error) {
	m := &merged{merger: plan.NewMerger()}
	for _, f := range files {
		m.files = append(m.files, &stream{file: f})
	}
	for _, s := range m.files {
		if err := s.advance(); err != nil {
			return nil, errors.Join(err, m.close())
		}
	}
	return m, nil
}

func (m *merged) close() error {
	var errs []error
	for _, s := range m.files {
		errs = append(errs, s.file.Close())
	}
	return errors.Join(errs...)
}

func (s *stream) before(t *stream) bool {
	if t == nil || t.row == nil {
		return s.row != nil
	}
	if s.row == nil || s.row.Hash != t.row.Hash {
		return s.row != nil && s.row.Hash < t.row.Hash
	}
	return bytes.Compare(s.row.Key, t.row.Key) < 0
}

// next makes the next entity's hash, key and body the ones at hand; false at the end.
func (m *merged) next() (bool, error) {
	var least *stream
	for _, s := range m.files {
		if s.before(least) {
			least = s
		}
	}
	if least == nil {
		return false, nil
	}
	m.hash, m.key = least.row.Hash, append(m.key[:0], least.row.Key...)
	m.merger.Reset()
	for i, s := range m.files {
		if s.row == nil || s.row.Hash != m.hash || !bytes.Equal(s.row.Key, m.key) {
			continue
		}
		// The merger keeps the tile until the row is merged, and advancing the file overwrites it.
		if len(m.tile) <= i {
			m.tile = append(m.tile, make([][]byte, i+1-len(m.tile))...)
		}
		m.tile[i] = append(m.tile[i][:0], s.row.Tile...)
		if _, err := m.merger.AddTile(m.tile[i]); err != nil {
			return false, fmt.Errorf("row %q: %w", m.key, err)
		}
		if err := s.advance(); err != nil {
			return false, err
		}
	}
	if err := m.merger.Finish(); err != nil {
		return false, fmt.Errorf("row %q: %w", m.key, err)
	}
	m.body = m.merger.AppendBody(m.body[:0])
	return true, nil
}
