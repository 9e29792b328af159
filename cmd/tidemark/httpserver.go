package main

import (
	"net/http"
	"time"
)

// What a client may take its time with. One that is slower is cut, so that it holds a connection and no more for so long.
const (
	httpHeaderTimeout = 5 * time.Second // to send a request's header
	httpReadTimeout   = time.Minute     // to send the whole request
	httpWriteTimeout  = 2 * time.Minute // from the header's end to the last byte of the answer that it takes
	httpIdleTimeout   = 2 * time.Minute // between two requests
	httpHeaderBytes   = 1 << 16
)

// newHTTPServer returns a server that bounds its clients.
func newHTTPServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: httpHeaderTimeout, ReadTimeout: httpReadTimeout, WriteTimeout: httpWriteTimeout,
		IdleTimeout: httpIdleTimeout, MaxHeaderBytes: httpHeaderBytes,
	}
}
