// Package store opens a store by its URL and says, in one interface, what all of them do.
//
// It is the only place that knows every kind of store. Consumers declare the few operations that they need as an
// interface of their own (package lane lists the operations and their meaning); whoever wires them opens a store here.
package store
