// Package redisstore is the store in a Redis server (version 7 or later, not a cluster), or what speaks like one.
//
// It knows Redis' keys (docs/format/store.md draws them) and the function library tidemark.lua, which applies a call
// exactly as lane.Decide says, in one round trip for all lanes of a flush. It must not know what a tile holds, and
// nothing else of tidemark imports go-redis.
//
// What may go wrong is sorted in one place (errors.go): no answer, or an answer that passes by itself, is
// lane.ErrUnavailable, and the outcome of a call is unknown then; everything else that the server refuses repeats
// itself until somebody acts, is lane.ErrStore, and its text names the cure.
//
// The client library sends commands again by itself when a reply is lost. That is harmless for a call that names the
// mark it expects: the repeat is refused and answers with the marks, among them the caller's own target. A call that
// must not be sent twice (lane.Call.Once) goes through a second client whose retries are off.
package redisstore
