package arena

import (
	"slices"
	"unsafe"
)

// doubledBytes is the size up to which a slice doubles when it is full. The runtime's own growth, by a quarter, copies an
// arena four times on the way to its size instead of once; beyond this size memory is worth more than that.
const doubledBytes = 64 << 20

// grow makes room for n more elements.
func grow[T any](s []T, n int) []T {
	var one T
	if room := cap(s); len(s)+n > room && room*int(unsafe.Sizeof(one)) < doubledBytes {
		n = max(n, 2*room-len(s))
	}
	return slices.Grow(s, n)
}
