package redisstore

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/tidemark-io/tidemark/shared/lane"
)

// passing are the beginnings of refusals that pass by themselves: the server is loading, was demoted, or is too busy.
var passing = []string{
	"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "BUSY ", "NOREPLICAS",
	"ERR max number of clients reached",
}

const lacksRight = "the user lacks a right: docs/redis.md has the ACL SETUSER line that gives those needed"

// cures are what an operator does about the other refusals, by their beginnings.
var cures = []struct{ prefix, cure string }{
	{"TMMARK", "delete the lane's marks (DEL the key named): the lane fills itself again"},
	{"TMMANIFEST", "delete the key named: the batch role writes the manifest again"},
	{"WRONGTYPE", "a key under our prefix is of a foreign type: rename or delete it"},
	{"OOM", "the server is full: raise its maxmemory (CONFIG SET maxmemory ...) or drop old generations"},
	{"MISCONF", "the server cannot save to its disk: free some, see its log"},
	{"NOAUTH", "the server wants a password: redis://user:password@host:port/db"},
	{"WRONGPASS", "the server refuses the user or password of the store's URL: mend the URL, or see ACL LIST"},
	{"NOPERM", lacksRight},
	{"ERR The user executing the script", lacksRight},
	{"EXECABORT Transaction discarded because of: NOPERM", lacksRight},
	{"ERR DB index", "the server has no such database: mend the number in the store's URL"},
	{"DENIED", "the server admits only its own machine: set a password, or see protected-mode in redis.conf"},
	{"MOVED", "the server is part of a cluster, which is not supported: use a standalone one"},
	{"ASK", "the server is part of a cluster, which is not supported: use a standalone one"},
	{"CROSSSLOT", "the server is part of a cluster, which is not supported: use a standalone one"},
	{"ERR unknown command", "the server is not Redis 7 or later"},
}

// classify turns an error of the client library into one of the two classes of a store's errors, adding what was being
// done; it is the one place that decides between them.
func classify(doing string, err error) error {
	if err == nil {
		return nil
	}
	if cure, repeats := permanent(err); repeats {
		return fmt.Errorf("%w: %s: %w (%s)", lane.ErrStore, doing, err, cure)
	}
	refusal, ok := errors.AsType[redis.Error](err)
	if !ok {
		return fmt.Errorf("%w: %s: %w", lane.ErrUnavailable, doing, err)
	}
	text := refusal.Error()
	for _, p := range passing {
		if strings.HasPrefix(text, p) {
			return fmt.Errorf("%w: %s: %w", lane.ErrUnavailable, doing, err)
		}
	}
	for _, c := range cures {
		if strings.HasPrefix(text, c.prefix) {
			return withCure(doing, err, c.prefix, c.cure)
		}
	}
	return fmt.Errorf("%w: %s: %w", lane.ErrStore, doing, err)
}

func withCure(doing string, err error, prefix, cure string) error {
	if prefix == "TMMARK" {
		err = fmt.Errorf("%w: %w", lane.ErrMark, err)
	}
	return fmt.Errorf("%w: %s: %w (%s)", lane.ErrStore, doing, err, cure)
}

// tlsAlert is the operation that crypto/tls gives an error that the other side sent.
const tlsAlert = "remote error"

// permanent tells whether a connection failed for a reason that stays until somebody acts, and what to do: the two sides
// do not agree on TLS.
func permanent(err error) (cure string, ok bool) {
	if untrusted, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		if _, ok := errors.AsType[x509.HostnameError](untrusted); ok {
			return "connect by a name that the certificate has, or say it with ?tls_name=NAME in the store's URL", true
		}
		return "name the authority's certificate with ?tls_ca=FILE in the store's URL, or renew the server's", true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "the server does not speak TLS at this port: write redis:// or its TLS port", true
	}
	if alert, ok := errors.AsType[*net.OpError](err); ok && alert.Op == tlsAlert {
		return "the server refuses our side of TLS: give a client certificate that it trusts with " +
			"?tls_cert=FILE&tls_key=FILE in the store's URL", true
	}
	return "", false
}
