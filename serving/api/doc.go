// Package api is the HTTP face of lookups: JSON answers, RFC 9457 errors, health. It knows package lookup and nothing of
// stores, the log or batch.
package api
