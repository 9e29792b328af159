package decode

import (
	"encoding/binary"
	"math/bits"
)

// The scanners below read one token or value of s from position i on and return the position after it, or malformed.
// They expect valid UTF-8 (Append has checked it) and never look behind the end of s.

// malformed is the position that a scanner returns when the text is not JSON.
const malformed = -1

// skipSpace returns the position of the first byte from i on that is not white space between tokens.
func skipSpace(s []byte, i int) int {
	// Nearly always there is none: one comparison decides that.
	for i < len(s) && s[i] <= ' ' && isSpace(s[i]) {
		i++
	}
	return i
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

func isDigit(c byte) bool { return c-'0' <= 9 }

// startsNumber tells whether a value that begins with c can only be a number.
func startsNumber(c byte) bool { return c == '-' || isDigit(c) }

// Eight bytes are tested at once: in each byte of a word, a test leaves the high bit set if the byte is one that ends
// the run of plain bytes. A borrow may set it wrongly, but only above a byte that is rightly set, and only the lowest
// counts.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special marks the quotes, backslashes and control characters in a word.
func special(w uint64) uint64 {
	quote, backslash := w^(ones*'"'), w^(ones*'\\')
	return ((quote-ones)&^quote | (backslash-ones)&^backslash | (w-ones*' ')&^w) & highs
}

// plainRun returns the position of the first byte from i on that is not an ordinary byte of a string literal.
func plainRun(s []byte, i int) int {
	for ; i+8 <= len(s); i += 8 {
		if m := special(binary.LittleEndian.Uint64(s[i:])); m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	for i < len(s) && s[i] != '"' && s[i] != '\\' && s[i] >= ' ' {
		i++
	}
	return i
}

// skipString reads the string literal whose opening quote stands at i; escaped tells whether it holds an escape.
func skipString(s []byte, i int) (end int, escaped bool) {
	i = plainRun(s, i+1)
	for {
		if i >= len(s) || s[i] < ' ' {
			return malformed, escaped
		}
		if s[i] == '"' {
			return i + 1, escaped
		}
		escaped = true
		if i = skipEscape(s, i); i == malformed {
			return malformed, escaped
		}
		i = plainRun(s, i)
	}
}

// skipEscape reads the escape whose backslash stands at i. An escaped surrogate must be half of a pair: alone it stands
// for no character.
func skipEscape(s []byte, i int) int {
	if i+1 >= len(s) {
		return malformed
	}
	if unescaped[s[i+1]] != 0 {
		return i + 2
	}
	unit := escapedUnit(s, i)
	switch {
	case unit < 0 || isLow(unit):
		return malformed
	case isHigh(unit):
		if !isLow(escapedUnit(s, i+6)) {
			return malformed
		}
		return i + 12
	default:
		return i + 6
	}
}

// skipNumber reads the number at i; integer tells whether it has neither fraction nor exponent.
func skipNumber(s []byte, i int) (end int, integer bool) {
	if i < len(s) && s[i] == '-' {
		i++
	}
	first := i
	if i = skipDigits(s, i); i == first || s[first] == '0' && i > first+1 {
		return malformed, false
	}
	integer = true
	if i < len(s) && s[i] == '.' {
		integer, first = false, i+1
		if i = skipDigits(s, first); i == first {
			return malformed, false
		}
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		integer = false
		if i++; i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		first = i
		if i = skipDigits(s, i); i == first {
			return malformed, false
		}
	}
	return i, integer
}

func skipDigits(s []byte, i int) int {
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i
}

// skipLiteral reads word (true, false, null) at i.
func skipLiteral(s []byte, i int, word string) int {
	if len(s)-i < len(word) || string(s[i:i+len(word)]) != word {
		return malformed
	}
	return i + len(word)
}

// skipValue reads any value at i; depth counts the objects and arrays around it. Deeper than MaxDepth is malformed too:
// what exactly was wrong is found out afterwards (whyMalformed), once for a record that is rejected anyway.
func skipValue(s []byte, i, depth int) int {
	if i >= len(s) {
		return malformed
	}
	switch s[i] {
	case '"':
		end, _ := skipString(s, i)
		return end
	case '{', '[':
		if depth == MaxDepth {
			return malformed
		}
		if s[i] == '{' {
			return skipObject(s, i, depth+1)
		}
		return skipArray(s, i, depth+1)
	case 't':
		return skipLiteral(s, i, "true")
	case 'f':
		return skipLiteral(s, i, "false")
	case 'n':
		return skipLiteral(s, i, "null")
	default:
		end, _ := skipNumber(s, i)
		return end
	}
}

func skipObject(s []byte, i, depth int) int {
	i = skipSpace(s, i+1)
	if i < len(s) && s[i] == '}' {
		return i + 1
	}
	for {
		if i >= len(s) || s[i] != '"' {
			return malformed
		}
		end, _ := skipString(s, i)
		if i = skipColon(s, end); i == malformed {
			return malformed
		}
		if i = skipValue(s, i, depth); i == malformed {
			return malformed
		}
		var more bool
		if i, more = afterElement(s, i, '}'); !more {
			return i
		}
	}
}

func skipArray(s []byte, i, depth int) int {
	i = skipSpace(s, i+1)
	if i < len(s) && s[i] == ']' {
		return i + 1
	}
	for {
		if i = skipValue(s, i, depth); i == malformed {
			return malformed
		}
		var more bool
		if i, more = afterElement(s, i, ']'); !more {
			return i
		}
	}
}

// skipColon reads the colon between a member's name, which ended at i (or was malformed), and its value, and returns
// the position where the value begins.
func skipColon(s []byte, i int) int {
	if i == malformed {
		return malformed
	}
	if i = skipSpace(s, i); i >= len(s) || s[i] != ':' {
		return malformed
	}
	return skipSpace(s, i+1)
}

// afterElement reads what follows an element of an object or array: a comma (more is true, and the next element begins
// at the position) or the closing bracket.
func afterElement(s []byte, i int, closing byte) (next int, more bool) {
	i = skipSpace(s, i)
	switch {
	case i >= len(s):
		return malformed, false
	case s[i] == ',':
		return skipSpace(s, i+1), true
	case s[i] == closing:
		return i + 1, false
	default:
		return malformed, false
	}
}

// whyMalformed says why s, which is UTF-8 and did not read as an object, is rejected. Depth is judged on the brackets
// outside of string literals alone, so that any program can judge it before it parses.
func whyMalformed(s []byte) Reason {
	if tooDeep(s) {
		return TooDeep
	}
	end := skipValue(s, skipSpace(s, 0), 0)
	if end == malformed || skipSpace(s, end) != len(s) {
		return NotJSON
	}
	return NotObject
}

func tooDeep(s []byte) bool {
	depth, inString := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case inString && c == '\\':
			i++ // whatever is escaped, it does not end the literal
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
