package archivefile_test

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/position"
)

// inspect opens and verifies a file.
func inspect(t *testing.T, path string) error {
	t.Helper()
	r, err := archivefile.Open(path)
	if err != nil {
		return err
	}
	defer closing(t, r)
	return r.Verify(t.Context())
}

func replace(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestAnyByteCounts changes every third byte, each in turn, so that every structure of the file is hit many times.
func TestAnyByteCounts(t *testing.T) {
	t.Parallel()
	good := contents(t, write(t, t.TempDir(), trips(), 0, 0, 100, newGenerator(1).log(6, 0)))
	verify := func(b []byte) error {
		r, err := archivefile.OpenBytes(b)
		if err != nil {
			return err
		}
		return r.Verify(t.Context())
	}
	for i := 0; i < len(good); i += 3 {
		bad := append([]byte(nil), good...)
		bad[i] ^= 1 << (i % 8)
		if err := verify(bad); !errors.Is(err, archivefile.ErrDamaged) {
			t.Fatalf("byte %d of %d changed: got %v", i, len(good), err)
		}
	}
	if err := verify(good); err != nil {
		t.Error(err)
	}
}

// TestReadFindsDamageOfWhatItReads: a damaged column is found by those who read it, before a row of it is seen.
func TestReadFindsDamageOfWhatItReads(t *testing.T) {
	t.Parallel()
	src := trips()
	path := write(t, t.TempDir(), src, 0, 0, 1000, newGenerator(1).log(400, 0))
	good := contents(t, path)
	everything := archivefile.Everything(src)
	want := rowsOf(t, path, src, everything)
	found := 0
	for i := 4; i < len(good)/2; i += 97 {
		bad := append([]byte(nil), good...)
		bad[i] ^= 0x10
		replace(t, path, bad)
		r, err := archivefile.Open(path)
		if err != nil {
			t.Fatalf("byte %d: the footer is whole: %v", i, err)
		}
		var got []string
		err = r.Read(t.Context(), src, everything, func(b *column.Batch) error {
			got = append(got, lines(b, everything)...)
			return nil
		})
		if errors.Is(err, archivefile.ErrDamaged) && len(got) == 0 {
			found++
		} else if err != nil || !slices.Equal(got, want) {
			t.Errorf("byte %d: other rows than without damage, or %v", i, err)
		}
		closing(t, r)
	}
	if found == 0 {
		t.Error("no damage was found")
	}
}

func TestTruncatedAndForeignFiles(t *testing.T) {
	t.Parallel()
	path := write(t, t.TempDir(), trips(), 0, 0, 100, newGenerator(1).log(20, 0))
	good := contents(t, path)
	cases := map[string][]byte{"empty": {}, "text": []byte(strings.Repeat("no parquet\n", 40)), "twice": append(good, good...)[1:]}
	for _, n := range []int{1, 4, 30, len(good) / 2, len(good) - 9, len(good) - 1} {
		cases["first "+strings.Repeat("i", n%7)+" bytes"] = good[:n]
	}
	cases["with zeros at the end"] = append(append([]byte(nil), good[:len(good)-64]...), make([]byte, 64)...)
	huge := append([]byte(nil), good...)
	binary.LittleEndian.PutUint32(huge[len(huge)-8:], 1<<31)
	cases["with a huge footer"] = huge
	for name, b := range cases {
		replace(t, path, b)
		err := inspect(t, path)
		if !errors.Is(err, archivefile.ErrDamaged) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "move it and the later ones") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := archivefile.Open(filepath.Join(t.TempDir(), "absent.parquet")); !errors.Is(err, os.ErrNotExist) || errors.Is(err, archivefile.ErrDamaged) {
		t.Errorf("a file that is not there: got %v", err)
	}
}

func TestRenamedFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := write(t, dir, trips(), 0, 0, 100, newGenerator(1).log(20, 0))
	for _, to := range []string{
		filepath.Join(dir, "trips", "0", archivefile.Name(position.Range{From: 0, Next: 101})),
		filepath.Join(dir, "trips", "1", filepath.Base(path)),
		filepath.Join(dir, "rides", "0", filepath.Base(path)),
	} {
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			t.Fatal(err)
		}
		replace(t, to, contents(t, path))
		if err := inspect(t, to); !errors.Is(err, archivefile.ErrDamaged) {
			t.Errorf("%s: got %v", to, err)
		}
	}
}
