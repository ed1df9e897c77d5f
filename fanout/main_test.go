package fanout

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"testing"
)

// TestMain has more tests side by side than there are processors, unless -parallel says
// how many: most of them wait for a back-off or for the application, few compute.
func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", fmt.Sprint(2*runtime.GOMAXPROCS(0))); err != nil {
			fmt.Fprintln(os.Stderr, err) // then they run as they always do
		}
	}
	m.Run()
}
