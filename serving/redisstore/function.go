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

// load puts the function library into the server. Doing so twice is harmless.
func (s *Store) load(ctx context.Context) error {
	return s.ask(ctx, "loading the function library", &retrier{}, func(ctx context.Context) error {
		return s.client.FunctionLoadReplace(ctx, library).Err()
	})
}

// missing tells whether the server does not know our functions: it was restarted without persistence, or somebody
// flushed them. Nothing of the call was done then.
func missing(err error) bool {
	return err != nil && strings.Contains(err.Error(), "Function not found")
}
