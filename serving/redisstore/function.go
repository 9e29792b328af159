package redisstore

import (
	"context"
	_ "embed" // the function library is a file of its own
	"strings"
)

// library is loaded into the server, replacing what is there under its name: the name has the version in it.
//
//go:embed tidemark.lua
var library string

// The functions of library.
const (
	applyFunction    = "tm_apply_1"
	manifestFunction = "tm_manifest_1"
)

// maxLoads bounds how often one operation loads the library: a server that forgets it again and again is broken.
const maxLoads = 3

// load puts the function library into the server.
func (s *Store) load(ctx context.Context) error {
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	return classify("loading the function library", s.client.FunctionLoadReplace(ctx, library).Err())
}

// missing tells whether the server does not know our functions: it was restarted without persistence, or somebody
// flushed them. Nothing of the call was done then.
func missing(err error) bool {
	return err != nil && strings.Contains(err.Error(), "Function not found")
}
