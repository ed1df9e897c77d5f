package scim

import (
	"fmt"
	"strings"
	"testing"
)

// Requests whose work grows with the square of their length are refused before it
// is done.
func TestPatchWorkOnValuesIsBounded(t *testing.T) {
	t.Parallel()
	_, b := badge(t)
	user := userType(t)
	emails := make([]string, 0, 900)
	for i := range 900 {
		emails = append(emails, fmt.Sprintf(`{"value":"%d"}`, i))
	}
	many := `{"userName":"x","emails":[` + strings.Join(emails, ",") + `]}`
	holder := `{"number":"1","holder":{"name":"n"},"` + staffURN + `":{"grade":1}}`
	for _, tt := range []struct {
		name   string
		rt     *ResourceType
		before string
		op     string // with the number of the operation
		n      int
	}{
		{"value paths", user, plainUser, `{"op":"add","path":"emails[type eq \"t%d\"].value","value":"x"}`, 5000},
		{"removes that name no type", user, many, `{"op":"remove","path":"emails","value":[{"display":"%d"}]}`, 5000},
		{"lists inside a complex value", b, holder, `{"op":"add","path":"holder.tags","value":["%d"]}`, 5000},
		{"lists inside a merged value", b, holder, `{"op":"add","path":"holder","value":{"tags":["%d"]}}`, 5000},
		{"primaries", user, many, `{"op":"add","path":"emails","value":[{"value":"n%d","primary":true}]}`, 5000},
		{"index built again", user, many, `{"op":"add","path":"emails[value eq \"1\"].display","value":"%[1]d"},{"op":"add","path":"emails","value":[{"value":"m%[1]d"}]}`, 5000},
	} {
		ops := make([]string, tt.n)
		for i := range ops {
			ops[i] = fmt.Sprintf(tt.op, i)
		}
		_, _, err := applyJSON(t, tt.rt, dialect(t, "lenient"), tt.before, strings.Join(ops, ","))
		wantFault(t, tt.name, err, TooMany, "too many values")
	}
	// What real clients send is well within the limit.
	_, _, err := applyJSON(t, user, dialect(t, "rfc"), many, `{"op":"replace","path":"emails[value eq \"77\"].type","value":"work"},
		{"op":"remove","path":"emails[value eq \"78\"]"},{"op":"add","path":"emails","value":[{"value":"new","primary":true}]}`)
	if err != nil {
		t.Error(err)
	}
}
