package main

import (
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/serving/storetest/redisserver"
)

// TestRedisRefuses: what a Redis or the way to it is at fault with ends a command at once, whatever --wait says, with its
// exit code, the cure and no password.
func TestRedisRefuses(t *testing.T) {
	t.Parallel()
	certs := redisserver.NewCerts(t)
	locked := redisserver.Start(t, "--requirepass", "right")
	evicting := redisserver.Start(t, "--maxmemory-policy", "allkeys-lru")
	secure := redisserver.StartTLS(t, certs, "--tls-auth-clients", "no")
	for _, c := range []struct {
		store string
		code  int
		says  []string
	}{
		{"redis://:secret@" + locked.Addr, exitFailed, []string{"WRONGPASS", "user or password of the store's URL"}},
		{"redis://" + locked.Addr, exitFailed, []string{"NOAUTH", "wants a password"}},
		{"redis://" + evicting.Addr, exitFailed, []string{`"allkeys-lru"`, "CONFIG SET maxmemory-policy noeviction"}},
		{"rediss://" + secure.Addr + "?tls_name=other.test&tls_ca=" + certs.CA, exitFailed, []string{"other.test", "tls_name=NAME"}},
		{"rediss://" + secure.Addr, exitFailed, []string{"unknown authority", "tls_ca=FILE"}},
		{"rediss://:secret@" + secure.Addr + "?tls_ca=/no/such", exitUsage, []string{"--store", "tls_ca", "/no/such"}},
		{"rediss://:secret@" + secure.Addr + "?skip_verify=true", exitUsage, []string{`"skip_verify"`, "tls_ca, tls_cert, tls_key, tls_name"}},
		{"redis://:sec ret@" + locked.Addr, exitUsage, []string{"--store", "%XX"}},
	} {
		t.Run(c.store, func(t *testing.T) {
			t.Parallel()
			r := invoke(t, "", "get", "../../jobs/usedcar", "user", "x", "--wait", "10m", "--store", c.store).want(t, c.code)
			for _, s := range c.says {
				if !strings.Contains(r.stderr, s) {
					t.Errorf("it does not say %q: %s", s, r.stderr)
				}
			}
			if strings.Contains(r.stderr, "secret") || strings.Contains(r.stderr, "sec ret") {
				t.Errorf("it repeats the password: %s", r.stderr)
			}
		})
	}
}
