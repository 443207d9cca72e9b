package flow

// Source names a source of evidence, as metrics and the last line of dump
// show it.
type Source string

// The sources.
const (
	SourceKernel    Source = "kernel"
	SourceConntrack Source = "conntrack"
	SourceCluster   Source = "cluster"
	SourceRoute     Source = "route"
	SourceOwner     Source = "owner"
)

// SourcePage stands for the page on loopback, which gives no evidence. It is
// beside the sources once another program had its address.
const SourcePage Source = "page"

// Sources returns every source.
func Sources() []Source {
	return []Source{SourceKernel, SourceConntrack, SourceCluster, SourceRoute, SourceOwner}
}
