// Package audit verifies all the time, slowly: entities chosen at random are compared with a plain fold of the log, round
// after round, so that an answer that is wrong is noticed by somebody else than who got it.
//
// It is bounded in all that it takes from others: so many entities a second at most, and a part of one processor, because
// it rests in the middle of its reading of log and store for as long as that takes. Memory is that of package verify: the
// events of the entities of a round and no others.
//
// What a lane says of itself is no news: entities of one that claims nothing (it is being filled, or was emptied) are
// counted as not verified, and not as wrong. The package reads and counts; what follows is for its owner, and for the
// operator, who is told each wrong entity once.
package audit
