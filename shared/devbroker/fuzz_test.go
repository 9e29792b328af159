package devbroker

import (
	"bytes"
	"testing"

	"github.com/tidemark-io/tidemark/testdata/fuzzing"
)

// FuzzStamps: whatever a client sends, stamping what it produces and showing what it fetches touches nothing outside of
// the batches, and neither panics nor loops.
func FuzzStamps(f *testing.F) {
	batch := make([]byte, batchHeader+5)
	batch[11] = byte(len(batch) - 12)
	seal(batch, 0)
	f.Add(batch, true)
	f.Add(append(bytes.Clone(batch), batch...), false)
	f.Add([]byte{0, 0, 0, 8, 0, 1, 0, 13, 0, 0, 0, 7}, true)
	fuzzing.Target(f, func(t *testing.T, b []byte, stamped bool) {
		size := len(b)
		produced := bytes.Clone(b)
		stampBatch(produced, stamped, 1_700_000_000_000)
		if !bytes.Equal(produced, b) && !crcFits(produced) {
			t.Fatalf("%x is stamped as %x, whose checksum does not fit", b, produced)
		}
		showStamps(produced)
		if hasStamps(produced) {
			t.Fatalf("%x still has our stamp", produced)
		}
		c := newStampingConn(nil)
		c.watch(b)
		for version := range int16(19) {
			if len(b) >= 8 {
				stampedResponse(b, version)
			}
		}
		if len(produced) != size {
			t.Fatalf("%d bytes became %d", size, len(produced))
		}
	})
}
