package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark-io/tidemark/serving/api"
	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/serving/store"
	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// getBatch is how many keys get reads at a time.
const getBatch = 256

func newGet() *cobra.Command {
	var o options
	var asOf, features string
	var frontier bool
	cmd := &cobra.Command{
		Use:   "get JOB VIEW KEY…",
		Short: "Look up profiles; - reads keys from standard input, one a line",
		Long: `get reads profiles from the store, each row with its lane's marks at one instant. A key is kind:value, such as
user_id:u7; in a view with one kind the value alone will do. -o json prints what profiles:batchGet answers, a line for each
256 keys. A key that cannot be answered does not stop the others: it has an error, and the exit code is 2 if the key or its
as_of is at fault, 4 if the row is.`,
		ValidArgsFunction: completeProfile,
		Args:              func(cmd *cobra.Command, args []string) error { return wantArgs(cmd, args, 3, -1) },
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := fromEnvironment(cmd, &o); err != nil {
				return err
			}
			j, err := loadJob(args[0])
			if err != nil {
				return err
			}
			opt := lookup.Options{Frontier: frontier}
			if err := api.ParseAsOf(asOf, &opt); err != nil {
				return usagef("--as-of: %w", err)
			}
			if features != "" {
				opt.Features = strings.Split(features, ",")
			}
			logger := newToolLogger(cmd.ErrOrStderr())
			if err := knownView(j, args[1]); err != nil {
				return err
			}
			s, err := openStore(cmd.Context(), &o, logger, readStore)
			if err != nil {
				return err
			}
			defer s.Close()
			g := &getter{job: j, store: s, reader: newReader(j, s), view: args[1], options: opt, json: o.json(), out: cmd.OutOrStdout()}
			if err := awaitServed(cmd.Context(), &o, logger, g.reader, g.view); err != nil {
				return err
			}
			return g.run(cmd, keysOf(args[2:], cmd.InOrStdin()))
		},
	}
	f := cmd.Flags()
	o.storeFlag(f)
	o.waitFlag(f)
	o.outputFlag(f)
	f.StringVar(&asOf, "as-of", "", "`TIME` to read the features at, RFC 3339, or newest (default now)")
	f.StringVar(&features, "features", "", "features wanted, `NAME,…` (default all)")
	f.BoolVar(&frontier, "frontier", false, "also print how far in the log each answer is exact")
	return cmd
}

// knownView tells at once, before anything is waited for, that a job has no such view.
func knownView(j *job.Job, name string) error {
	if j.View(name) != nil {
		return nil
	}
	return usagef("job %s has no view %q; it has %s", j.Name, name, strings.Join(viewNames(j), ", "))
}

func viewNames(j *job.Job) []string {
	names := make([]string, 0, len(j.Views))
	for i := range j.Views {
		names = append(names, j.Views[i].Name)
	}
	return names
}

// keysOf yields the keys of the arguments, and of standard input where one is -.
func keysOf(args []string, stdin io.Reader) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, a := range args {
			if a != "-" {
				if !yield(a, nil) {
					return
				}
				continue
			}
			s := bufio.NewScanner(stdin)
			for s.Scan() {
				if k := strings.TrimSpace(s.Text()); k != "" && !yield(k, nil) {
					return
				}
			}
			if err := s.Err(); err != nil && !yield("", fmt.Errorf("reading keys from standard input: %w", err)) {
				return
			}
		}
	}
}

// newReader returns a reader of the job's profiles.
func newReader(j *job.Job, s lookup.Store) *lookup.Reader {
	return lookup.NewReader(lookup.Config{Job: j.Name, Views: viewNames(j), Store: s, Now: time.Now})
}

// getter answers for keys, getBatch at a time, as they come.
type getter struct {
	job     *job.Job
	store   store.Store
	reader  *lookup.Reader
	view    string
	options lookup.Options
	json    bool
	out     io.Writer

	asked, refused, failed int // keys; refused for what they are, failed for what lies in the store
}

func (g *getter) run(cmd *cobra.Command, keys iter.Seq2[string, error]) error {
	var batch []string
	for k, err := range keys {
		if err != nil {
			return err
		}
		if batch = append(batch, k); len(batch) < getBatch {
			continue
		}
		if err := g.answer(cmd, batch); err != nil {
			return err
		}
		batch = batch[:0]
	}
	if err := g.answer(cmd, batch); err != nil {
		return err
	}
	switch {
	case g.failed > 0:
		return fmt.Errorf("%d of %d keys could not be answered", g.failed+g.refused, g.asked)
	case g.refused > 0:
		return usagef("%d of %d keys could not be answered", g.refused, g.asked)
	}
	return nil
}

func (g *getter) answer(cmd *cobra.Command, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	a, err := g.reader.LookupExact(cmd.Context(), g.store, g.view, keys, g.options)
	if err != nil {
		return lookupError(err)
	}
	g.asked += len(keys)
	for i := range a.Profiles {
		switch err := a.Profiles[i].Err; {
		case errors.Is(err, lookup.ErrKey), errors.Is(err, lookup.ErrAsOf):
			g.refused++
		case err != nil:
			g.failed++
		}
	}
	if g.json {
		_, err = g.out.Write(api.AppendAnswer(nil, g.job.Name, a, time.Now()))
		return err
	}
	return printProfiles(g.out, a)
}

// lookupError gives an error of a lookup its class.
func lookupError(err error) error {
	switch {
	case errors.Is(err, lookup.ErrNoView), errors.Is(err, lookup.ErrNoFeature), errors.Is(err, lookup.ErrKey):
		return asUsage(err)
	case errors.Is(err, lookup.ErrNoManifest), errors.Is(err, lane.ErrUnavailable), kafkalog.Transient(err):
		return &classed{errUnreachable, err}
	}
	return err
}

func printProfiles(w io.Writer, a *lookup.Answer) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for i := range a.Profiles {
		p := &a.Profiles[i]
		if p.Err != nil {
			fmt.Fprintf(t, "%s: error: %v\n", p.Key, p.Err)
			continue
		}
		if p.Found {
			fmt.Fprintf(t, "%s: %d events, newest %s, as of %s\n", p.Key, p.Events, stamp(p.Newest), stamp(p.AsOf))
		} else {
			fmt.Fprintf(t, "%s: not found: no event of it was seen; as of %s\n", p.Key, stamp(p.AsOf))
		}
		if p.Degraded != "" {
			fmt.Fprintf(t, "  degraded\t%s\t\n", p.Degraded)
		}
		for k, f := range a.Features {
			fmt.Fprintf(t, "  %s\t%s\t%s\n", a.Generation.Plan.Features()[f].Spec.Name, p.Values[k].Status, p.Values[k].Value.AppendJSON(nil))
		}
		for _, name := range slices.Sorted(maps.Keys(p.Frontier)) {
			fmt.Fprintf(t, "  frontier\t%s\t%d\n", name, p.Frontier[name])
		}
	}
	return t.Flush()
}
