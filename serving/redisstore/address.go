package redisstore

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// ErrURL is the class of errors about a URL that names no server, or a file that cannot be used: a mistake of whoever
// gave it, not of the server.
var ErrURL = errors.New("not the URL of a Redis server")

// The parameters of a URL. All belong to TLS; what else a client could be told is not for URLs to say.
const (
	paramCA   = "tls_ca"   // file with the certificates of authorities to trust instead of the system's
	paramCert = "tls_cert" // file with the client's certificate, and
	paramKey  = "tls_key"  // with its key
	paramName = "tls_name" // name that the server's certificate must have, where it is not the URL's host
)

var params = []string{paramCA, paramCert, paramKey, paramName}

// CheckURL tells, without connecting, whether url can be opened: its form, its parameters, and the files that they name.
// Errors are of class ErrURL and do not repeat a password.
func CheckURL(url string) error {
	_, err := parseURL(url)
	return err
}

// parseURL reads redis[s]://[USER[:PASSWORD]@]HOST[:PORT][/DB][?PARAMETERS].
func parseURL(text string) (*redis.Options, error) {
	u, err := url.Parse(text)
	if err != nil {
		if whole, ok := errors.AsType[*url.Error](err); ok {
			err = whole.Err // the rest of it is the URL, and so perhaps a password
		}
		return nil, fmt.Errorf("%w: %w (a password's special characters are written as %%XX)", ErrURL, err)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("%w: its parameters do not read: %w", ErrURL, err)
	}
	if err := checkParams(u.Scheme, query); err != nil {
		return nil, err
	}
	u.RawQuery, u.Fragment = "", ""
	o, err := redis.ParseURL(u.String())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrURL, err)
	}
	if o.TLSConfig != nil {
		err = setTLS(o.TLSConfig, query)
	}
	return o, err
}

func checkParams(scheme string, query url.Values) error {
	for name, values := range query {
		switch {
		case !slices.Contains(params, name):
			return fmt.Errorf("%w: unknown parameter %q; there are %s", ErrURL, name, strings.Join(params, ", "))
		case len(values) != 1 || values[0] == "":
			return fmt.Errorf("%w: parameter %s is to have one value", ErrURL, name)
		case scheme != "rediss":
			return fmt.Errorf("%w: parameter %s is for TLS: write rediss://", ErrURL, name)
		}
	}
	if query.Has(paramCert) != query.Has(paramKey) {
		return fmt.Errorf("%w: %s and %s belong together", ErrURL, paramCert, paramKey)
	}
	return nil
}

// setTLS adds to c what the parameters say. The server's certificate is checked in any case.
func setTLS(c *tls.Config, query url.Values) error {
	if name := query.Get(paramName); name != "" {
		c.ServerName = name
	}
	if file := query.Get(paramCA); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("%w: reading %s: %w", ErrURL, paramCA, err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("%w: %s: %s has no PEM certificate", ErrURL, paramCA, file)
		}
	}
	if query.Has(paramCert) {
		pair, err := tls.LoadX509KeyPair(query.Get(paramCert), query.Get(paramKey))
		if err != nil {
			return fmt.Errorf("%w: reading %s and %s: %w", ErrURL, paramCert, paramKey, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return nil
}
