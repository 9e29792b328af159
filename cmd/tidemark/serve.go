package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/tidemark-io/tidemark/serving/api"
	"github.com/tidemark-io/tidemark/serving/page"
	"github.com/tidemark-io/tidemark/serving/pebblestore"
	"github.com/tidemark-io/tidemark/serving/store"
	"github.com/tidemark-io/tidemark/serving/storehttp"
)

// startHTTP serves what the roles have to say, and an embedded store to other processes.
func (n *node) startHTTP(ctx context.Context) error {
	mux, err := n.routes(ctx)
	if err != nil {
		return err
	}
	dir, embedded := store.PebbleDir(n.o.store)
	embedded = embedded && n.store != nil
	if embedded {
		mux.Handle(storehttp.Prefix, storehttp.Handler(n.store))
	}
	l, err := listen(ctx, n.o.http)
	if err != nil {
		return err
	}
	n.address = l.Addr().String()
	if embedded {
		if err := pebblestore.WriteAddress(dir, "http://"+n.address); err != nil {
			return errors.Join(err, l.Close())
		}
	}
	srv := newHTTPServer(mux)
	n.beside.Go(func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			n.fail(fmt.Errorf("serving HTTP: %w", err))
		}
	})
	n.beside.Go(func() {
		<-ctx.Done()
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := srv.Shutdown(bounded); err != nil {
			n.logger.Warn("HTTP connections were cut at shutdown", "error", err)
		}
	})
	return nil
}

// routes are what every process answers, and those of its roles.
func (n *node) routes(ctx context.Context) (*http.ServeMux, error) {
	mux := http.NewServeMux()
	a := api.New(api.Config{Job: n.job.Name, Lookups: n.reader, Ready: n.ready, Now: time.Now})
	a.Latency, a.Answered = n.metrics.serve.lookup, n.metrics.serve.answered
	a.RegisterProbes(mux)
	mux.Handle("GET /metrics", n.metrics.handler())
	mux.HandleFunc("GET /v1/status", n.serveStatus)
	if n.roles.any(serveRole) {
		a.RegisterLookups(mux)
	}
	if n.roles == everyRole { // the pages show what all of them know
		pages, err := page.New(n, time.Now)
		if err != nil {
			return nil, err
		}
		pages.Register(mux)
		n.beside.Go(func() { n.sampleEachSecond(ctx) })
	}
	return mux, nil
}

// listen listens at --http. An address that is none is a mistake in the flag; one that is taken is not.
func listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("--http %s: %w; give another port, or 0 for any", address, err)
	case err != nil:
		return nil, usagef("--http %s: %w", address, err)
	}
	return l, nil
}
