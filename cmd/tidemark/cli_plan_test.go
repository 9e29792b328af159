package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPlanSays: plan tells of a state what decides it, and warns of a window of more hops than anybody wants to keep.
func TestPlanSays(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "shop")
	for name, text := range map[string]string{
		"sources/clicks.yaml": "topic: clicks\nevent_time: at\nfields:\n  at: time required\n  user: string\n  n: int64\n",
		"views/user.yaml": `sources: [clicks]
entity: [user]
features:
  last: {op: last_n, n: 20, value: n}
  visits: {op: sessions, gap: 30m, window: 30d}
  sizes: {op: histogram, value: n, edges: [10, 100]}
  seconds: {op: count, window: 1d, hop: 1s}
  days: {op: sum, value: n, window: 360d}
`,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := invoke(t, "", "plan", dir).want(t, exitOK)
	for _, text := range []string{"last_n (n=20)", "sessions (gap=30m)", "histogram (edges=[10,100])", "360d by 1d", "warning: count of ", "1d by 1s is 86400 hops"} {
		if !strings.Contains(r.stdout, text) {
			t.Errorf("no %q in\n%s", text, r.stdout)
		}
	}
	if n := strings.Count(r.stdout, "warning"); n != 1 {
		t.Errorf("%d warnings in\n%s", n, r.stdout)
	}
}

// TestBuiltText: a generation that is being built is called so until its last run is in every lane.
func TestBuiltText(t *testing.T) {
	for _, c := range []struct {
		v    versionReport
		want string
	}{
		{versionReport{State: "served", Lanes: 2, Runs: []runReport{{State: "checked", Published: 2}}}, "served"},
		{versionReport{State: "building", Lanes: 2}, "building"},
		{versionReport{State: "building", Lanes: 2, Runs: []runReport{{State: "registered"}}}, "building"},
		{versionReport{State: "building", Lanes: 2, Runs: []runReport{{State: "checked", Published: 1}}}, "building"},
		{versionReport{State: "building", Lanes: 2, Runs: []runReport{{State: "checked", Published: 2}}}, "built: its runs are in every lane; diff, then promote or drop it"},
	} {
		if got := c.v.stateText(); got != c.want {
			t.Errorf("%+v: %q, want %q", c.v, got, c.want)
		}
	}
}
