package redisserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Certs are files in PEM: an authority's certificate, and certificates and keys that it gave to a server (for the name
// redis.test and the address 127.0.0.1) and a client.
type Certs struct {
	CA, ServerCert, ServerKey, ClientCert, ClientKey string
}

// ServerName is the name in the server's certificate.
const ServerName = "redis.test"

// NewCerts makes an authority and what it certifies, in a folder of the test.
func NewCerts(t testing.TB) Certs {
	t.Helper()
	dir := t.TempDir()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caKey := newKey(t)
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "server"},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		DNSNames: []string{ServerName}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	client := &x509.Certificate{
		SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "client"},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	serverKey, clientKey := newKey(t), newKey(t)
	return Certs{
		CA:         certify(t, filepath.Join(dir, "ca.crt"), ca, ca, &caKey.PublicKey, caKey),
		ServerCert: certify(t, filepath.Join(dir, "server.crt"), server, ca, &serverKey.PublicKey, caKey),
		ServerKey:  writeKey(t, filepath.Join(dir, "server.key"), serverKey),
		ClientCert: certify(t, filepath.Join(dir, "client.crt"), client, ca, &clientKey.PublicKey, caKey),
		ClientKey:  writeKey(t, filepath.Join(dir, "client.key"), clientKey),
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func certify(t testing.TB, file string, c, by *x509.Certificate, key *ecdsa.PublicKey, byKey *ecdsa.PrivateKey) string {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, by, key, byKey)
	if err != nil {
		t.Fatal(err)
	}
	return writePEM(t, file, "CERTIFICATE", der)
}

func writeKey(t testing.TB, file string, key *ecdsa.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return writePEM(t, file, "PRIVATE KEY", der)
}

func writePEM(t testing.TB, file, kind string, der []byte) string {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
