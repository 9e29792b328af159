package pebblestore_test

import (
	"testing"

	"github.com/tidemark-io/tidemark/serving/pebblestore"
	"github.com/tidemark-io/tidemark/serving/store"
	"github.com/tidemark-io/tidemark/serving/storetest"
)

func open(t testing.TB, dir string) *pebblestore.Store {
	t.Helper()
	s, err := pebblestore.Open(dir, pebblestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestConformance(t *testing.T) {
	s := open(t, t.TempDir())
	storetest.Run(t, func(testing.TB) store.Store { return s })
}
