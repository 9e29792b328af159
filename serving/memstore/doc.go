// Package memstore is the dumb twin of the real stores: maps under one mutex, lane.Decide, and faults on demand.
//
// It is what tests and simulations run on. It can lose the last changes or everything (as a real store does after a
// crash or a failover), lose calls and replies, deliver a call twice, and hold a call back until the simulation
// releases it. Nothing in it is random and nothing runs in the background: the same calls and the same fates give the
// same store, so that a failing seed can be repeated.
//
// It keeps everything in memory, including a history of the last changes; it is not for production.
package memstore
