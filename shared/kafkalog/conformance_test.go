package kafkalog_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tidemark-io/tidemark/shared/devbroker"
	"github.com/tidemark-io/tidemark/shared/kafkalog/kafkalogtest"
	"github.com/tidemark-io/tidemark/testdata/kafka"
)

// leakWait is how long goroutines may take to end after the last test: they end connections, on a machine that may be busy.
const leakWait = time.Minute

func TestMain(m *testing.M) {
	code := m.Run()
	end := time.Now().Add(leakWait)
	leak := goleak.Find() // which looks for half a second
	for leak != nil && time.Now().Before(end) {
		leak = goleak.Find()
	}
	if code == 0 && leak != nil {
		fmt.Fprintln(os.Stderr, leak)
		code = 1
	}
	os.Exit(code)
}

// groupSession is that of group members: shorter ones end on a busy machine where no case wants it, longer ones are waited for
// where one does.
const groupSession = 3 * time.Second

// TestConformanceDevelopmentBroker runs the suite on one node and on three, where partitions have different leaders.
func TestConformanceDevelopmentBroker(t *testing.T) {
	for name, nodes := range map[string]int{"one node": 1, "three nodes": 3} {
		t.Run(name, func(t *testing.T) {
			b, err := devbroker.Start(devbroker.Config{Nodes: nodes, DataDir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			kafkalogtest.Run(t, kafkalogtest.Cluster{Addr: b.Addr(), SessionTimeout: groupSession, Compact: b.Compact})
		})
	}
}

// TestConformanceKafka runs the suite on a real Kafka.
func TestConformanceKafka(t *testing.T) {
	b := kafka.Start(t)
	kafkalogtest.Run(t, kafkalogtest.Cluster{Addr: b.Addr, SessionTimeout: groupSession})
}
