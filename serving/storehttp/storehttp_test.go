package storehttp_test

import (
	"net/http/httptest"
	"testing"

	"github.com/tidemark-io/tidemark/serving/memstore"
	"github.com/tidemark-io/tidemark/serving/store"
	"github.com/tidemark-io/tidemark/serving/storehttp"
	"github.com/tidemark-io/tidemark/serving/storetest"
)

func serve(t testing.TB, s storehttp.Served) string {
	t.Helper()
	srv := httptest.NewServer(storehttp.Handler(s))
	t.Cleanup(srv.Close)
	return srv.URL
}

func client(t testing.TB, url string) *storehttp.Client {
	t.Helper()
	c := storehttp.NewClient(storehttp.At(url), 0)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestConformance(t *testing.T) {
	url := serve(t, memstore.New())
	storetest.Run(t, func(t testing.TB) store.Store { return client(t, url) })
}
