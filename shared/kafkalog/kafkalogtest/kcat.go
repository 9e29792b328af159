package kafkalogtest

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/record"
)

// kcatMissing is why the case is left out on a machine without the program, and what would add it.
const kcatMissing = "kcat not installed: apt-get install kcat"

// kcat runs the program (librdkafka, which shares nothing with ours) on the case's topic and returns what it prints.
func (b *bench) kcat(stdin string, args ...string) string {
	b.Helper()
	program, err := exec.LookPath("kcat")
	if err != nil {
		if slices.Contains(strings.Split(os.Getenv("TIDEMARK_REQUIRE"), ","), "kcat") {
			b.Fatal(kcatMissing)
		}
		b.Skip(kcatMissing)
	}
	cmd := exec.CommandContext(b.ctx, program, append([]string{"-b", b.Addr, "-t", b.topic}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("kcat %v: %v", args, err)
	}
	return string(out)
}

// kcatReadsAndWrites: we read what it writes, and it reads what we write, in every codec of both.
func kcatReadsAndWrites(b *bench) {
	t := b.create(kafkalog.TopicSpec{AppendTime: true})
	var want []string
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		b.kcat(fmt.Sprintf("k:%s\n:no key\n", codec), "-P", "-p", "0", "-K:", "-Z", "-z", codec, "-H", "from=kcat")
		want = append(want, "k="+codec+" [from=kcat]", "=no key [from=kcat]")
	}
	for _, codec := range []kafkalog.Codec{kafkalog.Plain, kafkalog.Gzip, kafkalog.Snappy, kafkalog.Lz4, kafkalog.Zstd} {
		p, err := b.client.NewProducer(b.topic, kafkalog.ProducerConfig{Codec: codec})
		b.must(err)
		v := fmt.Sprint("ours ", codec)
		b.must(p.Produce(b.ctx, []kafkalog.Message{{
			Key: []byte("k"), Value: []byte(v), Headers: []record.Header{{Key: "from", Value: []byte("us")}},
		}}))
		want = append(want, "k="+v+" [from=us]")
	}
	recs, _ := b.readAll(t, 0)
	var ours []string
	for _, r := range recs {
		var headers []string
		for _, h := range r.Headers {
			headers = append(headers, h.Key+"="+string(h.Value))
		}
		ours = append(ours, fmt.Sprintf("%s=%s [%s]", r.Key, r.Value, strings.Join(headers, ",")))
		if r.AppendType != column.LogAppendTime {
			b.Errorf("record %d is not stamped", r.Offset)
		}
	}
	if !slices.Equal(ours, want) {
		b.Errorf("we read\n%q\nwant\n%q", ours, want)
	}
	theirs := b.kcat("", "-C", "-p", "0", "-e", "-q", "-f", "%k=%s [%h] %T\n")
	for i, line := range strings.Split(strings.TrimSuffix(theirs, "\n"), "\n") {
		if i >= len(recs) || line != fmt.Sprint(ours[i], " ", recs[i].Append) {
			b.Errorf("kcat reads, as record %d, %q", i, line)
		}
	}
	if n := strings.Count(theirs, "\n"); n != len(want) {
		b.Errorf("kcat reads %d records, want %d", n, len(want))
	}
}
