package manifest_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"

	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/testdata/fuzzing"
)

// FuzzDecode reads any bytes as a manifest, as they are and with a checksum that fits: they are refused with a class, or
// what was read is written again, and then to the same bytes always.
func FuzzDecode(f *testing.F) {
	b, err := sample().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"codec":1,"manifest":{"seq":1}}` + "\n"))
	fuzzing.Target(f, func(t *testing.T, b []byte) {
		check(t, b)
		cut := bytes.IndexByte(b, '\n') + 1
		check(t, fmt.Appendf(bytes.Clone(b[:cut]), "{\"sha256\":\"%x\"}\n", sha256.Sum256(b[:cut])))
	})
}

func check(t *testing.T, b []byte) {
	t.Helper()
	m, err := manifest.Decode(b)
	if err != nil {
		if !errors.Is(err, manifest.ErrDamaged) && !errors.Is(err, manifest.ErrCodec) && !errors.Is(err, manifest.ErrInvalid) {
			t.Fatalf("an error of no class: %v", err)
		}
		return
	}
	first, err := m.Encode()
	if err != nil {
		t.Fatalf("%s is read, and cannot be written: %v", b, err)
	}
	m, err = manifest.Decode(first)
	if err != nil {
		t.Fatalf("%s is read, and not as it is written again: %v", b, err)
	}
	if second, err := m.Encode(); err != nil || !bytes.Equal(first, second) {
		t.Fatalf("%s is written as %s (%v)", first, second, err)
	}
}
