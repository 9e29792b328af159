// Package wide holds the integers that outgrow 64 bits: sums of 128 bits and decayed scores of 192 bits, both in two's
// complement, and sums of squares of 192 bits without a sign. They wrap around like Go's own integers; who uses them shows
// that honest input cannot reach that.
//
// The package knows numbers only.
package wide
