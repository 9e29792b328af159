package journal

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tidemark-io/tidemark/testdata/fuzzing"
)

// FuzzEntry reads any bytes as an entry, as they are and with a checksum that fits, and replays it as the first and as a
// later one of both kinds of journals: it is refused with a class, or what was read is written again to the same header
// and body.
func FuzzEntry(f *testing.F) {
	files, err := filepath.Glob("testdata/state/shop/user/*/*.json")
	more, moreErr := filepath.Glob("testdata/state/shop/user/*/*/*.json")
	if err = errors.Join(err, moreErr); err != nil || len(files) == 0 || len(more) == 0 {
		f.Fatalf("%d and %d frozen entries, %v", len(files), len(more), err)
	}
	for _, name := range append(files, more...) {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	l := Layout{State: filepath.Join("testdata", "state"), Job: "shop", View: "user"}
	generation, err := OpenGeneration(l.GenerationJournal("aaaaaaaaaa"))
	if err != nil {
		f.Fatal(err)
	}
	view, err := OpenView(l.ViewJournal())
	if err != nil {
		f.Fatal(err)
	}
	fuzzing.Target(f, func(t *testing.T, b []byte) {
		for _, b := range [][]byte{b, resealed(b)} {
			h, body, err := decode(b)
			if err != nil {
				classed(t, err)
				continue
			}
			readsAgain(t, h, body)
			e := &entry{path: "fuzz", kind: h.Entry, body: body}
			classed(t, (&View{}).replay(e))
			v := View{Members: slices.Clone(view.Members)}
			classed(t, v.replay(e))
			classed(t, (&Generation{}).replay(e, true))
			g := *generation
			g.Runs = slices.Clone(generation.Runs)
			classed(t, g.replay(e, false))
		}
	})
}

// resealed returns b with a checksum that fits in place of its last line, so that the fuzzer gets behind it.
func resealed(b []byte) []byte {
	cut := bytes.LastIndexByte(bytes.TrimSuffix(b, []byte{'\n'}), '\n') + 1
	return fmt.Appendf(bytes.Clone(b[:cut]), "{\"sha256\":\"%x\"}\n", sha256.Sum256(b[:cut]))
}

func classed(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrCodec) {
		t.Fatalf("an error of no class: %v", err)
	}
}

func readsAgain(t *testing.T, h header, body []byte) {
	t.Helper()
	written, err := encode(h, rawLine(body))
	if err != nil {
		return // the body was no JSON, which its owner says
	}
	again, _, err := decode(written)
	if err != nil || again != h {
		t.Fatalf("%+v is read again as %+v, %v", h, again, err)
	}
}

// rawLine is a body as it stands.
type rawLine []byte

// MarshalJSON returns it.
func (r rawLine) MarshalJSON() ([]byte, error) { return r, nil }
