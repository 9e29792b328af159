package redisstore

import (
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/tidemark-io/tidemark/shared/lane"
)

// passing are the beginnings of refusals that pass by themselves: the server is loading, was demoted, or is too busy.
var passing = []string{
	"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "BUSY ", "NOREPLICAS",
	"ERR max number of clients reached",
}

// cures are what an operator does about the other refusals, by their beginnings.
var cures = []struct{ prefix, cure string }{
	{"TMMARK", "delete the lane's marks (DEL the key named): the lane fills itself again"},
	{"TMMANIFEST", "delete the key named: the batch role writes the manifest again"},
	{"WRONGTYPE", "a key under our prefix is of a foreign type: rename or delete it"},
	{"OOM", "the server is full: raise its maxmemory (CONFIG SET maxmemory ...) or drop old generations"},
	{"MISCONF", "the server cannot save to its disk: free some, see its log"},
	{"NOAUTH", "the server wants a password: redis://user:password@host:port/db"},
	{"WRONGPASS", "the server refuses the user or password of the store's URL"},
	{"NOPERM", "grant the user the commands FCALL, FUNCTION, HGET, HSET, HDEL, HGETALL, HVALS, SCAN, MULTI, EXEC, INFO and CONFIG|GET"},
	{"MOVED", "the server is part of a cluster, which is not supported: use a standalone one"},
	{"ASK", "the server is part of a cluster, which is not supported: use a standalone one"},
	{"CROSSSLOT", "the server is part of a cluster, which is not supported: use a standalone one"},
	{"ERR unknown command", "the server is not Redis 7 or later"},
}

// classify turns an error of the client library into one of the two classes of a store's errors, adding what was being
// done; it is the one place that decides between them.
func classify(doing string, err error) error {
	if err == nil {
		return nil
	}
	refusal, ok := errors.AsType[redis.Error](err)
	if !ok {
		return fmt.Errorf("%w: %s: %w", lane.ErrUnavailable, doing, err)
	}
	text := refusal.Error()
	for _, p := range passing {
		if strings.HasPrefix(text, p) {
			return fmt.Errorf("%w: %s: %w", lane.ErrUnavailable, doing, err)
		}
	}
	for _, c := range cures {
		if strings.HasPrefix(text, c.prefix) {
			return withCure(doing, err, c.prefix, c.cure)
		}
	}
	return fmt.Errorf("%w: %s: %w", lane.ErrStore, doing, err)
}

func withCure(doing string, err error, prefix, cure string) error {
	if prefix == "TMMARK" {
		err = fmt.Errorf("%w: %w", lane.ErrMark, err)
	}
	return fmt.Errorf("%w: %s: %w (%s)", lane.ErrStore, doing, err, cure)
}
