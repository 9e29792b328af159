package kafkalog_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tidemark-io/tidemark/shared/devbroker"
	"github.com/tidemark-io/tidemark/shared/kafkalog/kafkalogtest"
	"github.com/tidemark-io/tidemark/testdata/kafka"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
