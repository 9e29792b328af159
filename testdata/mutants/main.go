package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// options are the command's flags.
type options struct {
	root     string
	run      string
	seed     string
	share    int
	parallel int
	clean    bool
	timeout  time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.root, "root", ".", "the module's folder")
	flag.StringVar(&o.run, "run", "", "only mutants whose names match this regular expression")
	flag.StringVar(&o.seed, "seed", "", "any text: which mutants a share is")
	flag.IntVar(&o.share, "share", 1, "run one mutant in so many")
	flag.IntVar(&o.parallel, "parallel", 2, "how many tests run at once")
	flag.BoolVar(&o.clean, "clean", true, "first see each test pass on the code as it is")
	flag.DurationVar(&o.timeout, "timeout", 5*time.Minute, "how long one test may run")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ok, err := run(ctx, os.Stdout, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// run runs the mutants that the options choose and reports to w. ok is false if one was not caught.
func run(ctx context.Context, w io.Writer, o options) (ok bool, err error) {
	start := time.Now()
	root, err := filepath.Abs(o.root)
	if err != nil {
		return false, fmt.Errorf("finding the module: %w", err)
	}
	pattern, err := regexp.Compile(o.run)
	if err != nil {
		return false, fmt.Errorf("reading -run: %w", err)
	}
	all, err := readMutants(filepath.Join(root, "testdata", "mutants"))
	if err != nil {
		return false, err
	}
	chosen := choose(all, o.seed, o.share)
	chosen = slices.DeleteFunc(chosen, func(m mutant) bool { return !pattern.MatchString(m.name) })
	if len(chosen) == 0 {
		return false, fmt.Errorf("choosing mutants: %w: none of %d is left", errPatch, len(all))
	}
	t := tally{w: w}
	b := bench{root: root, timeout: o.timeout}
	if o.clean {
		each(o.parallel, catchers(chosen), func(c catcher) { t.clean(c)(b.run(ctx, c, "")) })
	}
	if t.bad == 0 {
		each(o.parallel, chosen, func(m mutant) { t.mutant(&m)(b.mutate(ctx, &m)) })
	}
	seed := ""
	if o.share > 1 {
		seed = fmt.Sprintf(" (seed %q)", o.seed)
	}
	fmt.Fprintf(w, "%d of %d mutants%s: %d caught, %d left out, %d failed, in %v\n", len(chosen), len(all), seed, t.caught, t.out, t.bad, time.Since(start).Round(time.Second))
	return t.bad == 0, ctx.Err()
}

// choose returns one in share of the mutants, rounded up, in order: which ones, the seed says.
func choose(all []mutant, seed string, share int) []mutant {
	rank := func(m mutant) uint64 {
		h := fnv.New64a()
		_, _ = io.WriteString(h, seed+"\n"+m.name) // never fails
		return h.Sum64()
	}
	chosen := slices.Clone(all)
	slices.SortFunc(chosen, func(a, b mutant) int { return cmp.Compare(rank(a), rank(b)) })
	share = max(1, share)
	chosen = chosen[:(len(chosen)+share-1)/share]
	slices.SortFunc(chosen, func(a, b mutant) int { return strings.Compare(a.name, b.name) })
	return chosen
}

// catchers returns the tests of all mutants, each once.
func catchers(mutants []mutant) []catcher {
	var all []catcher
	for _, m := range mutants {
		all = append(all, m.catchers...)
	}
	slices.SortFunc(all, func(a, b catcher) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(all)
}

// each does something with every one, so many at a time.
func each[T any](parallel int, all []T, do func(T)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, max(1, parallel))
	for _, one := range all {
		slots <- struct{}{}
		wg.Go(func() {
			do(one)
			<-slots
		})
	}
	wg.Wait()
}

// tally prints a line for each result and counts them. Safe for concurrent use.
type tally struct {
	mu               sync.Mutex
	w                io.Writer
	caught, out, bad int
}

// clean takes what a test says of the code as it is: it must pass, else its failing on a mutant says nothing.
func (t *tally) clean(c catcher) func(verdict, string, error) {
	return func(v verdict, output string, err error) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if err == nil && (v == passed || v == skipped) {
			return
		}
		t.bad++
		fmt.Fprintf(t.w, "FAILED  without any mutant  %s: %v %v\n%s\n", c, v, err, tail(output))
	}
}

// mutant takes what came of a mutant.
func (t *tally) mutant(m *mutant) func(result, error) {
	return func(r result, err error) {
		t.mu.Lock()
		defer t.mu.Unlock()
		switch {
		case err != nil:
			t.bad++
			fmt.Fprintf(t.w, "FAILED  %s  %v\n", m.name, err)
		case r.verdict == failed:
			t.caught++
			fmt.Fprintf(t.w, "caught  %s  by %s %s in %.1f s\n", m.name, r.by.pkg, r.by.test, r.took.Seconds())
		case r.verdict == skipped:
			t.out++
			fmt.Fprintf(t.w, "left out  %s  %s %s is skipped here\n", m.name, r.by.pkg, r.by.test)
		case r.verdict == passed:
			t.bad++
			fmt.Fprintf(t.w, "FAILED  %s  %v (%s)\n", m.name, r.verdict, r.by)
		default:
			t.bad++
			fmt.Fprintf(t.w, "FAILED  %s  %v (%s)\n%s\n", m.name, r.verdict, r.by, tail(r.output))
		}
	}
}

// tailBytes is how much of the end of a test's output is shown.
const tailBytes = 2000

func tail(output string) string {
	output = strings.TrimSpace(output)
	return output[max(0, len(output)-tailBytes):]
}
