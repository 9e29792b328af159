package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidemark-io/tidemark/serving/store"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// newRefill is the cure that verify names: it empties lanes, and they fill themselves.
func newRefill() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "refill JOB LANE…",
		Short: "Delete all marks of damaged lanes, so that batch and speed fill them anew",
		Long: `refill is the cure of a damaged lane. LANE is as verify prints it, such as JOB:VIEW:IDENTITY:03. Until the lane is whole
again, answers from it are degraded and say so; a running up, or batch --once, begins it within a second.`,
		ValidArgsFunction: completeJob,
		Args:              func(cmd *cobra.Command, args []string) error { return wantArgs(cmd, args, 2, -1) },
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := fromEnvironment(cmd, &o); err != nil {
				return err
			}
			j, err := loadJob(args[0])
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			s, err := openStore(ctx, &o, newToolLogger(cmd.ErrOrStderr()), readStore)
			if err != nil {
				return err
			}
			defer s.Close()
			known, err := newCatalog(j, s).lanes(ctx)
			if err != nil {
				return lookupError(err)
			}
			var wanted []lane.ID
			for _, name := range args[1:] {
				i := slices.IndexFunc(known, func(id lane.ID) bool { return id.String() == name })
				if i < 0 {
					return usagef("job %s has no lane %s: lanes are named in full, as verify and explain do, such as %s", j.Name, name, someLane(known))
				}
				wanted = append(wanted, known[i])
			}
			for _, id := range wanted {
				if err := store.EmptyLane(ctx, s, id); err != nil {
					return lookupError(err)
				}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "emptied %s\n", strings.Join(args[1:], ", "))
			return nil
		},
	}
	f := cmd.Flags()
	o.storeFlag(f)
	o.waitFlag(f)
	return cmd
}

// someLane returns the name of a lane for a message.
func someLane(known []lane.ID) string {
	if len(known) == 0 {
		return "none yet: batch makes the first"
	}
	return known[0].String()
}
