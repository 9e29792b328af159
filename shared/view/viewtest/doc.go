// Package viewtest holds what tests of views need: a view over two sources that uses the whole of the language, and
// random logs of its sources, with late events, ties, nulls, rejects and gaps. Logs are made as columns, not as JSON, so
// that tests of folds do not wait for a decoder. Only tests import it.
package viewtest
