package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/serving/storetest/ports"
	"github.com/tidemark-io/tidemark/serving/storetest/redisserver"
	"github.com/tidemark-io/tidemark/testdata/kafka"
)

const (
	ownSection = "On your own Kafka and Redis"
	// ownRoles is how many processes the section begins.
	ownRoles = 6
	// ownTimeout bounds the section's commands; on a quiet machine they take a quarter of a minute.
	ownTimeout = 10 * time.Minute
	// runsShown stands before the commands that look at the result: they are to see profiles that batch has had a part in.
	runsShown = "until ./tidemark versions jobs/usedcar --state data/state | grep -c '16 of 16 lanes' >ours; do :; done\n"
)

// TestReadmeOnYourOwn runs the commands of the README's section for operators, as they stand there and in their order, in one
// shell on a real Kafka and a real Redis. Each must exit with 0.
func TestReadmeOnYourOwn(t *testing.T) {
	t.Parallel()
	needed(t, "bash")
	needed(t, "curl")
	needed(t, "redis-cli", "redis-tools")
	blocks := commandsOf(t, ownSection)
	if !strings.Contains(blocks[len(blocks)-2], " verify ") || !strings.Contains(blocks[len(blocks)-1], "kill -TERM") {
		t.Fatalf("the last two blocks are to verify and to end:\n%s", strings.Join(blocks, "\n"))
	}
	blocks[len(blocks)-2] = runsShown + blocks[len(blocks)-2]
	dir := checkout(t)
	out := inShell(t, dir, strings.Join(blocks, ""), "KAFKA="+kafka.Start(t).Addr, "REDIS="+redisserver.Start(t).Addr,
		"HTTP="+ports.Free(t), "PASSWORD=a-secret")

	for what, said := range map[string]string{
		"check":    `(?m)^job usedcar is fine`,
		"plan":     `LogAppendTime`,
		"a lookup": `"key":"user_id:udn4c1e","found":true.*"degraded":null,"frontier":\{.*"view_cnt_7d":\{"value":[1-9]`,
		"status":   `(?m)run [1-9]`,
		"verify":   `(?m)^verified [1-9]\d* entities, 0 wrong`,
	} {
		if !regexp.MustCompile(said).MatchString(out) {
			t.Errorf("of %s it does not say %s", what, said)
		}
	}
	const unseen = "the server does not tell its settings" // to a user of least rights; roles say so, and commands leave it at that
	if strings.Contains(out, unseen) {
		t.Error("commands say what roles have said")
	}
	logs, err := filepath.Glob(filepath.Join(dir, "logs/*"))
	if err != nil || len(logs) != ownRoles {
		t.Errorf("logs of %v, error %v", logs, err)
	}
	for _, file := range logs {
		text, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(text), "ready role=") || !strings.Contains(string(text), `"drained"`) ||
			strings.Contains(string(text), unseen) == strings.HasSuffix(file, "archive") || strings.Contains(string(text), "a-secret") || strings.Contains(string(text), `"level":"ERROR"`) {
			t.Errorf("%s, error %v:\n%s", file, err, text)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
}

// commandsOf returns the fenced blocks of a section of the README.
func commandsOf(t *testing.T, section string) []string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n## "+section+"\n")
	if !found {
		t.Fatalf("README.md has no section %q", section)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	var blocks []string
	for _, m := range regexp.MustCompile("(?ms)^```\n(.*?)^```$").FindAllStringSubmatch(rest, -1) {
		blocks = append(blocks, m[1])
	}
	if len(blocks) < 2 {
		t.Fatalf("section %q has the blocks %q: the search is broken", section, blocks)
	}
	return blocks
}

// checkout makes a folder look like a checkout after make build, with Kafka's own commands beside it in bin.
func checkout(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	binary, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"tidemark": binary, "docs": filepath.Join(root, "docs"), "jobs": filepath.Join(root, "jobs")} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	topics := "#!/bin/sh\nexec '" + filepath.Join(root, "testdata/kafka/kafka.sh") + "' topics \"$@\"\n"
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bin/kafka-topics.sh"), []byte(topics), 0o755); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	return dir
}

// inShell runs a script until a command of it fails, wants none to, and returns what it printed. What it began ends with it.
func inShell(t *testing.T, dir, script string, env ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ownTimeout)
	defer cancel()
	// Killing the test leaves the shell to end what it began.
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", "trap 'kill -KILL 0' TERM\n"+script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"), asTidemark+"=1")
	cmd.Env = append(cmd.Env, env...)
	cmd.SysProcAttr = dieWithParent(sigterm)
	cmd.SysProcAttr.Setpgid = true
	all := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel = all
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	_ = all() // nothing is left, if all went well
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}
