package decode

import "encoding/binary"

// literal is a text that is looked for at places where it nearly always stands. Two words at its ends, which overlap in
// one of less than sixteen bytes, are compared without a call; only a longer one has a middle.
type literal struct {
	text       string
	head, tail uint64
	mask       uint64 // of the bytes of a text shorter than a word
	at         int    // where tail begins
	room       int    // bytes that must be there for the words to be read
}

const wordBytes = 8

func newLiteral(text string) literal {
	l := literal{text: text, mask: 1<<64 - 1, at: max(0, len(text)-wordBytes), room: max(len(text), wordBytes)}
	var padded [wordBytes]byte
	if n := len(text); n < wordBytes {
		l.mask = 1<<(8*n) - 1
	}
	copy(padded[:], text)
	l.head = binary.LittleEndian.Uint64(padded[:])
	copy(padded[:], text[l.at:])
	l.tail = binary.LittleEndian.Uint64(padded[:])
	return l
}

// newQuoted returns the literal of a string value. One that needs escapes stands for nothing: no text begins with it.
func newQuoted(value string) literal {
	if plainRun([]byte(value), 0) < len(value) {
		return literal{room: MaxRecordBytes + 1}
	}
	return newLiteral(`"` + value + `"`)
}

// begins tells whether s begins with the text. It may say no of an s that ends less than a word after it began: whoever
// asks must have another way to find out.
func (l *literal) begins(s []byte) bool {
	if len(s) < l.room {
		return false
	}
	return binary.LittleEndian.Uint64(s)&l.mask == l.head && binary.LittleEndian.Uint64(s[l.at:])&l.mask == l.tail &&
		(len(l.text) <= 2*wordBytes || string(s[wordBytes:l.at]) == l.text[wordBytes:l.at])
}
