// Package writes counts writes. Workers write tiles by the speed layer's own lanes (package flush) through the real client
// (package redisstore) into a real Redis, while a proxy between the two loses requests and answers, cuts them in half, and
// lets them come so late that nobody waits for them any more. Afterwards the books are balanced: how many writes were
// lost, and how many had an effect twice.
//
// The judge of the second is Redis itself: it counts each HSET that it runs, in functions too, and every tile and every mark is
// one. The judge of the first is that count too, and then every field of every row, compared with what was written last.
//
//	make writes WRITES=100000000    the long form
//
// The package knows the speed layer's flushes and the store in Redis, and is known by none.
package writes
