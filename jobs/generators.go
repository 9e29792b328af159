package jobs

import (
	"github.com/tidemark-io/tidemark/jobs/generate"
	"github.com/tidemark-io/tidemark/jobs/usedcar"
)

// Generators are the seeded traffic generators, by name of the job.
var Generators = map[string]generate.New{
	"usedcar": usedcar.New,
}
