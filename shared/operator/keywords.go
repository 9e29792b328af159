package operator

import (
	"bytes"
	"slices"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
)

// keyWords gives the tuples that rows hold in some columns words, equal ones the same. All slots share them.
//
// One or two integers, as most keys are, make a word of themselves, if they are not large: words of such are in the
// order of the tuples' bytes, nobody looks them up and nobody has to remember them. Other tuples are numbered, in words
// beyond those.
type keyWords struct {
	numbered
	words  []uint64 // of the rows that are prepared
	tuples []byte   // scratch of tuple
}

const (
	// numberedWord is the bit of a word that says that the others are the number of a tuple.
	numberedWord = 1 << 63
	// A word of one integer is the integer, moved up so far that none of those it takes is below 0.
	singleUp = 1 << 62
	// A word of two has the second one in its low half; moved up likewise, each.
	firstUp, firstLimit   = 1 << 30, 1 << 31
	secondUp, secondLimit = 1 << 31, 1 << 32
	secondBits            = 32
)

// newKeyWords returns an empty one.
func newKeyWords(inputs []Input) keyWords { return keyWords{numbered: newNumbered(inputs, false)} }

// wordOf returns the word of one integer; it is numberedWord or more if there is none.
func wordOf(v int64) uint64 { return uint64(v) + singleUp }

// wordOfTwo returns the word of two integers; it is numberedWord or more if there is none.
func wordOfTwo(v, w int64) uint64 {
	first, second := uint64(v)+firstUp, uint64(w)+secondUp
	if first >= firstLimit || second >= secondLimit {
		return numberedWord
	}
	return first<<secondBits | second
}

// of returns the words of the tuples that these rows of the columns have, in which nothing is null; valid until the next
// call.
func (k *keyWords) of(cols []*column.Column, rows []int32) []uint64 {
	k.words = slices.Grow(k.words[:0], len(rows))[:len(rows)]
	if k.small(cols, rows) {
		return k.words
	}
	k.prepare(cols, rows)
	for i, word := range k.words {
		if word >= numberedWord {
			k.words[i] = numberedWord | k.at(i)
		}
	}
	return k.words
}

// small fills words with those that are made of integers, the others with numberedWord, and tells whether there are none.
func (k *keyWords) small(cols []*column.Column, rows []int32) bool {
	var seen uint64
	switch {
	case !k.quick:
		for i := range k.words {
			k.words[i] = numberedWord
		}
		return false
	case len(cols) == 1:
		values := cols[0].Ints
		for i, row := range rows {
			word := wordOf(values[row])
			k.words[i] = word
			seen |= word
		}
	default:
		first, second := cols[0].Ints, cols[1].Ints
		for i, row := range rows {
			word := wordOfTwo(first[row], second[row])
			k.words[i] = word
			seen |= word
		}
	}
	return seen < numberedWord
}

// ofTuple returns the word of a tuple; number says what its number is if it needs one.
func (k *keyWords) ofTuple(tuple []byte, number func(tuple []byte) uint64) uint64 {
	if k.quick {
		r := wire.NewReader(tuple)
		v := r.Int()
		word := wordOf(v)
		if len(k.tuple) > 1 {
			word = wordOfTwo(v, r.Int())
		}
		if word < numberedWord {
			return word
		}
	}
	return numberedWord | number(tuple)
}

// append appends the tuple of a word.
func (k *keyWords) append(dst []byte, word uint64) []byte {
	switch {
	case word >= numberedWord:
		return append(dst, k.Bytes(word&^numberedWord)...)
	case len(k.tuple) == 1:
		return wire.AppendInt(dst, int64(word-singleUp))
	}
	dst = wire.AppendInt(dst, int64(word>>secondBits)-firstUp)
	return wire.AppendInt(dst, int64(word&(secondLimit-1))-secondUp)
}

// bytesOf returns the tuple of a word; it is valid until forgetTuples.
func (k *keyWords) bytesOf(word uint64) []byte {
	if word >= numberedWord {
		return k.Bytes(word &^ numberedWord)
	}
	from := len(k.tuples)
	k.tuples = k.append(k.tuples, word)
	return k.tuples[from:len(k.tuples):len(k.tuples)]
}

// forgetTuples ends the use of what bytesOf has returned.
func (k *keyWords) forgetTuples() { k.tuples = k.tuples[:0] }

// less tells whether a word's tuple is before another one in the order of bytes.
func (k *keyWords) less(a, b uint64) bool {
	switch {
	case a < numberedWord && b < numberedWord:
		return a < b
	case a >= numberedWord && b >= numberedWord:
		return k.Less(a&^numberedWord, b&^numberedWord)
	}
	n := len(k.tuples)
	less := bytes.Compare(k.bytesOf(a), k.bytesOf(b)) < 0
	k.tuples = k.tuples[:n]
	return less
}
