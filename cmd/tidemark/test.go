package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/trial"
)

func newTest() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "test JOB",
		Short: "Run the job's own tests: records in, the features expected of them",
		Long: `test reads JOB/tests/*.yaml: each file has a few records and what profiles are to answer after them. They are decoded,
folded and merged as all records are, in a base, a delta and block tiles, and compared with the plain fold besides; nothing
needs to run for it. Exit code 1 if an answer is not the one expected, 2 if a file is at fault.`,
		ValidArgsFunction: completeJob,
		Args:              oneJob,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := fromEnvironment(cmd, &o); err != nil {
				return err
			}
			j, tests, err := loadTested(args[0])
			if err != nil {
				return err
			}
			if len(tests) == 0 {
				return usagef("job %s has no tests: write %s/tests/NAME.yaml as docs/features.md says", j.Name, args[0])
			}
			r, err := runTests(j, tests)
			if err != nil {
				return err
			}
			return r.write(cmd.OutOrStdout(), o.json())
		},
	}
	o.outputFlag(cmd.Flags())
	return cmd
}

// testReport is what came of a job's tests; as JSON its fields are stable.
type testReport struct {
	Job      string          `json:"job"`
	Files    int             `json:"files"`
	Records  int             `json:"records"`
	Answers  int             `json:"answers"`  // features compared
	Untested []string        `json:"untested"` // view.feature that no test expects anything of
	Failures []trial.Failure `json:"failures"`
}

func runTests(j *job.Job, tests []*job.Test) (*testReport, error) {
	r := &testReport{Job: j.Name, Files: len(tests), Untested: []string{}, Failures: []trial.Failure{}}
	tested := map[string]bool{}
	for _, t := range tests {
		failures, err := trial.Run(j, t)
		if err != nil {
			return nil, err
		}
		r.Failures = append(r.Failures, failures...)
		r.Records += len(t.Events)
		for i := range t.Expect {
			x := &t.Expect[i]
			r.Answers += len(x.Features)
			for _, f := range x.Features {
				tested[x.View+"."+j.View(x.View).Features()[f.Index].Spec.Name] = true
			}
		}
	}
	for _, p := range j.Plans {
		for _, f := range p.Features() {
			if name := p.Spec().Name + "." + f.Spec.Name; !tested[name] {
				r.Untested = append(r.Untested, name)
			}
		}
	}
	return r, nil
}

// write prints the report; the error says how many failures there are.
func (r *testReport) write(w io.Writer, asJSON bool) error {
	if asJSON {
		if err := json.NewEncoder(w).Encode(r); err != nil {
			return err
		}
	} else {
		r.print(w)
	}
	if len(r.Failures) == 0 {
		return nil
	}
	return &classed{errWrong, fmt.Errorf("%s in the tests of job %s", counted(len(r.Failures), "failure"), r.Job)}
}

func (r *testReport) print(w io.Writer) {
	for i := range r.Failures {
		printFailure(w, &r.Failures[i])
	}
	if len(r.Untested) > 0 {
		fmt.Fprintf(w, "not tested: %s\n", strings.Join(r.Untested, ", "))
	}
	fmt.Fprintf(w, "job %s: %s, %s, %s, %s\n", r.Job, counted(r.Files, "file"), counted(r.Records, "record"),
		counted(r.Answers, "answer"), counted(len(r.Failures), "failure"))
}

func printFailure(w io.Writer, f *trial.Failure) {
	fmt.Fprintf(w, "%s:%d:", f.File, f.Line)
	if f.View != "" {
		fmt.Fprintf(w, " view %s, %s", f.View, f.Key)
	}
	if f.AsOf > 0 {
		fmt.Fprintf(w, " as of %s", stamp(f.AsOf))
	}
	if f.Feature != "" {
		fmt.Fprintf(w, ": %s", f.Feature)
	}
	if f.What != "" {
		fmt.Fprintf(w, " (%s)", f.What)
	}
	fmt.Fprintf(w, "\n  expected  %s\n  got       %s\n", f.Expected, f.Got)
}
