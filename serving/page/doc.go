// Package page shows people how a job is doing: one page of how far log, archive, runs and lanes are, and one of a
// profile with the tiles that it is made of. Plain HTML and SVG made here; a few lines of script fetch the page's middle
// again every other second, and without script the page is as good as when it was loaded.
//
//	Overview, Profile  what is shown: plain values that whoever wires the roles fills in
//	History            what was measured each second, as far back as a chart goes
//	Handler            the two pages
//
// The package knows no role, store or log, and asks for nothing but its Source.
package page
