package redisstore_test

import (
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/serving/redisstore"
	"github.com/tidemark-io/tidemark/serving/storetest/redisserver"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// TestURLs: what is wrong with a URL is said, and its password is not.
func TestURLs(t *testing.T) {
	certs := redisserver.NewCerts(t)
	noPEM := filepath.Join(t.TempDir(), "no.pem")
	if err := os.WriteFile(noPEM, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, good := range []string{
		"redis://h", "redis://h:1/3", "redis://:p@h", "redis://user:p%40ss@h:1/0", "rediss://h", "rediss://[::1]:1/0",
		"rediss://h?tls_ca=" + certs.CA + "&tls_cert=" + certs.ClientCert + "&tls_key=" + certs.ClientKey + "&tls_name=x",
	} {
		if err := redisstore.CheckURL(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for bad, want := range map[string]string{
		"redis://user:sec ret@h":         "invalid",
		"redis://user:sec%ret@h":         "invalid URL escape",
		"redis://user:secret@h:x":        "invalid port",
		"redis://h/a":                    "database number",
		"redis://h/1/2":                  "path",
		"redis://h?max_retries=9":        `unknown parameter "max_retries"; there are tls_ca`,
		"rediss://h?skip_verify=true":    `unknown parameter "skip_verify"`,
		"rediss://h?tls_ca=":             "one value",
		"rediss://h?tls_ca=a&tls_ca=b":   "one value",
		"redis://h?tls_ca=" + certs.CA:   "write rediss://",
		"rediss://h?tls_cert=a":          "belong together",
		"rediss://h?tls_key=a":           "belong together",
		"rediss://h?tls_ca=/no/such":     "no such file",
		"rediss://h?tls_ca=" + noPEM:     "no PEM certificate",
		"rediss://h?%zz":                 "parameters do not read",
		"http://h":                       "scheme",
		"rediss://h?tls_cert=a&tls_key=": "one value",
		"rediss://h?tls_cert=" + certs.ClientCert + "&tls_key=" + certs.ServerKey: "does not match",
	} {
		err := redisstore.CheckURL(bad)
		if !errors.Is(err, redisstore.ErrURL) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want ErrURL with %q", bad, err, want)
		} else if strings.Contains(err.Error(), "sec") {
			t.Errorf("the error repeats the password: %v", err)
		}
	}
}

// secure returns a URL of a server that speaks TLS.
func secure(addr string, params ...string) string {
	q := url.Values{}
	for i := 0; i < len(params); i += 2 {
		q.Set(params[i], params[i+1])
	}
	return "rediss://" + addr + "/0?" + q.Encode()
}

// TestTLSRefused: each disagreement is told at once, with what to do, and waiting for it to pass is nobody's business.
func TestTLSRefused(t *testing.T) {
	certs, strangers := redisserver.NewCerts(t), redisserver.NewCerts(t)
	srv, plain := redisserver.StartTLS(t, certs), fakeServer(t, map[string]string{"": "-ERR Protocol error\r\n"})
	_, port, err := net.SplitHostPort(srv.Addr)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, url, cure string }{
		{"another authority", secure(srv.Addr, "tls_ca", strangers.CA), "tls_ca=FILE"},
		{"no authority given", secure(srv.Addr), "tls_ca=FILE"},
		{"wrong name", secure("localhost:"+port, "tls_ca", certs.CA), "tls_name=NAME"},
		{"wrong name given", secure(srv.Addr, "tls_ca", certs.CA, "tls_name", "other.test"), "tls_name=NAME"},
		{"no client certificate", secure(srv.Addr, "tls_ca", certs.CA), "tls_cert=FILE"},
		{"a stranger's certificate", secure(srv.Addr, "tls_ca", certs.CA, "tls_cert", strangers.ClientCert, "tls_key", strangers.ClientKey), "tls_cert=FILE"},
		{"a server without TLS", secure(plain, "tls_ca", certs.CA), "write redis://"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := redisstore.Open(bg, c.url, redisstore.Options{})
			if err == nil {
				_ = s.Close()
			}
			if !errors.Is(err, lane.ErrStore) || !strings.Contains(err.Error(), c.cure) {
				t.Fatalf("%v, want ErrStore with %q", err, c.cure)
			}
		})
	}
}

// TestPasswords: a wrong user or password is told at once; a right one of each kind opens.
func TestPasswords(t *testing.T) {
	srv := redisserver.Start(t)
	c := raw(t, srv.Addr)
	command(t, c, "ACL", "SETUSER", "some", "on", ">other", "~*", "+@all")
	command(t, c, "CONFIG", "SET", "requirepass", "p@ss word")
	for _, at := range []string{":p%40ss%20word@", "default:p%40ss%20word@", "some:other@"} {
		openURL(t, "redis://"+at+srv.Addr)
	}
	for at, cure := range map[string]string{
		"": "wants a password", ":wrong@": "user or password", "some:wrong@": "user or password", "nobody:other@": "user or password",
	} {
		_, err := redisstore.Open(bg, "redis://"+at+srv.Addr, redisstore.Options{})
		if !errors.Is(err, lane.ErrStore) || !strings.Contains(err.Error(), cure) {
			t.Errorf("%q: %v, want ErrStore with %q", at, err, cure)
		}
	}
	if _, err := redisstore.Open(bg, "redis://some:other@"+srv.Addr+"/99", redisstore.Options{}); !errors.Is(err, lane.ErrStore) || !strings.Contains(err.Error(), "no such database") {
		t.Errorf("database 99: %v, want ErrStore with the cure", err)
	}
}
