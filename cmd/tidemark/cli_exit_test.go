package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// unreachable is an address where nobody listens: port 1 is reserved.
const unreachable = "127.0.0.1:1"

// TestExitCodes: what a command says and returns before it has reached anything. Every text names what is at fault, and
// where there is one, the cure.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	bad := badJob(t)
	nowhere := "pebble:" + filepath.Join(t.TempDir(), "none")
	taken := listenSomewhere(t)
	for _, c := range []struct {
		args string
		code int
		says []string
	}{
		{"", exitOK, []string{"Exit codes: 0 fine", "completion"}},
		{"--help", exitOK, []string{"TIDEMARK_KAFKA"}},
		{"--version", exitOK, []string{"tidemark version "}},
		{"verfy JOB", exitUsage, []string{`"verfy"`, "verify?"}},
		{"get --nonsense", exitUsage, []string{"--nonsense", "usage: tidemark get JOB VIEW KEY…"}},
		{"get JOB user", exitUsage, []string{"missing", "get JOB VIEW KEY…"}},
		{"check JOB more", exitUsage, []string{"too many arguments: more"}},
		{"check nowhere/job", exitUsage, []string{"nowhere/job", "no such file", "sources/ and views/"}},
		{"check main.go", exitUsage, []string{"main.go", "folder"}},
		{"check JOB", exitOK, []string{"job usedcar is fine", "1 source,"}},
		{"check " + bad, exitUsage, []string{"lines.yaml:3:1:", `did you mean "topic"`, "lines.yaml:11:13:", "item.yaml:17:5:", `"opp"`}},
		{"plan JOB", exitOK, []string{"CreateTime", "the bound means nothing", "LogAppendTime", "30d by 1d", "view_cnt_7d", "lanes"}},
		{"plan JOB -o xml", exitUsage, []string{"xml", "text or json"}},
		{"completion bash", exitOK, []string{"complete"}},
		{"completion tcsh", exitUsage, []string{"tcsh"}},
		{"completion", exitUsage, []string{"bash|zsh|fish|powershell"}},
		{"batch JOB --once --check", exitUsage, []string{"one of --once, --check and --repeat"}},
		{"verify JOB --as-of newest", exitUsage, []string{"-o json"}},
		{"batch JOB --full", exitUsage, []string{"--full goes with --once"}},
		{"batch JOB --cron often", exitUsage, []string{"often", "five fields"}},
		{"batch JOB --store pebble:here", exitUsage, []string{"pebble:here", "up", "redis://"}},
		{"speed JOB", exitUsage, []string{"pebble:data/store", "up", "redis://"}},
		{"serve JOB", exitUsage, []string{"pebble:data/store", "up", "redis://"}},
		{"serve JOB --kafka x:1", exitUsage, []string{"--kafka", "usage: tidemark serve JOB"}},
		{"archive JOB --grace -1s", exitUsage, []string{"--grace"}},
		{"archive JOB --wait 0s --kafka " + unreachable, exitUnreachable, []string{unreachable, "tidemark broker"}},
		{"speed JOB --wait 0s --store redis://" + unreachable, exitUnreachable, []string{unreachable, "TIDEMARK_STORE"}},
		{"serve JOB --wait 0s --store redis://" + unreachable, exitUnreachable, []string{unreachable, "TIDEMARK_STORE"}},
		{"batch JOB --once --memory much", exitUsage, []string{"much", "MiB"}},
		{"gen JOB", exitUsage, []string{"--events"}},
		{"gen JOB --events 1 --start yesterday", exitUsage, []string{"yesterday", "2026-01-31T18:00:00Z"}},
		{"gen RETAIL --events 1", exitUsage, []string{"no generator", "produce --from"}},
		{"gen JOB --events 1 --rate -1", exitUsage, []string{"--rate"}},
		{"gen JOB --events 1 --out /dev/null/x", exitFailed, []string{"/dev/null/x"}},
		{"gen JOB --events 1 --partitions 0", exitUsage, []string{"--partitions"}},
		{"produce JOB", exitUsage, []string{"--from"}},
		{"produce JOB --from nofile", exitUsage, []string{"nofile"}},
		{"produce JOB --from main.go --source clicks", exitUsage, []string{`"clicks"`, "events"}},
		{"demo RETAIL", exitUsage, []string{"--from"}},
		{"demo JOB --for -1s", exitUsage, []string{"--for"}},
		{"demo JOB --block 1000", exitUsage, []string{"1000", "power of two"}},
		{"demo JOB --cron often", exitUsage, []string{"often"}},
		{"up JOB --cron often", exitUsage, []string{"often", "five fields"}},
		{"up JOB --store file:x", exitUsage, []string{`"file:x"`, "pebble:DIR", "redis://"}},
		{"up JOB --linger -1s", exitUsage, []string{"--linger"}},
		{"broker --listen here", exitUsage, []string{"here"}},
		{"broker --listen " + taken + " --data=", exitFailed, []string{taken, "another port"}},
		{"get JOB nosuch x", exitUsage, []string{`"nosuch"`, "listing, user"}},
		{"get JOB user x --as-of soon", exitUsage, []string{"soon", "RFC 3339"}},
		{"log JOB clicks", exitUsage, []string{`"clicks"`, "events"}},
		{"verify JOB --sample -1 --store " + nowhere, exitUsage, []string{"--sample"}},
		{"verify JOB --wait 0s --store " + nowhere, exitUnreachable, []string{nowhere, "up and batch --once make it"}},
		{"up JOB --wait 0s --kafka " + unreachable + " --store " + nowhere + "2", exitUnreachable, []string{unreachable, "tidemark broker", "--kafka"}},
		{"log JOB --wait 0s --kafka " + unreachable, exitUnreachable, []string{unreachable, "refused"}},
		{"gen JOB --events 1 --wait 0s --kafka " + unreachable, exitUnreachable, []string{unreachable}},
		{"get JOB user x --wait 0s --store redis://:secret@" + unreachable, exitUnreachable, []string{"redis://…@" + unreachable, "refused", "TIDEMARK_STORE"}},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			args := strings.Fields(strings.NewReplacer("JOB", "../../jobs/usedcar", "RETAIL", "../../jobs/retail").Replace(c.args))
			r := invoke(t, "", args...)
			if r.code != c.code {
				t.Errorf("exit code %d, want %d", r.code, c.code)
			}
			text := r.stdout + r.stderr
			for _, s := range c.says {
				if !strings.Contains(text, s) {
					t.Errorf("it does not say %q", s)
				}
			}
			if strings.Contains(text, "secret") || strings.Contains(text, "goroutine ") || strings.Contains(text, "usage: usage") {
				t.Error("it says what it should not")
			}
			if (r.code != exitOK) != strings.Contains(r.stderr, "tidemark: ") || (r.code != exitOK && r.stdout != "") {
				t.Error("what went wrong belongs on standard error, and nothing else does")
			}
			if t.Failed() {
				t.Log(text)
			}
		})
	}
}

// TestEnvironment: every flag can be set in the environment, the command line goes first, and faults name the variable.
func TestEnvironment(t *testing.T) {
	out := filepath.Join(t.TempDir(), "lines")
	t.Setenv("TIDEMARK_EVENTS", "3")
	t.Setenv("TIDEMARK_OUT", out)
	t.Setenv("TIDEMARK_START", "2026-01-31T18:00:00Z")
	invoke(t, "", "gen", "../../jobs/usedcar").want(t, exitOK)
	fromEnv, err := os.ReadFile(out)
	if err != nil || strings.Count(string(fromEnv), "\n") != 3 {
		t.Fatalf("%q, %v", fromEnv, err)
	}
	onLine := invoke(t, "", "gen", "../../jobs/usedcar", "--out", "-", "--events", "2").want(t, exitOK)
	if strings.Count(onLine.stdout, "\n") != 2 || !strings.HasPrefix(string(fromEnv), onLine.stdout) {
		t.Errorf("with --out - --events 2:\n%swant the first two of\n%s", onLine.stdout, fromEnv)
	}
	t.Setenv("TIDEMARK_WAIT", "long")
	t.Setenv("TIDEMARK_SESSION_TIMEOUT", "short")
	if r := invoke(t, "", "up", "../../jobs/usedcar").want(t, exitUsage); !strings.Contains(r.stderr, "TIDEMARK_WAIT") || !strings.Contains(r.stderr, "TIDEMARK_SESSION_TIMEOUT") {
		t.Errorf("it does not name both variables: %s", r.stderr)
	}
}

// TestBuiltInJobs: away from a checkout, the reference jobs are those in the binary.
func TestBuiltInJobs(t *testing.T) {
	binary, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	os.Args[0] = binary
	t.Chdir(t.TempDir())
	if r := invoke(t, "", "check", "jobs/retail").want(t, exitOK); !strings.Contains(r.stderr, "built-in job retail") {
		t.Errorf("it does not say that the job is built in: %s", r.stderr)
	}
	invoke(t, "", "verify", "jobs/usedcar", "--wait", "0s").want(t, exitUnreachable)
	if left, err := os.ReadDir("."); err != nil || len(left) != 0 {
		t.Errorf("commands that only read left %v (%v)", left, err)
	}
}

// badJob returns a copy of a job with faults in several files.
func badJob(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "shop")
	for name, edits := range map[string][]string{
		"sources/lines.yaml": {"\ntopic:", "\ntopik:", "int32 ", "int33 "},
		"views/item.yaml":    {"op: count", "opp: count"},
	} {
		b, err := os.ReadFile(filepath.Join("../../jobs/retail", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		text := strings.NewReplacer(edits...).Replace(string(b))
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
