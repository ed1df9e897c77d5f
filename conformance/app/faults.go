package app

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Kind is what a Fault does to a request.
type Kind string

// The kinds of faults.
const (
	KindStatus     Kind = "status"      // answer with Status instead of doing the work
	KindSlow       Kind = "slow"        // wait for Delay first
	KindGarbage    Kind = "garbage"     // answer 200 with something that is no SCIM
	KindReset      Kind = "reset"       // drop the connection, do nothing
	KindResetAfter Kind = "reset-after" // do the work, then drop the connection
	KindRate       Kind = "rate"        // at most Rate requests a second, 429 for the rest
	KindDown       Kind = "down"        // 503 for everything
	KindHTML       Kind = "html"        // answer 200 with a page to sign in at
	KindCut        Kind = "cut"         // do the work, then end the connection in the middle of the answer
	KindTwice      Kind = "twice"       // do the work twice, as when a proxy tries again; the second answer counts
	KindEmptyList  Kind = "empty-list"  // lists without filter are empty
	KindHalfList   Kind = "half-list"   // lists without filter show the first half as if it were the whole
	KindBlind      Kind = "blind"       // filters find nobody
	KindForget     Kind = "forget"      // nothing is there: lists are empty, everything else answers 404
)

// Fault is one way in which an application misbehaves.
type Fault struct {
	Kind        Kind
	Status      int           // of KindStatus
	Probability float64       // in (0, 1]; of all kinds but KindRate and KindDown
	Delay       time.Duration // of KindSlow
	Count       int           // of KindRate: requests per Per
	Per         time.Duration // of KindRate: a second, a minute or an hour
}

// Faults are tried in their order on every SCIM request.
type Faults []Fault

// Limits of the fault grammar.
const (
	maxFaultText = 1000
	maxFaults    = 32
	maxDelay     = 10 * time.Minute
	maxRate      = 1_000_000
)

const faultForms = "429:5%, 500, slow:2s, slow:2s:10%, garbage:5%, html:5%, reset:5%, reset-after:5%, cut:5%, twice:5%, empty-list:5%, half-list:5%, blind:5%, forget:5%, rate:10/s, down"

// FaultHelp explains the grammar of faults, one a line, for those who type them.
const FaultHelp = `429:5%          any status from 400 to 599 for a share of the requests; without a share, for all
slow:2s         a delay before every request; slow:2s:10% before a share. latency is another word for it
garbage:5%      200 with HTML or broken JSON
html:5%         200 with a page to sign in at
reset:5%        the connection is dropped before anything is done
reset-after:5%  the work is done and then the connection is dropped, so that the client cannot know
cut:5%          the work is done and the connection ends in the middle of the answer
twice:5%        the work is done twice, as when a proxy tries again; the second answer is sent
empty-list:5%   lists without filter are empty
half-list:5%    lists without filter show the first half as if it were the whole
blind:5%        filters find nobody
forget:5%       nothing is there any more: lists are empty, everything else answers 404
rate:10/s       a token bucket over all requests (/s, /m, /h); beyond it 429 with Retry-After
down            503 for everything`

// ParseFaults reads a comma-separated list of faults; FaultHelp says what there is. An
// empty text, or "none", means no faults.
func ParseFaults(text string) (Faults, error) {
	if len(text) > maxFaultText {
		return nil, fmt.Errorf("faults: the text is longer than %d bytes", maxFaultText)
	}
	if t := strings.TrimSpace(text); t == "" || t == "none" {
		return nil, nil
	}
	var out Faults
	limited := false
	for item := range strings.SplitSeq(text, ",") {
		f, err := parseFault(strings.TrimSpace(item))
		if err != nil {
			return nil, fmt.Errorf("faults: %q: %w; possible are %s", strings.TrimSpace(item), err, faultForms)
		}
		if f.Kind == KindRate && limited {
			return nil, fmt.Errorf("faults: rate is given twice")
		}
		limited = limited || f.Kind == KindRate
		out = append(out, f)
	}
	if len(out) > maxFaults {
		return nil, fmt.Errorf("faults: %d given, at most %d are possible", len(out), maxFaults)
	}
	return out, nil
}

func parseFault(item string) (Fault, error) {
	word, rest, hasRest := strings.Cut(item, ":")
	f := Fault{Kind: Kind(word), Probability: 1}
	var err error
	switch f.Kind {
	case KindDown:
		if hasRest {
			return f, fmt.Errorf("down stands alone")
		}
		return Fault{Kind: KindDown}, nil
	case KindRate:
		f.Probability = 0
		f.Count, f.Per, err = parseRate(rest)
		return f, err
	case KindSlow, "latency":
		f.Kind = KindSlow
		delay, share, hasShare := strings.Cut(rest, ":")
		if f.Delay, err = parseDelay(delay); err != nil || !hasShare {
			return f, err
		}
		f.Probability, err = parseShare(share)
		return f, err
	case KindGarbage, KindHTML, KindReset, KindResetAfter, KindCut, KindTwice, KindEmptyList, KindHalfList, KindBlind, KindForget:
	default:
		if f.Status, err = strconv.Atoi(word); err != nil || len(word) != 3 || f.Status < 400 || f.Status > 599 {
			return f, fmt.Errorf("neither a known fault nor a status from 400 to 599")
		}
		f.Kind = KindStatus
	}
	if hasRest {
		f.Probability, err = parseShare(rest)
	}
	return f, err
}

// parseShare reads a percentage in (0, 100] as a probability.
func parseShare(text string) (float64, error) {
	digits, isShare := strings.CutSuffix(text, "%")
	n, err := strconv.ParseFloat(digits, 64)
	if !isShare || err != nil || !(n > 0 && n <= 100) || strings.ContainsAny(digits, "xXpPeE+_") {
		return 0, fmt.Errorf("%q is not a share such as 5%% or 0.5%%, up to 100%%", text)
	}
	return n / 100, nil
}

func parseDelay(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > maxDelay {
		return 0, fmt.Errorf("%q is not a duration such as 2s or 150ms, up to %s", text, maxDelay)
	}
	return d, nil
}

func parseRate(text string) (int, time.Duration, error) {
	number, unit, _ := strings.Cut(text, "/")
	n, err := strconv.Atoi(number)
	per := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[unit]
	if err != nil || n < 1 || n > maxRate || per == 0 {
		return 0, 0, fmt.Errorf("%q is not a rate such as 10/s, 180/m or 5000/h", text)
	}
	return n, per, nil
}

// String renders the faults so that ParseFaults reads the same again; "" for none.
func (fs Faults) String() string {
	parts := make([]string, len(fs))
	for i, f := range fs {
		parts[i] = f.String()
	}
	return strings.Join(parts, ",")
}

// String renders one fault in the grammar of ParseFaults.
func (f Fault) String() string {
	share := ""
	if f.Probability < 1 {
		share = ":" + strconv.FormatFloat(f.Probability*100, 'f', -1, 64) + "%"
	}
	switch f.Kind {
	case KindDown:
		return string(KindDown)
	case KindRate:
		unit := map[time.Duration]string{time.Second: "s", time.Minute: "m", time.Hour: "h"}[f.Per]
		return "rate:" + strconv.Itoa(f.Count) + "/" + unit
	case KindSlow:
		return "slow:" + f.Delay.String() + share
	case KindStatus:
		return strconv.Itoa(f.Status) + share
	}
	return string(f.Kind) + share
}

// detail is what the Error body of a status fault says.
func (f Fault) detail() string {
	if text := http.StatusText(f.Status); text != "" {
		return text + " (simulated)"
	}
	return "simulated failure"
}
