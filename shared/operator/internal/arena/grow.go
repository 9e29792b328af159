package arena

import "unsafe"

// doubledBytes is the size up to which a slice doubles when it is full. Growing by a quarter, as the runtime's own slices
// do, copies an arena four times on the way to its size instead of once; beyond this size memory is worth more than that.
const doubledBytes = 64 << 20

// grow makes room for n more elements. It does not go by append: that writes zeros into all of the new room, and memory
// that comes fresh from the system is zero, and not even there before it is touched.
func grow[T any](s []T, n int) []T {
	need, room := len(s)+n, cap(s)
	if need <= room {
		return s
	}
	var one T
	if room*int(unsafe.Sizeof(one)) < doubledBytes {
		room *= 2
	} else {
		room += room / 4
	}
	grown := make([]T, len(s), max(need, room))
	copy(grown, s)
	return grown
}
