// Package wire writes and reads the primitives of canonical states: varints of 64, 128 and 192 bits in their shortest
// form,
// and tuples of typed values in a form whose byte order is the order of the values.
//
//	uvarint  LEB128, shortest form; up to 192 bits where said
//	varint   uvarint of the zigzag form: 0, −1, 1, −2, … are 0, 1, 2, 3, …; up to 128 bits
//	tuple    its members one after the other; which types they have is known from the configuration
//	member   null            00
//	         string, json    01, the bytes with each 00 written as 00 FF, 00 01
//	         any other       (an integer) 80 for 0; 80+n and the n bytes of v, most significant first, for v > 0;
//	                         80−n and the complement of the n bytes of −v for v < 0; n as small as it can be
//
// Equal values have equal bytes, and every form ends by itself: no prefix of a tuple is a tuple of the same types.
//
// The package knows nothing of operators, tiers or windows.
package wire
