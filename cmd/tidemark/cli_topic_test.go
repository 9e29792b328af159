package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/serving/storetest/redisserver"
	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/devbroker/foreign"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// topicNow is what Kafka says of the job's topic.
func (in *installation) topicNow(name string) schema.Topic {
	in.t.Helper()
	c, err := kafkalog.Dial(in.t.Context(), kafkalog.Config{Brokers: []string{in.kafka}})
	if err != nil {
		in.t.Fatal(err)
	}
	defer c.Close()
	topic, err := c.Topic(in.t.Context(), name)
	if err != nil {
		in.t.Fatal(err)
	}
	return topicOf(topic)
}

// refuse starts roles and commands that read the log: each ends at once and says all of this.
func (in *installation) refuse(commands []string, says ...string) {
	in.t.Helper()
	for _, role := range commands {
		var p *process
		switch role {
		case "up":
			p = in.up()
		case "verify", "status":
			p = tidemark(in.t, in.flags(role, in.job)...)
		case "log":
			p = tidemark(in.t, role, in.job, "--kafka", in.kafka, "--archive", filepath.Join(in.folder, "archive"))
		default:
			p = in.role(role)
		}
		if code := p.exit(cliWait); code != exitFailed {
			in.t.Errorf("%s: exit code %d", role, code)
		}
		for _, s := range says {
			if !strings.Contains(p.out.String(), s) {
				in.t.Errorf("%s does not say %q:\n%s", role, s, p.out)
			}
		}
	}
}

// TestAnotherTopic: while nothing ran, the topic was deleted and created again, or the source was pointed at another one. No
// role goes on from offsets that mean other records; each names the topics, both ids and the cure. With the topic back all
// is as it was.
func TestAnotherTopic(t *testing.T) {
	t.Parallel()
	in := newInstallation(t, redisserver.Start(t).URL())
	const topic = "usedcar-events"
	in.gen(3000)
	roles := []*process{in.role("archive"), in.role("batch"), in.role("speed")}
	in.awaitRuns(1)
	in.awaitQuiet()
	t.Log(in.verified())
	for _, p := range roles {
		p.terminate()
	}
	before := in.topicNow(topic)
	archive := filepath.Join(in.folder, "archive")
	if kept, err := archivefile.Topic(archive, "events"); err != nil || kept != before {
		t.Fatalf("the archive keeps %+v, %v; want %+v", kept, err, before)
	}

	original := in.job
	pointed := filepath.Join(in.folder, "usedcar")
	if err := os.CopyFS(pointed, os.DirFS(in.job)); err != nil {
		t.Fatal(err)
	}
	edit(t, filepath.Join(pointed, "sources", "events.yaml"), "topic: "+topic, "topic: other-events")
	in.job = pointed
	in.gen(4000)
	other := in.topicNow("other-events")
	// (The commands that read a view's own declaration read the topic that it was made from.)
	readers := []string{"archive", "batch", "speed", "up", "log"}
	in.refuse(readers, "source events", "pointed at another topic", before.Name, before.ID, other.Name, other.ID, "source of another name")
	in.job = original
	up := in.role("archive")
	up.isReady("archive")
	up.terminate()

	if err := foreign.New(in.kafka, nil).Delete(t.Context(), topic); err != nil {
		t.Fatal(err)
	}
	in.gen(5000) // longer than the old one was
	after := in.topicNow(topic)
	in.refuse(append(readers, "verify", "status"), "source events", "deleted and created again", topic, before.ID, after.ID, "empty archive, state and store")

	// Where the archive is lost too, batch knows from its journal, and speed from the manifest.
	if err := os.Rename(archive, archive+".old"); err != nil {
		t.Fatal(err)
	}
	for _, role := range []string{"batch", "speed"} {
		p := in.role(role)
		if code := p.exit(cliWait); code != exitFailed || !strings.Contains(p.out.String(), "generation 1 of view") ||
			!strings.Contains(p.out.String(), before.ID) || !strings.Contains(p.out.String(), after.ID) {
			t.Errorf("%s without the archive: exit code %d\n%s", role, code, p.out)
		}
	}
}

// edit replaces a text in a file.
func edit(t testing.TB, path, old, by string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(b), old) {
		t.Fatalf("%s has no %q: %v", path, old, err)
	}
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(b), old, by)), 0o600); err != nil {
		t.Fatal(err)
	}
}
