// Package tiletest keeps durable bytes in place: golden files, one for each byte layout, in testdata/golden. They are
// text, so that a change is reviewed like code:
//
//	# Why the case exists.
//	codec <format> <number>
//	<hex digits, any white space between them> # what they mean
//
// A file of another format or number than the test asks for is refused: a layout that changes gets a new number and a new
// file, and the old file stays to say how its bytes are refused.
package tiletest

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write golden files anew instead of comparing with them; review the difference")

// ErrCodec is the class of errors about golden files of another codec.
var ErrCodec = errors.New("unknown codec of a golden file")

// errGolden is the class of errors about files that are no golden files.
var errGolden = errors.New("damaged golden file")

// Golden is what one golden file says.
type Golden struct {
	Why    string // comment at its head, without "# "
	Format string
	Codec  int
	Bytes  []byte
}

// Folder is the folder of golden files as seen from a package two folders below the module's root.
const Folder = "../../testdata/golden"

// Check compares got with the golden file name in Folder, and with -rewrite writes it. It returns the bytes of the file.
func Check(t testing.TB, name string, want Golden) []byte {
	t.Helper()
	path := filepath.Join(Folder, name)
	if *rewrite {
		if err := os.WriteFile(path, want.Append(nil), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("reading a golden file (write it with -rewrite): %v", err)
	}
	frozen, err := Parse(text, want.Format, want.Codec)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if !bytes.Equal(frozen.Bytes, want.Bytes) {
		t.Errorf("%s: the layout has changed: bytes\n%x, frozen are\n%x\nA new layout needs a new codec number.", path, want.Bytes, frozen.Bytes)
	}
	return frozen.Bytes
}

// bytesPerLine is the number of bytes that one line of a golden file shows.
const bytesPerLine = 32

// Append appends the text of a golden file.
func (g Golden) Append(dst []byte) []byte {
	for line := range strings.Lines(g.Why) {
		dst = fmt.Appendf(dst, "# %s\n", strings.TrimRight(line, "\n"))
	}
	dst = fmt.Appendf(dst, "codec %s %d\n", g.Format, g.Codec)
	for line := range splitBytes(g.Bytes) {
		dst = fmt.Appendf(dst, "%x\n", line)
	}
	return dst
}

func splitBytes(b []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			n := min(len(b), bytesPerLine)
			if !yield(b[:n]) {
				return
			}
			b = b[n:]
		}
	}
}

// Parse reads the text of a golden file, which must be of this format and codec: errors about those are of class
// ErrCodec.
func Parse(text []byte, format string, codec int) (Golden, error) {
	g := Golden{Codec: -1}
	for line := range strings.Lines(string(text)) {
		content, comment, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "#")
		content = strings.TrimSpace(content)
		switch {
		case content == "" && g.Codec < 0:
			g.Why += strings.TrimPrefix(comment, " ") + "\n"
		case content == "":
		case g.Codec < 0:
			if _, err := fmt.Sscanf(content, "codec %s %d", &g.Format, &g.Codec); err != nil {
				return g, fmt.Errorf("%w: %q does not name a codec: %w", errGolden, content, err)
			}
			if g.Format != format || g.Codec != codec {
				return g, fmt.Errorf("%w: %s %d, this test knows %s %d", ErrCodec, g.Format, g.Codec, format, codec)
			}
		default:
			b, err := hex.DecodeString(strings.Join(strings.Fields(content), ""))
			if err != nil {
				return g, fmt.Errorf("%w: %q: %w", errGolden, content, err)
			}
			g.Bytes = append(g.Bytes, b...)
		}
	}
	if g.Codec < 0 {
		return g, fmt.Errorf("%w: it names no codec", errGolden)
	}
	return g, nil
}
