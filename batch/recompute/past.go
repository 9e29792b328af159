package recompute

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/tidemark-io/tidemark/batch/runfile"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
)

// Bases says of each hash range in which run's files its bases are; 0 for a range that is left out.
type Bases [lane.MaxLanes]int64

// ErrPast is the class of errors about files of earlier runs that do not give what is merged from them. They wrap the
// reader's own, which names the file and the cure.
var ErrPast = errors.New("files of earlier runs do not read")

// past is what the files of earlier runs hold of one lane, hash range by hash range and in order of hash and key: of a
// range, the rows of the file with its bases and of all files after it. Entities come one by one: peek, then merge as often
// as need be, then advance.
//
// Of each file one block is in memory; as many files are open as there are runs from the oldest with bases on, from the
// first peek until close.
type past struct {
	bases *Bases
	last  int64 // newest run whose file takes part
	open  func(run int64) (*runfile.Reader, error)

	mergers *sync.Pool   // of *view.Merger
	merger  *view.Merger // from the first merge until close
	files   map[int64]*runfile.Reader
	ranges  []int // those that are still to be read
	run     []stream
	equal   []*stream // whose next rows are of the entity at hand; none while that is to be found
	body    []byte
	read    int64 // rows
	bytes   int64 // of their tiles
}

// stream is the rows of one hash range in one file.
type stream struct {
	file *runfile.Reader
	left int64        // rows behind row
	row  *runfile.Row // nil at the end
}

// newPast returns the past of a lane out of so many. Mergers are dear to make, and are taken from a pool. open opens the
// lane's file of a run.
func newPast(mergers *sync.Pool, n, lanes int, bases *Bases, last int64, open func(run int64) (*runfile.Reader, error)) *past {
	p := &past{bases: bases, last: last, open: open, mergers: mergers, files: map[int64]*runfile.Reader{}}
	each := lane.MaxLanes / lanes
	for r := n * each; r < (n+1)*each; r++ {
		if bases[r] > 0 {
			p.ranges = append(p.ranges, r)
		}
	}
	return p
}

// peek tells whether there is a next entity, and makes it the one at hand.
func (p *past) peek() (bool, error) {
	for len(p.equal) == 0 {
		if p.gather(); len(p.equal) > 0 {
			return true, nil
		}
		if len(p.ranges) == 0 {
			return false, nil
		}
		r := p.ranges[0]
		p.ranges = p.ranges[1:]
		if err := p.enter(r); err != nil {
			return false, fmt.Errorf("%w: %w", ErrPast, err)
		}
	}
	return true, nil
}

// enter begins a hash range.
func (p *past) enter(r int) error {
	p.run = p.run[:0]
	for run := p.bases[r]; run <= p.last; run++ {
		file := p.files[run]
		if file == nil {
			var err error
			if file, err = p.open(run); err != nil {
				return err
			}
			p.files[run] = file
		}
		rows, err := file.SeekRange(r)
		if err != nil {
			return err
		}
		s := stream{file: file, left: rows}
		if err := s.advance(); err != nil {
			return err
		}
		p.run = append(p.run, s)
	}
	return nil
}

func (s *stream) advance() (err error) {
	if s.left == 0 {
		s.row = nil
		return nil
	}
	s.left--
	if s.row, err = s.file.Next(); errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // the file's index promised a row
	}
	return err
}

// gather finds the streams whose next row is of the least entity.
func (p *past) gather() {
	for i := range p.run {
		s := &p.run[i]
		if s.row == nil {
			continue
		}
		order := -1
		if len(p.equal) > 0 {
			order = compareKeys(s.row, p.row())
		}
		if order < 0 {
			p.equal = p.equal[:0]
		}
		if order <= 0 {
			p.equal = append(p.equal, s)
		}
	}
}

func compareKeys(a, b *runfile.Row) int {
	// Hashes nearly always decide.
	if a.Hash != b.Hash {
		return cmp.Compare(a.Hash, b.Hash)
	}
	return bytes.Compare(a.Key, b.Key)
}

// row returns the oldest row of the entity at hand.
func (p *past) row() *runfile.Row { return p.equal[0].row }

// merge returns the canonical body of the entity at hand, with one more tile if that is not nil. It is valid until the
// next call.
func (p *past) merge(more []byte) ([]byte, error) {
	if len(p.equal) == 1 && more == nil {
		// Merging one tile makes that tile: bodies are canonical.
		_, body, err := tile.ParseHeader(p.row().Tile)
		return body, err
	}
	if p.merger == nil {
		p.merger, _ = p.mergers.Get().(*view.Merger)
	}
	p.merger.Reset()
	for _, s := range p.equal {
		if _, err := p.merger.AddTile(s.row.Tile); err != nil {
			return nil, fmt.Errorf("%w: row %q: %w", ErrPast, s.row.Key, err)
		}
	}
	if more != nil {
		if _, err := p.merger.AddTile(more); err != nil {
			return nil, fmt.Errorf("row %q: %w", p.row().Key, err)
		}
	}
	if err := p.merger.Finish(); err != nil {
		return nil, fmt.Errorf("%w: row %q: %w", ErrPast, p.row().Key, err)
	}
	p.body = p.merger.AppendBody(p.body[:0])
	return p.body, nil
}

// headers appends those of the tiles of the entity at hand, in order of runs, which is base first.
func (p *past) headers(dst []tile.Header) ([]tile.Header, error) {
	for _, s := range p.equal {
		h, _, err := tile.ParseHeader(s.row.Tile)
		if err != nil {
			return dst, fmt.Errorf("%w: row %q: %w", ErrPast, s.row.Key, err)
		}
		dst = append(dst, h)
	}
	return dst, nil
}

// advance leaves the entity at hand.
func (p *past) advance() error {
	for _, s := range p.equal {
		p.read++
		p.bytes += int64(len(s.row.Tile))
		if err := s.advance(); err != nil {
			return fmt.Errorf("%w: %w", ErrPast, err)
		}
	}
	p.equal = p.equal[:0]
	return nil
}

// close closes the files. It may be called again.
func (p *past) close() error {
	if p.merger != nil {
		p.mergers.Put(p.merger)
		p.merger = nil
	}
	var errs []error
	for run, file := range p.files {
		errs = append(errs, file.Close())
		delete(p.files, run)
	}
	return errors.Join(errs...)
}
