// Package tailsort sorts what was sorted before but for what has been appended since, as states that settle again and
// again are: the tail is sorted by itself, then the two are merged.
//
// The package knows nothing of what is sorted.
package tailsort

import "slices"

// Sort sorts s, whose first n elements are in order already. scratch is memory that it may use; what it returns is as
// much memory or more, for the next call. Equal elements end in any order.
func Sort[T any](s []T, n int, scratch []T, compare func(a, b T) int) []T {
	slices.SortFunc(s[n:], compare)
	scratch = append(scratch[:0], s[n:]...)
	at := len(s)
	for left := scratch; len(left) > 0; {
		at--
		if last := left[len(left)-1]; n > 0 && compare(s[n-1], last) > 0 {
			n--
			s[at] = s[n]
		} else {
			s[at] = last
			left = left[:len(left)-1]
		}
	}
	return scratch
}
