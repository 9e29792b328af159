package redisstore_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/serving/redisstore"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// fakeServer answers commands, by their names in upper case, with what replies say ("" for all others), and returns its
// address: for what no real server at hand would say.
func fakeServer(t testing.TB, replies map[string]string) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed with the test
			}
			go answer(c, replies)
		}
	}()
	return l.Addr().String()
}

// answer reads commands (an array of bulk strings each; anything else is answered once and the connection closed) until
// the client leaves.
func answer(c net.Conn, replies map[string]string) {
	defer func() { _ = c.Close() }()
	r := bufio.NewReader(c)
	for {
		name, err := readCommand(r)
		if errors.Is(err, io.EOF) {
			return
		}
		reply, ok := replies[strings.ToUpper(name)]
		if !ok {
			reply = replies[""]
		}
		if _, writeErr := io.WriteString(c, reply); writeErr != nil || err != nil {
			return
		}
	}
}

var errNoCommand = errors.New("no command")

func readCommand(r *bufio.Reader) (name string, err error) {
	n, err := readLength(r, '*')
	if err != nil {
		return "", err
	}
	for i := range n {
		size, err := readLength(r, '$')
		if err != nil {
			return "", err
		}
		word := make([]byte, size+len("\r\n"))
		if _, err := io.ReadFull(r, word); err != nil {
			return "", io.EOF
		}
		if i == 0 {
			name = string(word[:size])
		}
	}
	return name, nil
}

func readLength(r *bufio.Reader, kind byte) (int, error) {
	b, err := r.Peek(1)
	if err != nil {
		return 0, io.EOF
	}
	if b[0] != kind {
		return 0, errNoCommand
	}
	line, err := r.ReadString('\n')
	if err != nil {
		return 0, io.EOF
	}
	return strconv.Atoi(strings.TrimSpace(line[1:]))
}

// TestOldServer: a server without functions is refused by its version, one that calls itself something else by that.
func TestOldServer(t *testing.T) {
	for info, want := range map[string]string{
		"redis_version:6.2.14\r\nmaxmemory_policy:noeviction\r\n": `"6.2.14", want 7 or later: upgrade it`,
		"redis_version:5.0.7\r\n":                                 `"5.0.7"`,
		"something:else\r\n":                                      `version is ""`,
	} {
		addr := fakeServer(t, map[string]string{
			"":      "+OK\r\n",
			"HELLO": "-ERR unknown command `HELLO`\r\n",
			"INFO":  "$" + strconv.Itoa(len(info)) + "\r\n" + info + "\r\n",
		})
		_, err := redisstore.Open(bg, "redis://"+addr, redisstore.Options{})
		if !errors.Is(err, lane.ErrStore) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want ErrStore with %q", info, err, want)
		}
	}
	addr := fakeServer(t, map[string]string{"": "-ERR unknown command\r\n", "CLIENT": "+OK\r\n"})
	if _, err := redisstore.Open(bg, "redis://"+addr, redisstore.Options{}); !errors.Is(err, lane.ErrStore) || !strings.Contains(err.Error(), "is not Redis 7") {
		t.Errorf("no Redis: %v, want ErrStore with what it is not", err)
	}
}
