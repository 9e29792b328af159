package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark-io/tidemark/serving/api"
	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/serving/store"
	"github.com/tidemark-io/tidemark/shared/job"
)

// getBatch is how many keys get reads at a time.
const getBatch = 256

func newGet() *cobra.Command {
	var o options
	var asOf, features string
	var frontier bool
	cmd := &cobra.Command{
		Use:   "get JOB VIEW KEY…",
		Short: "Look up profiles; - reads keys from standard input",
		Long: `get reads profiles from the store, each row with its lane's marks at one instant. A key is kind:value, such as
user_id:u7; in a view with one kind the value alone will do. -o json prints what profiles:batchGet answers, a line for each 256 keys.`,
		Args: func(cmd *cobra.Command, args []string) error { return wantArgs(cmd, args, 3, -1) },
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
				return fmt.Errorf("%w: --as-of: %w", errUsage, err)
			}
			if features != "" {
				opt.Features = strings.Split(features, ",")
			}
			s, err := openStore(cmd.Context(), &o, newLogger(cmd.ErrOrStderr()), false)
			if err != nil {
				return err
			}
			defer s.Close()
			return get(cmd, &o, j, s, args[1], keysOf(args[2:], cmd.InOrStdin()), opt)
		},
	}
	f := cmd.Flags()
	o.storeFlag(f)
	o.waitFlag(f)
	o.outputFlag(f)
	f.StringVar(&asOf, "as-of", "", "`TIME` to read the features at, RFC 3339, or newest (default now)")
	f.StringVar(&features, "features", "", "features wanted, separated by commas (default all)")
	f.BoolVar(&frontier, "frontier", false, "also print how far in the log each answer is exact")
	return cmd
}

// keysOf yields the keys of the arguments, and of standard input where one is -.
func keysOf(args []string, stdin io.Reader) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, a := range args {
			if a != "-" {
				if !yield(a) {
					return
				}
				continue
			}
			for s := bufio.NewScanner(stdin); s.Scan(); {
				if k := strings.TrimSpace(s.Text()); k != "" && !yield(k) {
					return
				}
			}
		}
	}
}

// newReader returns a reader of the job's profiles.
func newReader(j *job.Job, s lookup.Store) *lookup.Reader {
	names := make([]string, 0, len(j.Views))
	for i := range j.Views {
		names = append(names, j.Views[i].Name)
	}
	return lookup.NewReader(lookup.Config{Job: j.Name, Views: names, Store: s, Now: time.Now})
}

func get(cmd *cobra.Command, o *options, j *job.Job, s store.Store, view string, keys func(func(string) bool), opt lookup.Options) error {
	r := newReader(j, s)
	var batch []string
	bad := 0
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		a, err := r.LookupExact(cmd.Context(), s, view, batch, opt)
		if err != nil {
			return lookupError(err)
		}
		batch = batch[:0]
		for i := range a.Profiles {
			if a.Profiles[i].Err != nil {
				bad++
			}
		}
		if o.json() {
			_, err = cmd.OutOrStdout().Write(api.AppendAnswer(nil, j.Name, a, time.Now()))
			return err
		}
		return printProfiles(cmd.OutOrStdout(), a)
	}
	var err error
	for k := range keys {
		if batch = append(batch, k); len(batch) == getBatch {
			if err = flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	if bad > 0 {
		return fmt.Errorf("%d keys could not be answered", bad)
	}
	return nil
}

// lookupError gives an error of a lookup its class.
func lookupError(err error) error {
	switch {
	case errors.Is(err, lookup.ErrNoView), errors.Is(err, lookup.ErrNoFeature), errors.Is(err, lookup.ErrKey):
		return fmt.Errorf("%w: %w", errUsage, err)
	case errors.Is(err, lookup.ErrNoManifest):
		return fmt.Errorf("%w: %w", errUnreachable, err)
	}
	return err
}

func printProfiles(w io.Writer, a *lookup.Answer) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for i := range a.Profiles {
		p := &a.Profiles[i]
		if p.Err != nil {
			fmt.Fprintf(t, "%s\terror\t%v\n", p.Key, p.Err)
			continue
		}
		fmt.Fprintf(t, "%s\tfound %v\t%d events, newest %s, as of %s\n", p.Key, p.Found, p.Events, stamp(p.Newest), stamp(p.AsOf))
		if p.Degraded != "" {
			fmt.Fprintf(t, "\tdegraded\t%s\n", p.Degraded)
		}
		for k, f := range a.Features {
			fmt.Fprintf(t, "  %s\t%s\t%s\n", a.Generation.Plan.Features()[f].Spec.Name, p.Values[k].Status, p.Values[k].Value.AppendJSON(nil))
		}
		for name, next := range p.Frontier {
			fmt.Fprintf(t, "  frontier\t%s\t%d\n", name, next)
		}
	}
	return t.Flush()
}

// stamp prints a time in ms.
func stamp(ms int64) string {
	if ms == 0 {
		return "-"
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
}
