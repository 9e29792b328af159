package service_test

import (
	"reflect"
	"testing"

	"github.com/tidemark-io/tidemark/batch/service"
)

// TestJournalsFollow: journals that are kept tell at any time what those tell that are read anew, as views, runs and
// generations come.
func TestJournalsFollow(t *testing.T) {
	w := newWorld(t, 11)
	views := []string{"visitor", "item", "none"}
	kept := service.NewJournals(w.state, "shop")
	runs := 0
	follow := func() {
		t.Helper()
		for range 2 { // the second time nothing has moved
			got, err := kept.Versions(t.Context(), views, w.store.Marks)
			must(t, err)
			want, err := service.Versions(t.Context(), w.state, "shop", views, w.store.Marks)
			must(t, err)
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("kept: %+v\nread anew: %+v", got, want)
			}
			runs = 0
			for _, v := range got {
				runs += len(v.Runs)
			}
		}
	}
	follow()
	for _, share := range []float64{0.3, 0.6} {
		w.grow(share)
		_, err := w.service().Once(t.Context())
		must(t, err)
		follow()
	}
	_, err := w.service().Rebuild(t.Context(), "visitor")
	must(t, err)
	follow()
	_, err = w.service().Once(t.Context())
	must(t, err)
	follow()
	if runs < 5 {
		t.Errorf("there were %d runs to follow", runs)
	}
}
