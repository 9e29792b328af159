// Package verify proves the running system: it reads every row with the marks of its lane at one instant, folds the log
// up to what those marks claim with the plain fold, and compares bytes.
//
// The expected positions come from the marks, or from a block tile's own where that is further; the entities come from
// the log and from the store. So a deleted tile, base or row, a changed byte, a row too many and a mark pushed forward are
// each found. What cannot be verified counts as wrong.
//
// The package reads; it never repairs. The cure of a damaged lane is to delete all its marks: it fills itself.
package verify
