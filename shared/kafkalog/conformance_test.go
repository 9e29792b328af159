package kafkalog_test

import (
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tidemark-io/tidemark/shared/devbroker"
	"github.com/tidemark-io/tidemark/shared/kafkalog/kafkalogtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestConformanceDevelopmentBroker runs the suite on one node and on three, where partitions have different leaders.
func TestConformanceDevelopmentBroker(t *testing.T) {
	for name, nodes := range map[string]int{"one node": 1, "three nodes": 3} {
		t.Run(name, func(t *testing.T) {
			b, err := devbroker.Start(devbroker.Config{Nodes: nodes, DataDir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			kafkalogtest.Run(t, kafkalogtest.Cluster{Addr: b.Addr(), SessionTimeout: time.Second})
		})
	}
}

// TestConformanceKafka runs the suite on a real Kafka.
func TestConformanceKafka(t *testing.T) {
	addr := os.Getenv("TIDEMARK_TEST_KAFKA")
	if addr == "" {
		t.Skip("left out: no real Kafka; TIDEMARK_TEST_KAFKA=host:port adds it")
	}
	kafkalogtest.Run(t, kafkalogtest.Cluster{Addr: addr})
}
