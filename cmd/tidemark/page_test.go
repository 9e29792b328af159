package main

import (
	"os/exec"
	"strings"
	"testing"
)

// browser is headless Chromium, told to reach for nothing but the page.
func browser(t *testing.T, width, url string) string {
	t.Helper()
	program := needed(t, "chromium")
	cmd := exec.CommandContext(t.Context(), program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(),
		"--window-size="+width+",1600", "--virtual-time-budget=6000", "--dump-dom", url)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("chromium: %v", err)
	}
	return string(out)
}

// TestPageInABrowser opens both pages of a running job, wide and narrow, and sees that the script has brought them up to
// date: it replaces the middle of the page each two seconds, of which the browser lives through six.
func TestPageInABrowser(t *testing.T) {
	needed(t, "chromium")
	in := newInstallation(t, "")
	output(t, cliWait, "gen", in.job, "--kafka", in.kafka, "--events", "20000")
	up := in.up()
	line := up.await("ready role=up", cliWait)
	in.awaitTakenIn()
	in.awaitRuns(1)
	address := "http://" + line[strings.LastIndex(line, "=")+1:]
	for _, width := range []string{"1280", "420"} {
		dom := browser(t, width, address+"/")
		for _, want := range []string{"Partitions", "events/3", "Marks of the lanes", "16 of 16 lanes whole", `class="line a"`, "checked"} {
			if !strings.Contains(dom, want) {
				t.Errorf("at a width of %s the overview does not show %q:\n%s", width, want, dom)
			}
		}
		if strings.Contains(dom, `class="away"`) {
			t.Errorf("at a width of %s the script could not bring the page up to date", width)
		}
	}
	dom := browser(t, "1280", address+"/profile?view=listing&key=listing_id:l0")
	for _, want := range []string{"held by base and deltas", "the lane has taken in all below", "last event of b1", "view_cnt_7d", `class="gives"`} {
		if !strings.Contains(dom, want) {
			t.Errorf("the profile does not show %q:\n%s", want, dom)
		}
	}
}
