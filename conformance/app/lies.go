package app

import (
	"context"

	"github.com/scimhub/scimhub/model/scim"
)

// lies are what the application says of its state to one request although it is not
// so; see ParseFaults.
type lies struct {
	emptyList bool
	halfList  bool
	blind     bool
	forget    bool
}

type lieKey struct{}

func withLies(ctx context.Context, l lies) context.Context {
	return context.WithValue(ctx, lieKey{}, l)
}

func liesIn(ctx context.Context) lies {
	l, _ := ctx.Value(lieKey{}).(lies)
	return l
}

// tell adds a fault of the lying kind; false if it is another.
func (l *lies) tell(k Kind) bool {
	switch k {
	case KindEmptyList:
		l.emptyList = true
	case KindHalfList:
		l.halfList = true
	case KindBlind:
		l.blind = true
	case KindForget:
		l.forget = true
	default:
		return false
	}
	return true
}

// hidesAll reports whether a list shows nothing.
func (l lies) hidesAll(q scim.Query) bool {
	return l.forget || l.emptyList && q.Filter == nil || l.blind && q.Filter != nil
}

// halve shows the first half of a list as if it were the whole.
func halve(p scim.Page) scim.Page {
	if p.Total < 0 {
		return p
	}
	p.Total = (p.Total + 1) / 2
	p.Resources = p.Resources[:max(0, min(len(p.Resources), p.Total-(p.StartIndex-1)))]
	p.Next = ""
	return p
}
