// Package flush is the speed layer's side of the lane protocol, for one lane and one partition: what is known of the
// lane's mark, the call that moves it, and what the answer means.
//
// The one rule of a flush: write the tiles of the lane whose last offset is in [mark.next, position), and move the mark
// to [low, position), if it still is what I think it is. Everything else follows from what a refusal says. The package
// is pure; it knows nothing of tiles' content, clocks, goroutines or stores.
package flush
