package manifest_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/tidemark-io/tidemark/shared/manifest"
)

var rewrite = flag.Bool("rewrite", false, "write the frozen fixture anew")

// TestFrozen shows that manifests are written and read as they were when codec 1 was frozen, byte for byte.
func TestFrozen(t *testing.T) {
	got, err := sample().Encode()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "manifest-1.json")
	if *rewrite {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%v\n%s\nwant\n%s", err, got, want)
	}
	if m, err := manifest.Decode(want); err != nil || m.Served().Number != 2 {
		t.Fatalf("%+v, %v", m, err)
	}
}
