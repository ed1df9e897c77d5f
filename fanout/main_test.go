package fanout

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/scimhub/scimhub/model/store/storetest"
)

// TestMain has more tests side by side than there are processors, unless -parallel says
// how many: most of them wait for a back-off or for the application, few compute.
func TestMain(m *testing.M) {
	flag.Parse()
	preset("test.parallel", fmt.Sprint(2*runtime.GOMAXPROCS(0)))
	if storetest.UnderRace {
		preset("rapid.checks", "25") // what is drawn by chance says little about races
	}
	m.Run()
}

// preset sets a flag that was not given.
func preset(name, value string) {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	if given {
		return
	}
	if err := flag.Set(name, value); err != nil {
		fmt.Fprintln(os.Stderr, err) // then the tests run as they always do
	}
}
