package lane

import "errors"

// ErrUnavailable is the class of errors of a store that cannot be reached or does not answer in time. For a call it
// says that the outcome is unknown: it may have been applied, or may yet be. The caller reads the marks and goes on
// from what they say.
var ErrUnavailable = errors.New("store unavailable")

// ErrStore is the class of errors of a store that answered and failed: it repeats itself until somebody acts (a foreign
// key under our prefix, a full store). Nothing but the rows named by the error is affected.
var ErrStore = errors.New("store failed")

// Outcome is what came of one call of a pipeline. With Err (ErrUnavailable, ErrStore) the Result says nothing.
type Outcome struct {
	Result
	Err error
}

// Exact is a row and the marks of its lane, read at one instant.
type Exact struct {
	Marks  Marks
	Fields []Field // in order of names; of the incarnation asked for
}

// The store's operations, of which each consumer declares the few that it needs as an interface of its own:
//
//	Apply(ctx, calls []Call) []Outcome
//	    each call atomically on its lane, in order of the slice within a lane; calls of different lanes are
//	    independent, one failing stops no other. len(result) = len(calls).
//	Marks(ctx, lanes []ID) ([]Marks, error)
//	    all marks of each lane, each lane's at one instant; an empty map for none.
//	Rows(ctx, rows []RowID) ([][][]byte, error)
//	    the values of each row's fields, each row at one instant, in no order; an empty slice for no row.
//	Exact(ctx, rows []RowID) ([]Exact, error)
//	    as Rows, but fields with names, and the marks of the same instant.
//	Scan(ctx, namespace string, yield func(RowID) error) error
//	    every row of the namespace, of all lanes and incarnations, at least once if it is there throughout; RowID.Key
//	    is valid during the call of yield only. Stops with yield's error.
//	Manifest(ctx, view string) (seq int64, body []byte, err error)
//	    the manifest of "job.view"; seq 0 and no body where there is none.
//	PutManifest(ctx, view string, seq int64, body []byte) (bool, error)
//	    sets it unless the one there has the same or a higher seq (then false).
//
// All are safe for concurrent use and return errors of class ErrUnavailable or ErrStore, or the context's.
