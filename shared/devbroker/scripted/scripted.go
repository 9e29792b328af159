// Package scripted is a broker for tests that answers what a test says: what no real broker can be brought to say, such as the
// versions of an old release. Only tests import it.
package scripted

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxRequest bounds a request; clients of tests send small ones.
const maxRequest = 1 << 20

// apiVersions is the request whose response never has a header that can grow: the client does not know versions yet.
const apiVersions = 18

// Broker is a running broker.
type Broker struct {
	Host string
	Port int32

	answer func(b *Broker, req kmsg.Request) kmsg.Response
}

// Addr is where it listens, host:port.
func (b *Broker) Addr() string {
	return (&net.TCPAddr{IP: net.ParseIP(b.Host), Port: int(b.Port)}).String()
}

// Start runs a broker until the test ends. answer returns the response to each request, made by its ResponseKind; nil closes
// the connection. It may be called by several goroutines.
func Start(t testing.TB, answer func(b *Broker, req kmsg.Request) kmsg.Response) *Broker {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it lives until the test's end
	if err != nil {
		t.Fatal(err)
	}
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatalf("listening at %v", l.Addr())
	}
	b := &Broker{Host: addr.IP.String(), Port: int32(addr.Port), answer: answer}
	var all sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			all.Go(func() {
				b.serve(conn)
				_ = conn.Close() // the test's end may have closed it
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return b
}

// serve answers until the client or the script has had enough.
func (b *Broker) serve(conn net.Conn) {
	for {
		req, correlation, err := read(conn)
		if err != nil {
			return
		}
		res := b.answer(b, req)
		if res == nil {
			return
		}
		res.SetVersion(req.GetVersion())
		out := binary.BigEndian.AppendUint32(make([]byte, 4), correlation)
		if res.IsFlexible() && req.Key() != apiVersions {
			out = append(out, 0) // no tagged fields in the header
		}
		out = res.AppendTo(out)
		binary.BigEndian.PutUint32(out, uint32(len(out)-4))
		if _, err := conn.Write(out); err != nil {
			return
		}
	}
}

var errRequest = errors.New("malformed request")

func read(r io.Reader) (req kmsg.Request, correlation uint32, err error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, 0, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxRequest {
		return nil, 0, errRequest
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, 0, err
	}
	b := kbin.Reader{Src: body}
	key, version := b.Int16(), b.Int16()
	correlation = uint32(b.Int32())
	b.NullableString() // the client's id
	if req = kmsg.RequestForKey(key); req == nil || !b.Ok() {
		return nil, 0, errRequest
	}
	req.SetVersion(version)
	if req.IsFlexible() {
		kmsg.SkipTags(&b)
	}
	return req, correlation, req.ReadFrom(b.Src)
}

// Versions answers ApiVersions as a new Kafka does, but for the APIs named, which it speaks up to these versions only; -1 =
// not at all.
func Versions(req *kmsg.ApiVersionsRequest, atMost map[kmsg.Key]int16) kmsg.Response {
	res, ok := req.ResponseKind().(*kmsg.ApiVersionsResponse)
	if !ok {
		return nil
	}
	for key := kmsg.Key(0); key <= kmsg.MaxKey; key++ {
		of := kmsg.RequestForKey(key.Int16())
		if of == nil {
			continue
		}
		most := of.MaxVersion()
		if limit, limited := atMost[key]; limited {
			most = limit
		}
		if most >= 0 {
			k := kmsg.NewApiVersionsResponseApiKey()
			k.ApiKey, k.MaxVersion = key.Int16(), most
			res.ApiKeys = append(res.ApiKeys, k)
		}
	}
	return res
}

// Empty answers as a new Kafka does whose topics all have no partitions.
func Empty(b *Broker, req kmsg.Request) kmsg.Response {
	switch req := req.(type) {
	case *kmsg.ApiVersionsRequest:
		return Versions(req, nil)
	case *kmsg.MetadataRequest:
		res := kmsg.NewPtrMetadataResponse()
		node := kmsg.NewMetadataResponseBroker()
		node.NodeID, node.Host, node.Port = 0, b.Host, b.Port
		res.Brokers = append(res.Brokers, node)
		for _, asked := range req.Topics {
			topic := kmsg.NewMetadataResponseTopic()
			topic.Topic, topic.TopicID = asked.Topic, [16]byte{1}
			res.Topics = append(res.Topics, topic)
		}
		return res
	}
	return nil
}
