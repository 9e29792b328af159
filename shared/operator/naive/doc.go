// Package naive computes what every kind of operator must give, the dumb way: from a plain slice of events, with maps,
// sorting and big numbers, once for the bytes of a state and once for the value of a query. It is the twin that the
// operators are compared with, and what the oracle and the sampled checks of batch stand on.
//
// It shares with package operator the configuration and the writing of single numbers and strings; nothing of how states
// are folded, merged, kept, re-tiered, ordered or decayed. Whoever changes an operator changes it here too, by the
// definition and not by the code.
package naive
