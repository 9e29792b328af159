// Package storelimit is what every store demands of the names, keys and calls that it is given.
//
// The four stores lay their keys out differently, and each layout has characters that it cannot hold: Redis puts the
// namespace into a hash tag, Pebble ends it with a zero byte. One set of rules, refused in one place and with one
// wording, keeps them interchangeable: what one takes, all take. A breach is an error of class lane.ErrStore, since it
// repeats itself until somebody acts, and it is found before anything is sent.
//
// The package knows the shape of calls; it knows no store and no transport.
package storelimit
