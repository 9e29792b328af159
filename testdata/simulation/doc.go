// Package simulation runs the whole protocol, seeded, in worlds where everything goes wrong that may, and checks the laws
// after every step.
//
// What runs is the roles' own code: the speed layer's folds and lanes (packages fold, flush), the batch layer's plans,
// calls, bases and sweeper (publish, journal), the readers' claims and merges (lookup, view), and lane.Decide, which is
// what every store does. What is modelled is all around them: the log and its archive, the store, the state folder, time,
// processes and the network between. There is no goroutine and no clock: a world is driven by a list of choices, each of
// which lets one thing happen.
//
//	append, grow, archive, trim            the log: records with gaps, new partitions, whole blocks archived, a lost head
//	look, fetch, flush, read-marks,        two workers, both owners of every partition, as zombies are: one request
//	exchange, crash                        at a time each, whose calls are delivered one by one
//	open, tick, plan, move, manifest,      two processes of batch over one state folder; runs are registered, computed,
//	clean, sweep, remove, die              put in their place and checked in steps of their own
//	build, promote, drop                   generations beside each other
//	look-up, answer                        two readers, which read marks, and later a row
//	lose-suffix, lose-lane, empty,         the store fails over, forgets, or goes back to a dump; marks are deleted by
//	empty-lane, dump, restore, unmark      hand
//	late, wait, fail-runs                  calls that nobody waits for arrive; time passes; the check refuses every run
//
// A call on its way is delivered, or it or its answer is lost, or it arrives later, or twice, or the store answers with an
// error (Fate).
//
// The laws, after every choice in every lane that it touched: what a row holds is what the plain fold makes of the log up
// to the lane's claim, or up to its own last events where these are further, and no event is in it twice (exact); what lies
// below a claim is there, and neither claim nor content goes back unless the store lost something of the lane (honest). At
// the end the faults stop, one worker and one process of batch go on, and within a bounded number of rounds every lane is
// at the log's end, without leftovers, the manifest is the journals', and dropped generations are gone (complete).
// To see all of it in few bits, the view that is folded has one feature, the sum of the events' bits: sum and number of
// events together tell which events a row holds.
//
// Three things are said here because the laws say less than one may think:
//
//   - while a run is brought past the marks of a worker that is slower than batch, its lanes claim nothing (they are
//     degraded), though they did before; the next claim is no less;
//   - once the store has lost something of a lane, its claims and contents may go back until it has been as far again, and
//     it may even be begun again, for its next run file may have been deleted when nothing needed it;
//   - deleting one partition's mark by hand, and not all marks of the lane, leaves no answer less than its claim and
//     nothing twice, but rows may have gaps past their claim for a while, and leftovers for good.
//
// # Rules
//
// A simulator that never fails proves nothing. Each rule of the protocol (Rule) can be switched off, at the places where
// the real code is wired to the model, and a test sees a law break without it. Five rules are backed by another one, and
// only both switched off break a law; the test says which, and in how many worlds it looked.
//
// # Seeds and cases
//
// A seed that fails is shrunk to choices of which none can be left out, printed, and kept as a text in the folder cases,
// which every later run makes again. The counter-examples of the rules lie there as well: by all rules they must hold,
// without the rule they must break. After a change of the choices' meaning they are made anew:
//
//	rm testdata/simulation/cases/*.txt; go test ./testdata/simulation -run TestRules -keep
//
// Small worlds are looked at exhaustively (Explore): every course of so many choices, from each state once, shortest first.
//
//	make sim SEEDS=10000000 DEPTH=12    the long form
//
// The package knows every layer and is known by none.
package simulation
