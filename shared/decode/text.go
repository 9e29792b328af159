package decode

import (
	"encoding/binary"
	"unicode/utf8"
)

// ascii tells whether s holds no byte beyond 0x7f: most records do not, and that is decided by four words at a time.
func ascii(s []byte) bool {
	for ; len(s) >= 4*wordBytes; s = s[4*wordBytes:] {
		w := binary.LittleEndian.Uint64(s) | binary.LittleEndian.Uint64(s[wordBytes:]) |
			binary.LittleEndian.Uint64(s[2*wordBytes:]) | binary.LittleEndian.Uint64(s[3*wordBytes:])
		if w&highs != 0 {
			return false
		}
	}
	for _, c := range s {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// unescaped maps the letter of a two-byte escape to the byte it stands for, others to 0.
var unescaped = [256]byte{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// The surrogates, of which \u escapes write characters beyond U+FFFF as pairs.
const (
	firstHigh, firstLow, afterLow = 0xd800, 0xdc00, 0xe000
	beyondBMP                     = 0x10000
)

func isHigh(unit int) bool { return firstHigh <= unit && unit < firstLow }
func isLow(unit int) bool  { return firstLow <= unit && unit < afterLow }

// escapedUnit returns the UTF-16 unit of the \uXXXX escape at i, -1 if there is none.
func escapedUnit(s []byte, i int) int {
	if i+6 > len(s) || s[i] != '\\' || s[i+1] != 'u' {
		return -1
	}
	unit := 0
	for _, c := range s[i+2 : i+6] {
		digit := hexDigit(c)
		if digit < 0 {
			return -1
		}
		unit = unit<<4 | digit
	}
	return unit
}

func hexDigit(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	default:
		return -1
	}
}

// appendUnescaped appends what a string literal stands for; s is what skipString accepted, without its quotes.
func appendUnescaped(dst, s []byte) []byte {
	for i := 0; i < len(s); {
		if end := plainRun(s, i); end > i {
			dst = append(dst, s[i:end]...)
			i = end
			continue
		}
		if plain := unescaped[s[i+1]]; plain != 0 {
			dst = append(dst, plain)
			i += 2
			continue
		}
		unit := escapedUnit(s, i)
		i += 6
		if isHigh(unit) {
			unit = beyondBMP + (unit-firstHigh)<<10 + escapedUnit(s, i) - firstLow
			i += 6
		}
		dst = utf8.AppendRune(dst, rune(unit))
	}
	return dst
}

// appendCompact appends a well-formed JSON value without the white space between its tokens, everything else verbatim.
func appendCompact(dst, s []byte) []byte {
	start := 0
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '"':
			i, _ = skipString(s, i)
		case isSpace(c):
			dst = append(dst, s[start:i]...)
			i = skipSpace(s, i)
			start = i
		default:
			i++
		}
	}
	return append(dst, s[start:]...)
}
