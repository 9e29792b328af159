package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// askTimeout bounds the question to one process.
const askTimeout = 10 * time.Second

// maxStatusBytes bounds what a process may answer to the question how it is.
const maxStatusBytes = 64 << 20

// processReport is what a process says of itself, or why it does not; its fields are stable.
type processReport struct {
	Address string  `json:"address"`
	Error   *string `json:"error"` // null if it answered
	processStatus
}

// processesReport is what status --from prints as JSON; its fields are stable.
type processesReport struct {
	statusReport
	Processes []processReport `json:"processes"`
}

// askProcesses asks processes how they are. The views are as that process tells them that knows most of them; an error says
// that none has answered.
func askProcesses(ctx context.Context, jobName string, addresses []string) (*processesReport, error) {
	out := &processesReport{statusReport: statusReport{Job: jobName, Views: []viewStatus{}}}
	var errs []error
	for _, address := range addresses {
		p := processReport{Address: address}
		if err := p.ask(ctx); err != nil {
			errs = append(errs, err)
			p.Error = textOrNull(err.Error())
		} else if p.Job != jobName {
			return nil, usagef("--from %s: it is of job %s, not of %s", address, p.Job, jobName)
		}
		if p.knows() > out.knows() {
			out.Views = p.Views
		}
		p.Views = []viewStatus{}
		out.Processes = append(out.Processes, p)
	}
	if len(errs) == len(addresses) {
		return nil, &classed{errUnreachable, errors.Join(errs...)}
	}
	return out, nil
}

// knows counts what a report says of views, to choose the one that says most.
func (r *statusReport) knows() (n int) {
	for i := range r.Views {
		v := &r.Views[i]
		n += 1 + len(v.Partitions)
		if v.Kind != nil {
			n++
		}
	}
	return n
}

func (p *processReport) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	url := "http://" + strings.TrimPrefix(p.Address, "http://") + "/v1/status"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return usagef("--from %s: %w", p.Address, err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("asking the process at %s: %w", p.Address, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxStatusBytes))
	switch {
	case err != nil:
		return fmt.Errorf("reading what the process at %s says: %w", p.Address, err)
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("the process at %s: %s: %.300s", p.Address, res.Status, body)
	}
	if err := json.Unmarshal(body, &p.processStatus); err != nil {
		return fmt.Errorf("reading what the process at %s says: %w", p.Address, err)
	}
	return nil
}

func (r *processesReport) write(w io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(r)
	}
	if err := r.statusReport.write(w, false); err != nil {
		return err
	}
	for i := range r.Processes {
		p := &r.Processes[i]
		if p.Error != nil {
			fmt.Fprintf(w, "process %s: %s\n", p.Address, *p.Error)
			continue
		}
		fmt.Fprintf(w, "process %s, role %s\n", p.Address, p.Role)
		if p.Batch != "" {
			fmt.Fprintf(w, "  batch: %s\n", p.Batch)
		}
		for _, a := range p.Archive {
			if a.Failed != "" {
				fmt.Fprintf(w, "  archive of %s: %s\n", a.Partition, a.Failed)
			}
		}
		for _, s := range p.Speed {
			if s.Failed != "" {
				fmt.Fprintf(w, "  speed layer of %s: %s\n", s.Partition, s.Failed)
			}
		}
		if err := writeFigures(w, p.Figures); err != nil {
			return err
		}
	}
	return nil
}
