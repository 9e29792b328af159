package runfile_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/batch/runfile"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/testdata/fuzzing"
)

const identity = "abcdefgh27"

func meta(lane int) runfile.Meta {
	return runfile.Meta{Identity: identity, Run: 3, Lane: lane, Lanes: 4}
}

// someRows makes n rows of a lane in order, some of one hash, some large.
func someRows(rng *rand.Rand, lane, n int) []runfile.Row {
	rows := make([]runfile.Row, 0, n)
	hash := uint64(lane) << 62
	for i := range n {
		if i%5 != 1 {
			hash += 1 + rng.Uint64N(1<<62/uint64(n+1))
		}
		body := make([]byte, rng.IntN(400))
		if rng.IntN(50) == 0 {
			body = make([]byte, rng.IntN(200_000))
		}
		for j := range body {
			body[j] = byte(rng.Uint32())
		}
		h := tile.Header{Kind: tile.KindDelta, Run: 3}
		if rng.IntN(3) == 0 {
			h.Kind = tile.KindBase
		}
		row := runfile.Row{Hash: hash, Key: fmt.Appendf(nil, "user:%09d", i), Tile: append(h.Append(nil), body...)}
		if h.Kind == tile.KindBase {
			row.Superseded = append(row.Superseded, tile.Header{Kind: tile.KindBase, Run: 1}, tile.Header{Kind: tile.KindDelta, Run: 2})
		}
		for b := range rng.IntN(4) {
			row.Superseded = append(row.Superseded, tile.Header{Kind: tile.KindBlock, Source: b / 2, Partition: int32(b % 2), Block: rng.Int64N(1 << 40)})
		}
		rows = append(rows, row)
	}
	return rows
}

func writeFile(t testing.TB, m runfile.Meta, rows []runfile.Row) (path string, s runfile.Summary) {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "runs", "00000003")
	d, err := runfile.NewDraft(folder)
	must(t, err)
	w, err := d.Create("x.run", m)
	must(t, err)
	for i := range rows {
		must(t, w.Append(&rows[i]))
	}
	s, err = w.Close()
	must(t, err)
	must(t, d.Commit())
	return filepath.Join(folder, "x.run"), s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func readAll(r *runfile.Reader) ([]runfile.Row, error) {
	var rows []runfile.Row
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		rows = append(rows, runfile.Row{Hash: row.Hash, Key: bytes.Clone(row.Key), Tile: bytes.Clone(row.Tile), Superseded: slices.Clone(row.Superseded)})
	}
}

func equal(a, b []runfile.Row) bool {
	return slices.EqualFunc(a, b, func(a, b runfile.Row) bool {
		return a.Hash == b.Hash && bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Tile, b.Tile) && slices.Equal(a.Superseded, b.Superseded)
	})
}

// A file that is ended reads while it is still open, as the check of a run reads it; closing it changes no byte.
func TestEnded(t *testing.T) {
	rows := someRows(rand.New(rand.NewPCG(1, 1)), 2, 900)
	_, want := writeFile(t, meta(2), rows)
	d, err := runfile.NewDraft(filepath.Join(t.TempDir(), "runs", "00000003"))
	must(t, err)
	w, err := d.Create("x.run", meta(2))
	must(t, err)
	for i := range rows {
		must(t, w.Append(&rows[i]))
	}
	if _, err := runfile.Open(d.Path("x.run"), meta(2)); !errors.Is(err, runfile.ErrDamaged) {
		t.Errorf("a file that is not ended: %v", err)
	}
	must(t, errors.Join(w.End(), w.End()))
	r, err := runfile.Open(d.Path("x.run"), meta(2))
	must(t, err)
	got, err := readAll(r)
	if must(t, errors.Join(err, r.Verify(), r.Close())); !equal(got, rows) {
		t.Error("an ended file reads other rows")
	}
	if s, err := w.Close(); err != nil || s.Digest != want.Digest || s.Bytes != want.Bytes {
		t.Errorf("closed: %+v, %v; want %+v", s, err, want)
	}
}

// A file that a write failed in is never closed as a whole one, though all later writes would do.
func TestFailedWrite(t *testing.T) {
	d, err := runfile.NewDraft(filepath.Join(t.TempDir(), "runs", "00000003"))
	must(t, err)
	w, err := d.Create("x.run", meta(2))
	must(t, err)
	must(t, w.Append(&someRows(rand.New(rand.NewPCG(1, 1)), 2, 1)[0]))
	readOnly, err := os.Open(d.Path("x.run"))
	must(t, err)
	file := w.WriteTo(readOnly)
	if err := w.End(); err == nil {
		t.Error("a file that cannot be written was ended")
	}
	w.WriteTo(file)
	if s, err := w.Close(); err == nil {
		t.Errorf("a file with a block missing was closed, of %d rows", s.Rows)
	}
	must(t, readOnly.Close())
}

// What was written is read again, whole or from any row on.
func TestRoundTrip(t *testing.T) {
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 1))
		lane := int(seed % 4)
		rows := someRows(rng, lane, []int{0, 1, 2, 700, 1500, 40}[seed])
		path, s := writeFile(t, meta(lane), rows)
		r, err := runfile.Open(path, meta(lane))
		must(t, err)
		if info, err := os.Stat(path); err != nil || r.Summary().Digest != s.Digest || s.Rows != int64(len(rows)) || s.Bytes != info.Size() || len(s.Ranges) != 64 {
			t.Fatalf("seed %d: %v %+v %+v", seed, err, s, r.Summary())
		}
		must(t, r.Verify())
		for range 20 {
			from := rng.IntN(len(rows) + 1)
			must(t, r.SeekRow(int64(from)))
			got, err := readAll(r)
			must(t, err)
			if !equal(got, rows[from:]) {
				t.Fatalf("seed %d: rows from %d differ", seed, from)
			}
		}
		if err := r.SeekRow(int64(len(rows)) + 1); !errors.Is(err, runfile.ErrDamaged) {
			t.Fatalf("sought past the end: %v", err)
		}
		must(t, r.Close())
	}
}

// The digest says what the rows are: equal for equal rows, another for any other.
func TestDigestIsOfRows(t *testing.T) {
	rows := someRows(rand.New(rand.NewPCG(1, 2)), 1, 50)
	_, a := writeFile(t, meta(1), rows)
	_, b := writeFile(t, meta(1), rows)
	if a.Digest != b.Digest {
		t.Fatal("equal rows, different digests")
	}
	for name, change := range map[string]func(r *runfile.Row){
		"key":        func(r *runfile.Row) { r.Key = append(slices.Clone(r.Key), '!') },
		"tile":       func(r *runfile.Row) { r.Tile = append(slices.Clone(r.Tile), 1) },
		"superseded": func(r *runfile.Row) { r.Superseded = []tile.Header{{Kind: tile.KindBlock, Block: 1}} },
	} {
		other := slices.Clone(rows)
		change(&other[20])
		if _, c := writeFile(t, meta(1), other); c.Digest == a.Digest {
			t.Errorf("another %s, the same digest", name)
		}
	}
	if _, c := writeFile(t, meta(1), rows[:49]); c.Digest == a.Digest {
		t.Error("a row less, the same digest")
	}
}

// Every damaged byte is found by opening and verifying, and the error names the file.
func TestDamageIsRefused(t *testing.T) {
	rows := someRows(rand.New(rand.NewPCG(3, 3)), 2, 6)
	for i := range rows {
		rows[i].Tile = rows[i].Tile[:min(len(rows[i].Tile), 20)]
	}
	path, _ := writeFile(t, meta(2), rows)
	good, err := os.ReadFile(path)
	must(t, err)
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1 << (i % 8)
		must(t, os.WriteFile(path, bad, 0o600))
		// Who publishes or merges rows just reads them, and is told as well.
		for _, err := range []error{verify(path), use(path)} {
			if (!errors.Is(err, runfile.ErrDamaged) && !errors.Is(err, runfile.ErrCodec)) || !strings.Contains(err.Error(), path) {
				t.Fatalf("byte %d of %d: got %v", i, len(good), err)
			}
		}
	}
	for _, n := range []int{0, 7, 8, 20, 28, len(good) - 1} {
		must(t, os.WriteFile(path, good[:n], 0o600))
		if err := verify(path); !errors.Is(err, runfile.ErrDamaged) {
			t.Fatalf("cut to %d bytes: got %v", n, err)
		}
	}
	must(t, os.WriteFile(path, good, 0o600))
	must(t, verify(path))
	must(t, use(path))
}

func verify(path string) error {
	r, err := runfile.Open(path, meta(2))
	if err != nil {
		return err
	}
	return errors.Join(r.Verify(), r.Close())
}

// use reads a file as those do who publish or merge its rows.
func use(path string) error {
	r, err := runfile.Open(path, meta(2))
	if err != nil {
		return err
	}
	_, err = readAll(r)
	return errors.Join(err, r.Close())
}

func TestAnotherFileIsRefused(t *testing.T) {
	path, _ := writeFile(t, meta(2), nil)
	for _, m := range []runfile.Meta{meta(1), {Identity: identity, Run: 4, Lane: 2, Lanes: 4}, {Identity: "zzzzzzzzzz", Run: 3, Lane: 2, Lanes: 4}} {
		if _, err := runfile.Open(path, m); !errors.Is(err, runfile.ErrDamaged) {
			t.Errorf("opened as %+v: %v", m, err)
		}
	}
	b, err := os.ReadFile(path)
	must(t, err)
	b[7], b[len(b)-1] = 2, 2
	must(t, os.WriteFile(path, b, 0o600))
	if _, err := runfile.Open(path, meta(2)); !errors.Is(err, runfile.ErrCodec) {
		t.Errorf("got %v", err)
	}
}

// A run folder appears whole; one that is there already gives way; nothing is left aside.
func TestDraft(t *testing.T) {
	runs := filepath.Join(t.TempDir(), "runs")
	folder := filepath.Join(runs, "00000003")
	for round := range 3 {
		d, err := runfile.NewDraft(folder)
		must(t, err)
		w, err := d.Create("00.run", meta(0))
		must(t, err)
		row := runfile.Row{Hash: 1, Key: []byte{byte('a' + round)}, Tile: tile.Header{Kind: tile.KindBase, Run: 3}.Append(nil)}
		must(t, w.Append(&row))
		_, err = w.Close()
		must(t, err)
		if round == 1 {
			continue // died
		}
		must(t, d.Commit())
		must(t, d.Discard())
		r, err := runfile.Open(filepath.Join(folder, "00.run"), meta(0))
		must(t, err)
		got, err := readAll(r)
		must(t, err)
		if len(got) != 1 || got[0].Key[0] != byte('a'+round) {
			t.Fatalf("round %d: %+v", round, got)
		}
		must(t, r.Close())
	}
	must(t, runfile.RemoveDrafts(folder))
	left, err := os.ReadDir(runs)
	if err != nil || len(left) != 2 {
		t.Fatalf("left of the run that may be under way: %v, %v", left, err)
	}
	must(t, runfile.RemoveDrafts(filepath.Join(runs, "00000004")))
	left, err = os.ReadDir(runs)
	if err != nil || len(left) != 1 || left[0].Name() != "00000003" {
		t.Fatalf("left: %v, %v", left, err)
	}
	must(t, runfile.RemoveDrafts(filepath.Join(runs, "none", "00000001")))
}

// The reader takes any bytes: it returns rows in order, or an error, and never panics. Seeds are valid files with a valid
// index, so that the fuzzer gets behind the checksums.
func FuzzReader(f *testing.F) {
	for n := range 3 {
		path, _ := writeFile(f, meta(1), someRows(rand.New(rand.NewPCG(uint64(n), 9)), 1, n))
		b, err := os.ReadFile(path)
		must(f, err)
		f.Add(b)
	}
	fuzzing.Target(f, func(t *testing.T, b []byte) {
		r, err := runfile.NewReader(bytes.NewReader(runfile.Reseal(b)), int64(len(b)), "fuzz")
		if err != nil {
			return
		}
		rows, err := readAll(r)
		if err != nil && !errors.Is(err, runfile.ErrDamaged) {
			t.Fatalf("an error without its class: %v", err)
		}
		for i := 1; i < len(rows); i++ {
			a, b := rows[i-1], rows[i]
			if a.Hash > b.Hash || (a.Hash == b.Hash && bytes.Compare(a.Key, b.Key) >= 0) {
				t.Fatalf("rows %d and %d are out of order", i-1, i)
			}
		}
		if err == nil && int64(len(rows)) != r.Rows() {
			t.Fatalf("%d rows, want %d", len(rows), r.Rows())
		}
	})
}

func BenchmarkRead(b *testing.B) {
	rows := make([]runfile.Row, 50_000)
	t := append(tile.Header{Kind: tile.KindBase, Run: 3}.Append(nil), make([]byte, 350)...)
	for i := range rows {
		rows[i] = runfile.Row{Hash: uint64(i), Key: binary.BigEndian.AppendUint32([]byte("user:"), uint32(i)), Tile: t, Superseded: []tile.Header{{Kind: tile.KindBlock, Block: 65536}}}
	}
	path, s := writeFile(b, meta(0), rows)
	b.SetBytes(s.Bytes)
	b.ReportAllocs()
	for b.Loop() {
		r, err := runfile.Open(path, meta(0))
		must(b, err)
		for range rows {
			if _, err := r.Next(); err != nil {
				b.Fatal(err)
			}
		}
		must(b, r.Close())
	}
}
