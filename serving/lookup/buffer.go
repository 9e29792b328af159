package lookup

import "sync"

// maxKept bounds a buffer that is kept for another answer: what a few large answers took is given back.
const maxKept = 4 << 20

// buffers are those of answers that were released: an answer for many keys is hundreds of kilobytes, which to make, clear
// and collect anew each time costs more than to fill them.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// buffer returns an empty buffer.
func buffer() *[]byte {
	b, ok := buffers.Get().(*[]byte)
	if !ok {
		return new([]byte)
	}
	*b = (*b)[:0]
	return b
}

// Release gives back the memory of what was encoded: the profiles' Encoded are not valid any more. Calling it is a kindness;
// of an answer without Encoded it does nothing.
func (a *Answer) Release() {
	for i := range a.Profiles {
		a.Profiles[i].Encoded = nil
	}
	for _, b := range a.encoded {
		if b != nil && cap(*b) <= maxKept {
			buffers.Put(b)
		}
	}
	a.encoded = nil
}
