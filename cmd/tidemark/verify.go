package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark-io/tidemark/serving/api"
	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/serving/verify"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/lane"
)

func newVerify() *cobra.Command {
	var o options
	var sample int
	var all bool
	var asOf string
	cmd := &cobra.Command{
		Use:   "verify JOB",
		Short: "Compare every entity in the store, byte for byte, with a plain fold of the log",
		Long: `verify reads every row with the marks of its lane at one instant, folds the log (the archive, then Kafka) up to what
those marks claim, with the plain fold, and compares bytes. It can run while everything else runs. What cannot be verified
counts as wrong: a lane that is not whole after --wait, a mark past the log's end, a tile that does not read. If a lane is
damaged, delete all its marks: it fills itself. Exit code 1 if anything is wrong. --all verifies every generation that is
fed, beside the one that is served. With -o json and --as-of it also prints every verified entity's features at that time, so that
what two deployments answer can be compared as text.`,
		ValidArgsFunction: completeJob,
		Args:              oneJob,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := fromEnvironment(cmd, &o); err != nil {
				return err
			}
			j, err := loadJob(args[0])
			if err != nil {
				return err
			}
			if sample < 0 {
				return usagef("--sample %d: want 0 or more", sample)
			}
			at, err := valuesAt(asOf, &o)
			if err != nil {
				return err
			}
			ctx, logger := cmd.Context(), newToolLogger(cmd.ErrOrStderr())
			s, err := openStore(ctx, &o, logger, readStore)
			if err != nil {
				return err
			}
			defer s.Close()
			h, done, err := openHistory(ctx, &o, logger)
			if err != nil {
				return err
			}
			defer done()
			r := newReader(j, s)
			if err := awaitServed(ctx, &o, logger, r, r.Views()...); err != nil {
				return err
			}
			cfg := verify.Config{Reader: r, Store: s, Log: h, Sample: sample, Wait: o.wait, At: at, Progress: progressTo(cmd.ErrOrStderr())}
			if all {
				cfg.Generations = newCatalog(j, s).fed
			}
			report, err := verifyPatiently(ctx, cfg, &o, logger)
			if err != nil {
				return lookupError(err)
			}
			if err := writeReport(cmd.OutOrStdout(), report, o.json()); err != nil {
				return err
			}
			return wrongError(report)
		},
	}
	f := cmd.Flags()
	o.kafkaFlag(f)
	o.storeFlag(f)
	o.archiveFlag(f)
	o.waitFlag(f)
	o.outputFlag(f)
	f.BoolVar(&all, "all", false, "verify every generation that is fed, not the served one alone")
	f.StringVar(&asOf, "as-of", "", "with -o json: print every entity's features at this `TIME`, RFC 3339 or newest")
	f.IntVar(&sample, "sample", 0, "verify about this many entities of each view, chosen at random; 0 = all")
	return cmd
}

// verifyPatiently begins again if the log or the store is away in between, as long as --wait is not over.
func verifyPatiently(ctx context.Context, cfg verify.Config, o *options, l logger) (*verify.Report, error) {
	a := awaited{
		what:    "the log and the store to verify with",
		cure:    "they were there a moment ago: look at the brokers and the store",
		passing: func(err error) bool { return kafkalog.Transient(err) || errors.Is(err, lane.ErrUnavailable) },
	}
	return retry(ctx, l, a, o.wait, func() (*verify.Report, error) { return verify.Run(ctx, cfg) })
}

// valuesAt reads --as-of; nil without.
func valuesAt(asOf string, o *options) (*lookup.Options, error) {
	if asOf == "" {
		return nil, nil //nolint:nilnil // nothing was asked for, and that is no error
	}
	if !o.json() {
		return nil, usagef("--as-of adds values to the JSON report: give -o json too")
	}
	at := &lookup.Options{}
	return at, asUsage(api.ParseAsOf(asOf, at))
}

func writeReport(w io.Writer, r *verify.Report, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(r)
	}
	printReport(w, r)
	return nil
}

// progressTo says on w, at most every few seconds, how far a long verification is.
func progressTo(w io.Writer) func(view, what string, done, of int) {
	last := time.Now()
	return func(view, what string, done, of int) {
		if time.Since(last) > progressEvery {
			last = time.Now()
			fmt.Fprintf(w, "view %s: %d of %d %s\n", view, done, of, what)
		}
	}
}

func wrongError(r *verify.Report) error {
	if r.Wrong == 0 {
		return nil
	}
	return &classed{errWrong, fmt.Errorf("%d of %d entities are wrong; if a lane is damaged, delete all its marks: it fills itself", r.Wrong, r.Entities)}
}

func printReport(w io.Writer, r *verify.Report) {
	for _, f := range r.Faults {
		fmt.Fprintf(w, "wrong: view %s, entity %s, lane %s: %s\n", f.View, f.Entity, f.Lane, f.What)
		if f.Feature != "" {
			fmt.Fprintf(w, "  feature %s: by the log %s, by the store %s\n", f.Feature, f.Want, f.Got)
		}
		if f.Positions != "" {
			fmt.Fprintf(w, "  positions %s\n", f.Positions)
		}
	}
	if r.Wrong > len(r.Faults) {
		fmt.Fprintf(w, "… and %d more\n", r.Wrong-len(r.Faults))
	}
	for _, lost := range r.Lost {
		fmt.Fprintf(w, "nobody has the records %s, as was accepted\n", lost)
	}
	fmt.Fprintf(w, "verified %d entities, %d wrong\n", r.Entities, r.Wrong)
}
