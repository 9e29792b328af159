package publish_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/tidemark-io/tidemark/batch/publish"
	"github.com/tidemark-io/tidemark/batch/runfile"
	"github.com/tidemark-io/tidemark/serving/memstore"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/tile"
)

// The world of these tests: a log of two partitions, whose events each belong to one of a few keys; runs over it; and a
// speed layer that follows the rule of a flush. A tile holds no states but the very list of events that it is made of, so
// that what a row holds can be compared with what it should hold, event by event.

const (
	identity  = "abcdefgh27"
	namespace = "shop:user:abcdefgh27"
	block     = 4
	keys      = 10
	logEnd    = 60
)

var partitions = [2]position.Partition{{Source: "events", ID: 0}, {Source: "events", ID: 1}}

func keyName(k int) []byte { return fmt.Appendf(nil, "user:%d", k) }

// keyHash spreads the keys over all lanes, in their order.
func keyHash(k int) uint64 { return uint64(k) << 60 }

type world struct {
	t      testing.TB
	rng    *rand.Rand
	dir    string
	lanes  int
	events [2][logEnd]int // by partition and offset: the key, -1 for a gap
	origin position.Cut
	cuts   []position.Cut // of runs; cuts[0] is the origin
	every  int64          // in so many runs a key gets a fresh base
	bases  [keys]int64    // by key: the newest run with a base of it, or of its turn
	tiles  [keys][]tile.Header
	target publish.Target
	store  *memstore.Store
}

func newWorld(t testing.TB, rng *rand.Rand) *world {
	w := &world{t: t, rng: rng, dir: t.TempDir(), lanes: 2 << rng.IntN(2), every: []int64{1, 2, 3, 5, 32}[rng.IntN(5)], store: memstore.New()}
	for p := range w.events {
		for offset := range w.events[p] {
			w.events[p][offset] = rng.IntN(keys+1) - 1
		}
	}
	w.origin = position.Cut{partitions[0]: 0} // the second partition comes later
	w.cuts = []position.Cut{w.origin}
	w.target = publish.Target{
		Generation: publish.Generation{Namespace: namespace, Lanes: w.lanes, Origin: w.origin, BasesFrom: 1, Lowest: 1},
		Open: func(run int64, n int) (*runfile.Reader, error) {
			return runfile.Open(filepath.Join(w.folder(run), strconv.Itoa(n)), runfile.Meta{Identity: identity, Run: run, Lane: n, Lanes: w.lanes})
		},
	}
	return w
}

func (w *world) folder(run int64) string { return filepath.Join(w.dir, strconv.FormatInt(run, 10)) }

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// body is the list of a key's events in [from,to) of the partitions.
func (w *world) body(k int, from, to position.Cut) (body []byte, blocks []tile.Header) {
	for i, p := range partitions {
		for offset := from[p]; offset < to[p]; offset++ {
			if w.events[i][offset] != k {
				continue
			}
			body = append(body, byte(i))
			body = binary.AppendUvarint(body, uint64(offset))
			h := tile.Header{Kind: tile.KindBlock, Partition: int32(i), Block: position.Block(offset, block)}
			if len(blocks) == 0 || blocks[len(blocks)-1] != h {
				blocks = append(blocks, h)
			}
		}
	}
	return body, blocks
}

// addRun makes the next run, up to somewhere further, if there is anything further.
func (w *world) addRun() {
	last := w.cuts[len(w.cuts)-1]
	cut := maps.Clone(last)
	for _, p := range partitions {
		if n := last[p] + block*w.rng.Int64N(4); n > 0 {
			cut[p] = min(n, logEnd)
		}
	}
	if last.AtLeast(cut) {
		return
	}
	run := int64(len(w.cuts))
	draft, err := runfile.NewDraft(w.folder(run))
	w.must(err)
	rows := make([]int64, w.lanes)
	for n := range w.lanes {
		f, err := draft.Create(strconv.Itoa(n), runfile.Meta{Identity: identity, Run: run, Lane: n, Lanes: w.lanes})
		w.must(err)
		for k := range keys {
			if lane.Of(keyHash(k), w.lanes) != n {
				continue
			}
			if row := w.change(k, run, last, cut); row != nil {
				w.must(f.Append(row))
				rows[n]++
			}
		}
		_, err = f.Close()
		w.must(err)
	}
	w.must(draft.Commit())
	w.cuts = append(w.cuts, cut)
	w.target.Runs = append(slices.Clone(w.target.Runs), publish.Run{Cut: cut, Rows: rows})
	w.target.BasesFrom = slices.Min(w.bases[:])
}

// change makes a key's row of change of a run, nil if it has none.
func (w *world) change(k int, run int64, last, cut position.Cut) *runfile.Row {
	h := tile.Header{Kind: tile.KindDelta, Run: run}
	body, blocks := w.body(k, last, cut)
	superseded := blocks
	if run == 1 || (int64(k)+run)%w.every == 0 {
		h.Kind, w.bases[k] = tile.KindBase, run
		body, _ = w.body(k, nil, cut)
		superseded = append(w.tiles[k], blocks...)
		w.tiles[k] = nil
	}
	if body == nil {
		return nil
	}
	w.tiles[k] = append(w.tiles[k], h)
	return &runfile.Row{Hash: keyHash(k), Key: keyName(k), Tile: append(h.Append(nil), body...), Superseded: superseded}
}

// tidy removes the files that no lane has still to take in, and none needs to be begun.
func (w *world) tidy() {
	keep := w.target.BasesFrom
	for n := range w.lanes {
		marks, err := w.store.Marks(w.t.Context(), []lane.ID{w.target.LaneID(n)})
		w.must(err)
		if b, begun, err := marks[0].Batch(); begun {
			w.must(err)
			keep = min(keep, b.Run)
		}
	}
	// What is gone is gone: a lane that goes back behind it later finds no file.
	for ; w.target.Lowest < keep; w.target.Lowest++ {
		w.must(os.RemoveAll(w.folder(w.target.Lowest)))
	}
}

// speed flushes one partition of one lane as the speed layer does, to a position somewhere further or as far as asked.
func (w *world) speed(n, i int, upTo int64) {
	id, p := w.target.LaneID(n), partitions[i]
	all, err := w.store.Marks(w.t.Context(), []lane.ID{id})
	w.must(err)
	batch, begun, err := all[0].Batch()
	w.must(err)
	if !begun {
		return
	}
	mark, ok, err := all[0].Partition(p)
	w.must(err)
	if !ok {
		mark = lane.Mark{Incarnation: batch.Incarnation, Low: lane.Joined, Next: 0}
	}
	after := mark
	after.Next = min(max(mark.Next, upTo), logEnd)
	call := lane.Call{Lane: id, Name: p.String(), Expect: all[0][p.String()], Incarnation: batch.Incarnation, RowsOf: batch.Incarnation, Set: after.Wire()}
	for k := range keys {
		change := lane.RowChange{Key: keyName(k)}
		for at := position.Block(mark.Next, block); at < after.Next; at += block {
			// The whole tile of the block up to the position, if it has an event that is not in yet.
			body, _ := w.body(k, position.Cut{p: at}, position.Cut{p: min(at+block, after.Next)})
			fresh, _ := w.body(k, position.Cut{p: max(at, mark.Next)}, position.Cut{p: min(at+block, after.Next)})
			if lane.Of(keyHash(k), w.lanes) == n && fresh != nil {
				h := tile.Header{Kind: tile.KindBlock, Partition: int32(i), Block: at}
				change.Set = append(change.Set, lane.Field{Name: h.Name(), Value: append(h.Append(nil), body...)})
			}
		}
		if len(change.Set) > 0 {
			call.Rows = append(call.Rows, change)
		}
	}
	w.store.Apply(w.t.Context(), []lane.Call{call})
}

// event is one event as tiles hold it.
type event struct {
	partition int
	offset    int64
}

// content reads a tile.
func (w *world) content(value []byte) (h tile.Header, events []event, last [2]int64) {
	h, body, err := tile.ParseHeader(value)
	w.must(err)
	last = [2]int64{-1, -1}
	for len(body) > 0 {
		offset, n := binary.Uvarint(body[1:])
		e := event{int(body[0]), int64(offset)}
		events, body = append(events, e), body[1+n:]
		last[e.partition] = max(last[e.partition], e.offset)
	}
	return h, events, last
}

// runTiles counts the bases and deltas of a row.
func (w *world) runTiles(values [][]byte) (n int64) {
	for _, v := range values {
		if h, _, _ := w.content(v); h.Kind != tile.KindBlock {
			n++
		}
	}
	return n
}

// row merges a row as a reader does and returns its events, and the names of fields that a reader passes over.
func (w *world) row(values [][]byte) (events []event, leftovers int) {
	reach := [2]int64{-1, -1}
	for _, v := range values {
		if h, _, last := w.content(v); h.Kind != tile.KindBlock {
			reach[0], reach[1] = max(reach[0], last[0]), max(reach[1], last[1])
		}
	}
	for _, v := range values {
		h, all, _ := w.content(v)
		if h.Kind == tile.KindBlock && reach[h.Partition] >= h.Block {
			leftovers++
			continue
		}
		events = append(events, all...)
	}
	return events, leftovers
}

// honest checks the claim of every lane: an event is in its row at most once, and every event below a joined mark is.
func (w *world) honest() error {
	for n := range w.lanes {
		for k := range keys {
			if lane.Of(keyHash(k), w.lanes) != n {
				continue
			}
			if err := w.honestRow(n, k); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *world) honestRow(n, k int) error {
	marks, events, _, err := w.read(n, k)
	if err != nil {
		return err
	}
	seen := map[event]bool{}
	for _, e := range events {
		if seen[e] || w.events[e.partition][e.offset] != k {
			return fmt.Errorf("key %d holds event %v twice, or one of another: %v", k, e, events)
		}
		seen[e] = true
	}
	for i, p := range partitions {
		mark, ok, err := marks.Partition(p)
		if err != nil || !ok || !mark.Joined() {
			continue
		}
		for offset := range mark.Next {
			if w.events[i][offset] == k && !seen[event{i, offset}] {
				return fmt.Errorf("key %d lacks %s@%d, which is below its joined mark %q; it holds %v; marks %v", k, p, offset, mark.Wire(), events, marks)
			}
		}
	}
	return nil
}

func (w *world) read(n, k int) (marks lane.Marks, events []event, leftovers int, err error) {
	id := w.target.LaneID(n)
	all, err := w.store.Marks(w.t.Context(), []lane.ID{id})
	if err != nil {
		return nil, nil, 0, err
	}
	batch, begun, err := all[0].Batch()
	if err != nil || !begun {
		return nil, nil, 0, err
	}
	exact, err := w.store.Exact(w.t.Context(), []lane.RowID{{Lane: id, Incarnation: batch.Incarnation, Key: keyName(k)}})
	if err != nil {
		return nil, nil, 0, err
	}
	var values [][]byte
	for _, f := range exact[0].Fields {
		values = append(values, f.Value)
	}
	if n := w.runTiles(values); n > max(1, w.every) {
		return nil, nil, 0, fmt.Errorf("key %d has %d tiles of runs, with a base each %d", k, n, w.every)
	}
	events, leftovers = w.row(values)
	return exact[0].Marks, events, leftovers, nil
}

// complete checks that, with everything published and flushed, every lane is joined and at the end of the log, and every
// row holds all of its events and no leftovers.
func (w *world) complete() error {
	if err := w.honest(); err != nil {
		return err
	}
	for n := range w.lanes {
		for k := range keys {
			if lane.Of(keyHash(k), w.lanes) != n {
				continue
			}
			marks, _, leftovers, err := w.read(n, k)
			if err != nil || leftovers > 0 {
				return errors.Join(err, fmt.Errorf("key %d has %d leftovers", k, leftovers))
			}
			for _, p := range partitions {
				if mark, ok, err := marks.Partition(p); err != nil || !ok || !mark.Joined() || mark.Next != logEnd {
					return fmt.Errorf("lane %d, %s: mark %q: %w", n, p, mark.Wire(), err)
				}
			}
		}
	}
	return nil
}
