// Command check looks at what deploys scimhub, with the parsers of those who will read
// it: the chart is rendered by Helm's engine and decoded as Kubernetes decodes it, the
// compose file is loaded by compose, the Dockerfile parsed by BuildKit. It is a module of
// its own, so that the product needs none of them.
//
//	go run . -root ../.. -scimhub ../../bin/scimhub
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
)

// check is one run over a repository.
type check struct {
	root, scimhub string
	faults        []string
}

// fault notes what is wrong, where and what to do.
func (c *check) fault(format string, args ...any) {
	c.faults = append(c.faults, fmt.Sprintf(format, args...))
}

func (c *check) path(parts ...string) string {
	return filepath.Join(append([]string{c.root, "deploy"}, parts...)...)
}

func main() {
	log.SetOutput(io.Discard) // Helm tells of each link that it follows
	c := check{}
	flag.StringVar(&c.root, "root", "../..", "folder of the repository")
	flag.StringVar(&c.scimhub, "scimhub", "", "the program, which says whether configurations are right")
	flag.Parse()
	if c.scimhub == "" {
		fmt.Fprintln(os.Stderr, "check: -scimhub names the program, such as ../../bin/scimhub")
		os.Exit(64)
	}
	ctx := context.Background()
	rendered := c.chart(ctx)
	services := c.compose(ctx)
	c.dockerfile()
	c.buildContext(ctx)
	for _, f := range c.faults {
		fmt.Fprintln(os.Stderr, "check:", f)
	}
	if len(c.faults) > 0 {
		os.Exit(1)
	}
	fmt.Printf("chart: %d objects; compose: %d services; Dockerfile: parsed; all as it should be\n", rendered, services)
}
