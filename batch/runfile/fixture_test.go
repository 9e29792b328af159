package runfile_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/tidemark-io/tidemark/batch/runfile"
	"github.com/tidemark-io/tidemark/shared/tile"
)

var rewrite = flag.Bool("rewrite", false, "write the frozen fixtures anew")

// frozenDigest is the digest of the rows of the fixture.
const frozenDigest = "18b4658267821896b8f60852f39e095869a484217dc2614df41ac343f102d18c"

// frozenRows are two blocks: the first row fills one.
func frozenRows() []runfile.Row {
	base, delta := tile.Header{Kind: tile.KindBase, Run: 3}, tile.Header{Kind: tile.KindDelta, Run: 3}
	return []runfile.Row{
		{Hash: 1 << 62, Key: []byte("user:a"), Tile: append(base.Append(nil), make([]byte, runfile.BlockSize)...), Superseded: []tile.Header{
			{Kind: tile.KindBase, Run: 1}, {Kind: tile.KindDelta, Run: 2}, {Kind: tile.KindBlock, Source: 1, Partition: 2, Block: 65_536},
		}},
		{Hash: 1 << 62, Key: []byte("user:b"), Tile: append(delta.Append(nil), 1, 2, 3)},
		{Hash: 1<<63 - 1, Key: []byte("user:c"), Tile: append(delta.Append(nil), 4), Superseded: []tile.Header{{Kind: tile.KindBlock}}},
	}
}

// TestFrozen shows that run files are written and read as they were when codec 1 was frozen, byte for byte.
func TestFrozen(t *testing.T) {
	path, s := writeFile(t, meta(1), frozenRows())
	frozen := filepath.Join("testdata", "01.run")
	got, err := os.ReadFile(path)
	must(t, err)
	if *rewrite {
		must(t, os.WriteFile(frozen, got, 0o600))
	}
	want, err := os.ReadFile(frozen)
	must(t, err)
	if !bytes.Equal(got, want) || s.Digest != frozenDigest {
		t.Fatalf("%d bytes with digest %s, want %d bytes with digest %s", len(got), s.Digest, len(want), frozenDigest)
	}
	r, err := runfile.Open(frozen, meta(1))
	must(t, err)
	must(t, r.Verify())
	must(t, r.SeekRow(0))
	rows, err := readAll(r)
	must(t, err)
	if !equal(rows, frozenRows()) || r.Summary().Digest != frozenDigest {
		t.Fatalf("%+v", r.Summary())
	}
	must(t, r.Close())
}
