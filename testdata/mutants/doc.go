// Command mutants asks of the tests what the tests ask of the code: would they notice?
//
// Each *.patch beside it is a mutant: a change of one line of production code that would be a disaster, with a header that
// says why, and names the test that sees it:
//
//	# What breaks, and who would be hurt.
//	#
//	# caught by: ./speed/fold TestExactHonestComplete -some.flag=1
//	--- a/speed/fold/generation.go
//	+++ b/speed/fold/generation.go
//	@@ -1,3 +1,3 @@
//
// Several lines "caught by" are alternatives, looked at in turn until one catches it; what follows the test's name are
// flags for the test's binary (those that keep it from writing down what it failed on). The test runs with the changed file
// laid over the tree (go test -overlay), so the checkout stays as it is, and so does everything that tests build with a go
// command of their own: process tests cannot be named here.
//
// To make one, change the line, take what git diff says, write the header above it, and take the change back. A mutant whose
// line has gone with a change of the code is made anew, or removed if nothing can break there any more.
//
// A mutant is caught if its test fails, by its own name. It is a failure of the run if the test passes, but also if the
// patch does not apply (its lines must be in the file exactly once; line numbers do not count), does not compile, or has no
// such test, and if the test hangs until go's timeout or its process ends some other way: a test must say what is wrong. A
// mutant whose test is skipped, for want of a server, is left out, and the report says so.
//
//	go run ./testdata/mutants                                   all, after each test has passed on the code as it is
//	go run ./testdata/mutants -share 3 -seed XYZ -clean=false   a third, chosen by the seed, without that
//	go run ./testdata/mutants -run 'join|hop'                   those whose names match
package main
