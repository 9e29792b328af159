package redisstore

import (
	"crypto/tls"
	"net/url"
)

// TLSConfig is what a URL with these files connects with, for clients of tests' own.
func TLSConfig(ca, cert, key string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	return c, setTLS(c, url.Values{paramCA: {ca}, paramCert: {cert}, paramKey: {key}})
}
