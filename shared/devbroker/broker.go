package devbroker

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// DefaultMinSessionTimeout is the shortest session of a group member that is accepted by default. It is lower than
// Kafka's 6 s, so that a demo sees a killed member's partitions move soon.
const DefaultMinSessionTimeout = time.Second

// maxNodes bounds Config.Nodes.
const maxNodes = 9

// Config says how to run a broker.
type Config struct {
	// Listen is the address to serve at, host:port; port 0 picks one. The host is also what clients are told to connect
	// to, so it must be one that they can reach. Default "127.0.0.1:0". Of several nodes, each further one gets a port of
	// its own.
	Listen string
	// DataDir is where topics, records, groups and transactions persist. Empty: in memory only.
	DataDir string
	// Nodes is the number of brokers in the cluster, for tests of leaders. Default 1, at most 9.
	Nodes int
	// Network replaces TCP, for tests in a synctest bubble. Listen needs a port then.
	Network *Network
	// MinSessionTimeout is the shortest session of a group member. Default 1 s.
	MinSessionTimeout time.Duration
}

// Network is an in-memory network: pass it in Config, and its DialContext to clients.
type Network = kfake.VirtualNetwork

// Broker is a running broker.
type Broker struct {
	cluster *kfake.Cluster
	addr    string
}

// Start runs a broker until Close. Only one may use a DataDir at a time.
func Start(cfg Config) (*Broker, error) {
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	host, _, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("starting development broker: listening at %q: want host:port", cfg.Listen)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return nil, fmt.Errorf("starting development broker: listening at %q: name a host that clients can connect to", cfg.Listen)
	}
	if cfg.Nodes < 0 || cfg.Nodes > maxNodes {
		return nil, fmt.Errorf("starting development broker: %d nodes, want 1 to %d", cfg.Nodes, maxNodes)
	}
	if cfg.MinSessionTimeout <= 0 {
		cfg.MinSessionTimeout = DefaultMinSessionTimeout
	}
	l := &listeners{cfg: cfg, host: host}
	opts := []kfake.Opt{
		kfake.NumBrokers(max(cfg.Nodes, 1)),
		kfake.ListenFn(l.listen),
		kfake.GroupMinSessionTimeout(cfg.MinSessionTimeout),
		kfake.DefaultNumPartitions(1),
	}
	if cfg.DataDir != "" {
		opts = append(opts, kfake.DataDir(cfg.DataDir))
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		return nil, fmt.Errorf("starting development broker: %w", err)
	}
	b := &Broker{cluster: cluster, addr: l.first}
	cluster.ControlKey(produceKey, b.stampProduced)
	return b, nil
}

// Addr is the address of the first node.
func (b *Broker) Addr() string { return b.addr }

// Close stops the broker and, with a DataDir, saves its state.
func (b *Broker) Close() { b.cluster.Close() }

// MoveLeader makes another node, counted from 0, the leader of a partition.
func (b *Broker) MoveLeader(topic string, partition, node int32) error {
	if err := b.cluster.MoveTopicPartition(topic, partition, node); err != nil {
		return fmt.Errorf("moving leader of %s/%d to node %d: %w", topic, partition, node, err)
	}
	return nil
}

// Compact removes records that have a successor with the same key from topics that are to be compacted, as Kafka does from
// time to time.
func (b *Broker) Compact() { b.cluster.Compact() }

// listeners opens the nodes' listeners, whose connections stamp what is fetched.
type listeners struct {
	cfg   Config
	host  string
	first string // address of the first one
}

// listen is called by kfake once a node, with an address that it made up.
func (l *listeners) listen(network, _ string) (net.Listener, error) {
	address := l.cfg.Listen
	if l.first != "" {
		address = net.JoinHostPort(l.host, "0")
	}
	inner, err := l.open(network, address)
	if err != nil {
		return nil, err
	}
	if l.first == "" {
		l.first = inner.Addr().String()
	}
	return stampingListener{inner}, nil
}

func (l *listeners) open(network, address string) (net.Listener, error) {
	if l.cfg.Network == nil {
		return net.Listen(network, address) //nolint:noctx // kfake gives no context; the listener lives until Close
	}
	if l.first != "" {
		return nil, errors.New("an in-memory network has one node")
	}
	return l.cfg.Network.Listen(network, address)
}
