// Package schema is what a source declares of its records: fields, their types, which of them are required, where the
// event time stands. It is data, its validation and its hash only; package decode reads records by it, package job
// reads it from YAML.
package schema
