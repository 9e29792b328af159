// Package job reads jobs: folders of YAML files in which people declare sources and views.
//
//	<job>/sources/<name>.yaml   one source: its fields, event time, computed columns, how to import it from CSV
//	<job>/views/<name>.yaml     one view: its entity and features
//
// A job's name is its folder's. Files are read as YAML nodes, strictly: an unknown key, a key given twice, a value of
// another type, an anchor or an alias is a fault, and so is everything that schema.Source.Validate and view.Compile
// refuse. Load returns all faults of a job at once, each with file, line, column and cure.
//
// The package owns YAML in tidemark. It knows what a declaration looks like, and turns it into schema.Source and
// view.Spec, which know what it means; it knows nothing of logs, stores or layers.
package job
