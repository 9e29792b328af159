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
// What is sent again is decided in one place too (retry.go): the client library's own retries are off. Each exchange has
// a deadline, and the connections are bounded.
package redisstore
