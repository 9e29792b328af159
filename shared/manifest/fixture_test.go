package manifest_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"reflect"
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
	path := filepath.Join("testdata", "manifest-2.json")
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

// TestFirstCodec shows that a manifest of codec 1, which knows no topics, is read as it always was.
func TestFirstCodec(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "manifest-1.json"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := manifest.Decode(b)
	if err != nil || m.Served().Number != 2 || m.Served().Topics != nil {
		t.Fatalf("%+v, %v", m, err)
	}
	want := sample()
	for i := range want.Generations {
		want.Generations[i].Topics = nil
	}
	if !reflect.DeepEqual(m, want) {
		t.Errorf("read %+v\nwant %+v", m, want)
	}
}
