package redisstore

import (
	"crypto/tls"
	"net/url"
	"time"
)

// SetTimeout changes what bounds an exchange. A store that is to give up soon is opened with patience: on a busy machine
// opening takes longer than a test should wait for an answer that never comes. No operation may be under way.
func (s *Store) SetTimeout(d time.Duration) { s.timeout = d }

// TLSConfig is what a URL with these files connects with, for clients of tests' own.
func TLSConfig(ca, cert, key string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	return c, setTLS(c, url.Values{paramCA: {ca}, paramCert: {cert}, paramKey: {key}})
}
