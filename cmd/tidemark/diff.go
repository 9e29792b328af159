package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tidemark-io/tidemark/serving/compare"
	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/shared/manifest"
)

func newDiff() *cobra.Command {
	var op operation
	var sample int
	cmd := &cobra.Command{
		Use:   "diff JOB VIEW [GENERATION]",
		Short: "Compare a generation with the served one, feature by feature, on a sample",
		Long: `diff reads a sample of entities from the served generation and from GENERATION, by default the newest that is fed and not
served, and tells for each feature how many answer alike, with examples of those that do not. Two rows are compared when
both hold the same events; those that never rest are counted as moving. Generations of one revision must be equal, byte for
byte: exit code 1 if they are not.`,
		ValidArgsFunction: completeView,
		Args:              func(cmd *cobra.Command, args []string) error { return wantArgs(cmd, args, 2, 3) },
		RunE: func(cmd *cobra.Command, args []string) error {
			if sample < 0 {
				return usagef("--sample %d: want 0 or more", sample)
			}
			if err := op.open(cmd, args, 0); err != nil {
				return err
			}
			defer op.close()
			ctx := cmd.Context()
			n, err := op.candidate(ctx, args[2:])
			if err != nil {
				return err
			}
			old, fresh, err := op.generations(ctx, n)
			if err != nil {
				return err
			}
			r, err := op.compare(ctx, old, fresh, sample)
			if err != nil {
				return err
			}
			if err := writeDiff(cmd.OutOrStdout(), r, op.o.json()); err != nil || !r.SameRevision {
				return err
			}
			return agreed(r)
		},
	}
	op.flags(cmd)
	op.o.outputFlag(cmd.Flags())
	cmd.Flags().IntVar(&sample, "sample", 0, "compare about this many entities; 0 = 1000")
	return cmd
}

// generations returns the served generation and the one with this number, as the manifest has them.
func (op *operation) generations(ctx context.Context, number int64) (old, fresh *lookup.Generation, err error) {
	all, err := newCatalog(op.job, op.store).manifests(ctx)
	if err != nil {
		return nil, nil, lookupError(err)
	}
	for _, m := range all {
		if m.View != op.view {
			continue
		}
		for i := range m.Generations {
			g := &m.Generations[i]
			if g.State == manifest.Served {
				if old, err = lookup.NewGeneration(m, g); err != nil {
					return nil, nil, err
				}
			}
			if g.Number == number && g.State != manifest.Dropped {
				if fresh, err = lookup.NewGeneration(m, g); err != nil {
					return nil, nil, err
				}
			}
		}
	}
	if old == nil || fresh == nil || old.Number == fresh.Number {
		return nil, nil, usagef("view %s has no generation %d beside the served one in this store; versions lists them, and a running up, or batch --once, brings the manifest",
			op.view, number)
	}
	return old, fresh, nil
}

func (op *operation) compare(ctx context.Context, old, fresh *lookup.Generation, sample int) (*compare.Report, error) {
	r, err := compare.Run(ctx, compare.Config{Store: op.store, Old: old, New: fresh, Sample: sample})
	return r, lookupError(err)
}

// agreed is nil if two generations of one revision answered alike, and most of the sample could be compared.
func agreed(r *compare.Report) error {
	switch {
	case r.Differ > 0:
		return &classed{errWrong, fmt.Errorf("%d of %d entities differ between generations %d and %d, which are of one revision: verify --all tells which is wrong",
			r.Differ, r.Entities, r.Old, r.New)}
	case r.Moving > r.Entities:
		return &classed{errUnreachable, fmt.Errorf("of %d entities generations %d and %d held the same events of %d only, which is too few to judge by: %s; try again, or with a longer --wait",
			r.Entities+r.Moving, r.Old, r.New, r.Entities, r.Why)}
	}
	return nil
}

func writeDiff(w io.Writer, r *compare.Report, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(r)
	}
	relation := "another revision"
	if r.SameRevision {
		relation = "the same revision"
	}
	fmt.Fprintf(w, "view %s: generation %d is served, generation %d is of %s\n", r.View, r.Old, r.New, relation)
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "  FEATURE\tIN\tEQUAL\tDIFFER\tFOR EXAMPLE")
	for i := range r.Features {
		f := &r.Features[i]
		example := ""
		if len(f.Examples) > 0 {
			e := &f.Examples[0]
			example = fmt.Sprintf("%s: %s, now %s", e.Entity, e.Old, e.New)
		}
		fmt.Fprintf(t, "  %s\t%s\t%d\t%d\t%s\n", f.Feature, f.In, f.Equal, f.Differ, example)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "compared %d entities, %d differ, %d were moving\n", r.Entities, r.Differ, r.Moving)
	if r.Why != "" {
		fmt.Fprintf(w, "  moving: %s\n", r.Why)
	}
	return nil
}
