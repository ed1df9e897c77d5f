package app

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want Faults
		back string
	}{
		{"", nil, ""},
		{" none ", nil, ""},
		{"429:5%", Faults{{Kind: KindStatus, Status: 429, Probability: 0.05}}, "429:5%"},
		{"500", Faults{{Kind: KindStatus, Status: 500, Probability: 1}}, "500"},
		{"404:100%", Faults{{Kind: KindStatus, Status: 404, Probability: 1}}, "404"},
		{"slow:2s", Faults{{Kind: KindSlow, Delay: 2 * time.Second, Probability: 1}}, "slow:2s"},
		{"slow:1500ms:10%", Faults{{Kind: KindSlow, Delay: 1500 * time.Millisecond, Probability: 0.1}}, "slow:1.5s:10%"},
		{"latency:20ms", Faults{{Kind: KindSlow, Delay: 20 * time.Millisecond, Probability: 1}}, "slow:20ms"},
		{"rate:10/s", Faults{{Kind: KindRate, Count: 10, Per: time.Second}}, "rate:10/s"},
		{"rate:180/m", Faults{{Kind: KindRate, Count: 180, Per: time.Minute}}, "rate:180/m"},
		{"down", Faults{{Kind: KindDown}}, "down"},
		{"html:1%,cut,twice:50%,empty-list,half-list:2%,blind,forget", Faults{
			{Kind: KindHTML, Probability: 0.01}, {Kind: KindCut, Probability: 1}, {Kind: KindTwice, Probability: 0.5}, {Kind: KindEmptyList, Probability: 1},
			{Kind: KindHalfList, Probability: 0.02}, {Kind: KindBlind, Probability: 1}, {Kind: KindForget, Probability: 1},
		}, "html:1%,cut,twice:50%,empty-list,half-list:2%,blind,forget"},
		{"garbage:0.5%, reset:5% ,reset-after", Faults{
			{Kind: KindGarbage, Probability: 0.005}, {Kind: KindReset, Probability: 0.05}, {Kind: KindResetAfter, Probability: 1},
		}, "garbage:0.5%,reset:5%,reset-after"},
	}
	for _, tt := range tests {
		got, err := ParseFaults(tt.text)
		if err != nil {
			t.Errorf("%q: %v", tt.text, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.text, diff)
		}
		if got.String() != tt.back {
			t.Errorf("%q: String is %q, want %q", tt.text, got.String(), tt.back)
		}
	}
}

func TestParseFaultsRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, word string }{
		{"200", "400 to 599"}, {"600:1%", "400 to 599"}, {"0429", "400 to 599"}, {"+429", "400 to 599"},
		{"429:5", "5%"}, {"429:0%", "share"}, {"429:101%", "share"}, {"429:-1%", "share"}, {"429:NaN%", "share"}, {"429:Inf%", "share"},
		{"429:%", "share"}, {"429:", "share"}, {"429:5%:5%", "share"}, {"429:0x1p3%", "share"}, {"429:1e1%", "share"},
		{"slow", "duration"}, {"slow:2", "duration"}, {"slow:-1s", "duration"}, {"slow:0s", "duration"}, {"slow:11m", "duration"},
		{"slow:2s:", "share"}, {"rate:10", "10/s"}, {"rate:0/s", "10/s"}, {"rate:1/d", "10/s"}, {"rate:99999999/s", "10/s"},
		{"rate:1/s,rate:2/s", "twice"}, {"down:5%", "alone"}, {"slwo:2s", `"slwo:2s"`}, {"429:5%,", "known fault"},
		{strings.Repeat("500,", 33) + "500", "at most 32"}, {strings.Repeat("x", 1001), "longer"},
	}
	for _, tt := range tests {
		got, err := ParseFaults(tt.text)
		if err == nil || !strings.Contains(err.Error(), tt.word) {
			t.Errorf("%q: %v, %v; want an error with %q", shorten(tt.text), got, err, tt.word)
		}
	}
}

func shorten(s string) string { return s[:min(len(s), 60)] }

// FuzzParseFaults holds that what was read is in range and reads the same again.
func FuzzParseFaults(f *testing.F) {
	for _, s := range []string{"429:5%,500:1%,slow:2s", "rate:10/s,garbage:0.1%", "reset-after:5%", "down", "none", "slow:2s:10%", ",", ":"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		faults, err := ParseFaults(text)
		if err != nil {
			return
		}
		for _, x := range faults {
			if x.Probability < 0 || x.Probability > 1 || x.Delay < 0 || x.Delay > maxDelay || x.Count < 0 {
				t.Fatalf("%q: out of range: %+v", text, x)
			}
		}
		again, err := ParseFaults(faults.String())
		if err != nil || again.String() != faults.String() || len(again) != len(faults) {
			t.Fatalf("%q: reads back from %q as %q, %v", text, faults, again, err)
		}
	})
}
