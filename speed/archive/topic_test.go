package archive_test

import (
	"errors"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// TestAnotherTopic: an archive says which topic it is filled from, and an archiver of another one ends before it writes. One
// that was begun when nobody said so takes the first that comes.
func TestAnotherTopic(t *testing.T) {
	t.Parallel()
	first := schema.Topic{Name: "hits", ID: "AAAAAAAAAAAAAAAAAAAAAQ"}
	again := schema.Topic{Name: "hits", ID: "AAAAAAAAAAAAAAAAAAAAAg"}
	r := rand.New(rand.NewPCG(8, 8))
	log := newTopic(r, 2, 3*block)
	s := &setup{dir: t.TempDir(), src: hits(), log: log, tail: time.Hour}
	for _, topic := range []schema.Topic{{}, first, first} {
		s.is = topic
		if _, err := s.run(t, 1, -1); err != nil {
			t.Fatal(err)
		}
		if kept, err := archivefile.Topic(s.dir, s.src.Name); err != nil || kept != topic {
			t.Fatalf("kept %+v, %v; want %+v", kept, err, topic)
		}
		log.append(r, 0)
	}
	before := files(t, s.dir)
	s.is = again
	if _, err := s.run(t, 2, -1); !errors.Is(err, schema.ErrTopic) {
		t.Fatalf("of another topic: %v", err)
	}
	if after := files(t, s.dir); !maps.Equal(before, after) {
		t.Errorf("it has written: %d files, %d before", len(after), len(before))
	}
	s.is = first
	if _, err := s.run(t, 3, -1); err != nil {
		t.Fatal(err)
	}
	checkArchive(t, s, false)
}
