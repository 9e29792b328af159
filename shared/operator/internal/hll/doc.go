// Package hll estimates how many different elements there are from registers: HyperLogLog of 2^12 registers over 64-bit
// hashes. An element's hash names a register, with its first 12 bits, and has a rank: how many zeros the other 52 begin
// with, plus 1. A register holds the highest rank of its elements, so that it is a maximum over a set, whatever the order.
//
// The estimator is the improved raw estimator of Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog
// sketches" (arXiv:1702.01284, 2017, algorithm 6). It needs no table of corrections and no switch between ranges: with
// m = 2^12 registers, q = 52 and C_k the number of registers of rank k (0 = without an element),
//
//	n = m² / (2 ln 2 · z)
//	z = m·τ(1 − C_{q+1}/m)·2^−q + Σ_{k=1}^{q} C_k·2^−k + m·σ(C_0/m)
//	σ(x) = x + Σ_{k≥1} x^(2^k)·2^(k−1)
//	τ(x) = (1 − x − Σ_{k≥1} (1 − x^(2^−k))²·2^−k) / 3
//
// The standard error is 1.04/√m = 1.625 %, and less for a few hundred elements and below. The floats are added in one
// fixed order and nothing is fused, so that every processor answers the same integer.
//
// The package knows hashes and ranks only; nothing of windows, states or time.
package hll
