package scim

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const u77 = `{"userName":"x","` + ent + `":{"manager":{"value":"u-77"}}}`

// Shapes that identity providers send, and what has to become of them.
func TestPatchTraffic(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, dialect, before, ops, want string }{
		{"manager bare", "entra", plainUser, `{"op":"Replace","path":"` + ent + `:manager","value":"u-77"}`, u77},
		{"manager object", "entra", plainUser, `{"op":"Add","path":"` + ent + `:manager","value":{"value":"u-77"}}`, u77},
		{"manager list", "entra", plainUser, `{"op":"Add","path":"` + ent + `:manager","value":[{"$ref":null,"value":"u-77"}]}`, u77},
		{"manager value path", "entra", plainUser, `{"op":"Add","path":"` + ent + `:manager.value","value":"u-77"}`, u77},
		{"manager with a dot", "entra", plainUser, `{"op":"Add","path":"` + ent + `.manager","value":"u-77"}`, u77},
		{"manager with a dot and value", "entra", plainUser, `{"op":"Add","path":"` + ent + `.manager.value","value":"u-77"}`, u77},
		{"manager in another case", "entra", plainUser, `{"op":"Add","path":"` + strings.ToUpper(ent) + `:MANAGER","value":"u-77"}`, u77},
		{"manager path-less", "entra", plainUser, `{"op":"replace","value":{"` + ent + `:manager":"u-77"}}`, u77},
		{"manager nested", "entra", plainUser, `{"op":"replace","value":{"` + ent + `":{"manager":"u-77"}}}`, u77},
		{"manager removed", "entra", u77, `{"op":"Remove","path":"` + ent + `:manager"}`, plainUser},
		{"manager removed with value", "entra", u77, `{"op":"Remove","path":"` + ent + `:manager","value":"u-77"}`, plainUser},
		{"manager emptied by text", "entra", u77, `{"op":"Replace","path":"` + ent + `:manager","value":""}`, plainUser},
		{"manager emptied by object", "entra", u77, `{"op":"Replace","path":"` + ent + `:manager","value":{"value":""}}`, plainUser},
		{"manager emptied by value", "entra", u77, `{"op":"Replace","path":"` + ent + `:manager.value","value":""}`, plainUser},
		{"manager emptied by null", "rfc", u77, `{"op":"replace","path":"` + ent + `:manager","value":null}`, plainUser},
		{"manager emptied path-less", "okta", u77, `{"op":"replace","value":{"` + ent + `":{"manager":null}}}`, plainUser},
		{"manager emptied by list", "entra", u77, `{"op":"Replace","path":"` + ent + `:manager","value":[]}`, plainUser},

		{"address made of several operations", "entra", plainUser,
			`{"op":"Add","path":"addresses[type eq \"work\"].formatted","value":"Kade 4\nGent"},
			 {"op":"Add","path":"addresses[type eq \"work\"].country","value":"Belgium"},
			 {"op":"Replace","path":"addresses[type eq \"work\"].locality","value":"Gent"}`,
			`{"userName":"x","addresses":[{"type":"work","formatted":"Kade 4\nGent","country":"Belgium","locality":"Gent"}]}`},
		{"e-mail made by replace", "entra", plainUser, `{"op":"Replace","path":"emails[type eq \"work\"].value","value":"a@x"}`,
			`{"userName":"x","emails":[{"type":"work","value":"a@x"}]}`},
		{"primary made", "entra", plainUser, `{"op":"Replace","path":"emails[primary eq true].value","value":"a@x"}`,
			`{"userName":"x","emails":[{"primary":true,"value":"a@x"}]}`},
		{"primary as text", "entra", `{"userName":"x","emails":[{"primary":true,"value":"a"}]}`,
			`{"op":"Replace","path":"emails[primary eq \"True\"].value","value":"b"}`, `{"userName":"x","emails":[{"primary":true,"value":"b"}]}`},
		{"role by primary as text", "entra", plainUser, `{"op":"Add","path":"roles[primary eq \"True\"].value","value":"admin"}`,
			`{"userName":"x","roles":[{"primary":true,"value":"admin"}]}`},
		{"roles with JSON inside", "entra", plainUser, `{"op":"Add","path":"roles","value":[{"value":"{\"id\":\"1\",\"value\":\"a\",\"displayName\":\"A\"}"}]}`,
			`{"userName":"x","roles":[{"value":"{\"id\":\"1\",\"value\":\"a\",\"displayName\":\"A\"}"}]}`},
		{"display of the validator", "entra", withEmails, `{"op":"replace","path":"emails[type eq \"work\"].display","value":"W"}`,
			`{"userName":"x","emails":[{"value":"a","type":"work","primary":true,"display":"W"},{"value":"b","type":"home"}]}`},
		{"primary as text in a value", "entra", plainUser, `{"op":"add","path":"emails","value":[{"value":"a","primary":"true"}]}`,
			`{"userName":"x","emails":[{"value":"a","primary":true}]}`},
		{"mixed keys", "entra", `{"userName":"x","active":true,"name":{"familyName":"F","givenName":"G"}}`,
			`{"op":"replace","value":{"displayName":"L","name.familyName":"Q","` + ent + `:department":"R&D","active":"False","emails[type eq \"work\"].value":"w@x"}}`,
			`{"userName":"x","active":false,"displayName":"L","name":{"familyName":"Q","givenName":"G"},"emails":[{"type":"work","value":"w@x"}],"` + ent + `":{"department":"R&D"}}`},
		{"core URN before the attribute", "entra", plainUser, `{"op":"Replace","path":"urn:ietf:params:scim:schemas:core:2.0:User:displayName","value":"L"}`, `{"userName":"x","displayName":"L"}`},
		{"undeclared attribute", "entra", plainUser, `{"op":"Add","path":"favouriteColour","value":"blue"},{"op":"Add","path":"title","value":"T"}`, `{"userName":"x","title":"T"}`},
		{"no operations", "entra", plainUser, ``, plainUser},
		{"remove with empty value", "lenient", withEmails, `{"op":"remove","path":"emails","value":""}`, plainUser},

		{"rename with id", "okta", `{"userName":"x","title":"a"}`, `{"op":"replace","value":{"id":"1","title":"b","groups":[]}}`, `{"userName":"x","title":"b"}`},
		{"deactivate", "okta", `{"userName":"x","active":true}`, `{"op":"replace","value":{"active":false}}`, `{"userName":"x","active":false}`},
		{"password", "okta", plainUser, `{"op":"replace","value":{"password":"s"}}`, `{"userName":"x","password":"s"}`},

		{"name path-less", "rfc", withName, `{"op":"replace","value":{"name":{"givenName":"Z"}}}`, `{"userName":"x","name":{"familyName":"F","givenName":"Z"}}`},
		{"name by path", "rfc", withName, `{"op":"replace","path":"name","value":{"givenName":"Z"}}`, `{"userName":"x","name":{"familyName":"F","givenName":"Z"}}`},
		{"emails path-less", "rfc", withEmails, `{"op":"replace","value":{"emails":[{"value":"c"}]}}`, `{"userName":"x","emails":[{"value":"c"}]}`},
		{"emails path-less cleared", "rfc", withEmails, `{"op":"replace","value":{"emails":[]}}`, plainUser},
		{"primary moves", "rfc", withEmails, `{"op":"add","path":"emails","value":[{"value":"c","primary":true}]}`,
			`{"userName":"x","emails":[{"value":"a","type":"work","primary":false},{"value":"b","type":"home"},{"value":"c","primary":true}]}`},
		{"primary moves by path", "rfc", withEmails, `{"op":"replace","path":"emails[value eq \"b\"].primary","value":true}`,
			`{"userName":"x","emails":[{"value":"a","type":"work","primary":false},{"value":"b","type":"home","primary":true}]}`},
		{"operations see those before", "rfc", withEmails,
			`{"op":"remove","path":"emails"},{"op":"add","path":"emails","value":[{"value":"that"}]},{"op":"replace","path":"emails[value eq \"that\"].type","value":"other"}`,
			`{"userName":"x","emails":[{"value":"that","type":"other"}]}`},
		{"both are replaced", "rfc", `{"userName":"x","phoneNumbers":[{"type":"fax","value":"1"},{"type":"pager","value":"2"}]}`,
			`{"op":"replace","path":"phoneNumbers[type eq \"fax\" or type eq \"pager\"].value","value":"9"}`,
			`{"userName":"x","phoneNumbers":[{"type":"fax","value":"9"},{"type":"pager","value":"9"}]}`},
		{"active removed", "rfc", `{"userName":"x","active":true}`, `{"op":"remove","path":"active"}`, plainUser},
		{"extension removed", "rfc", `{"userName":"x","` + ent + `":{"department":"d","manager":{"value":"m"}}}`, `{"op":"remove","path":"` + ent + `"}`, plainUser},
		{"extension removed by schemas", "rfc", `{"userName":"x","` + ent + `":{"department":"d"}}`, `{"op":"remove","path":"schemas[value eq \"` + ent + `\"]"}`, plainUser},
		{"extension removed and made again", "rfc", `{"userName":"x","` + ent + `":{"department":"d"}}`,
			`{"op":"remove","path":"schemas[value eq \"` + ent + `\"]"},{"op":"add","path":"` + ent + `:division","value":"v"}`, `{"userName":"x","` + ent + `":{"division":"v"}}`},
		{"schemas added", "rfc", plainUser, `{"op":"add","path":"schemas","value":["` + ent + `"]},{"op":"add","path":"` + ent + `:division","value":"v"}`, `{"userName":"x","` + ent + `":{"division":"v"}}`},
		{"cost centre beside department", "rfc", `{"userName":"x","` + ent + `":{"department":"d"}}`, `{"op":"add","value":{"` + ent + `":{"costCenter":"7"},"schemas":["x"],"id":"same","meta":{"a":1}}}`,
			`{"userName":"x","` + ent + `":{"department":"d","costCenter":"7"}}`},
		{"name is replaced whole", "interop", withName, `{"op":"replace","path":"name","value":{"givenName":"Z"}}`, `{"userName":"x","name":{"givenName":"Z"}}`},
		{"name is merged by add", "interop", withName, `{"op":"add","path":"name","value":{"givenName":"Z"}}`, `{"userName":"x","name":{"familyName":"F","givenName":"Z"}}`},
		{"add is replace", "interop", `{"userName":"x","title":"a"}`, `{"op":"add","path":"title","value":"b"}`, `{"userName":"x","title":"b"}`},
	}
	user := userType(t)
	for _, tt := range tests {
		got, changed, err := applyJSON(t, user, dialect(t, tt.dialect), tt.before, tt.ops)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if d := cmp.Diff(object1(t, tt.want), object1(t, got)); d != "" || changed != (tt.want != tt.before) {
			t.Errorf("%s: changed %v %s", tt.name, changed, d)
		}
	}
}

const (
	threeMembers = `{"displayName":"g","members":[{"value":"u1"},{"value":"u2"},{"value":"u3"}]}`
	noMembers    = `{"displayName":"g"}`
)

func TestMembersTraffic(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, dialect, before, ops, want string }{
		{"Entra adds", "entra", noMembers, `{"op":"Add","path":"members","value":[{"$ref":null,"value":"u1"}]}`, `{"displayName":"g","members":[{"value":"u1"}]}`},
		{"Entra removes", "entra", threeMembers, `{"op":"Remove","path":"members","value":[{"$ref":null,"value":"u2"}]}`, `{"displayName":"g","members":[{"value":"u1"},{"value":"u3"}]}`},
		{"Entra removes all", "entra", threeMembers, `{"op":"Remove","path":"members"}`, noMembers},
		{"JumpCloud removes", "onelogin", threeMembers, `{"op":"remove","path":"members","value":[{"value":"u1"}]}`, `{"displayName":"g","members":[{"value":"u2"},{"value":"u3"}]}`},
		{"nobody is named", "entra", threeMembers, `{"op":"Remove","path":"members","value":[]}`, threeMembers},
		{"bare strings", "lenient", noMembers, `{"op":"add","path":"members","value":["u1","u1"]}`, `{"displayName":"g","members":[{"value":"u1"}]}`},
		{"bare strings removed", "lenient", threeMembers, `{"op":"remove","path":"members","value":["u1","u3"]}`, `{"displayName":"g","members":[{"value":"u2"}]}`},
		{"one object", "entra", noMembers, `{"op":"add","path":"members","value":{"value":"u1"}}`, `{"displayName":"g","members":[{"value":"u1"}]}`},
		{"push of nobody", "okta", threeMembers, `{"op":"replace","path":"members","value":[]}`, noMembers},
		{"push of nobody path-less", "okta", threeMembers, `{"op":"replace","value":{"members":[]}}`, noMembers},
		{"path-less push", "rfc", threeMembers, `{"op":"replace","value":{"id":"g","members":[{"value":"u9"}],"schemas":["` + URNGroup + `"]}}`, `{"displayName":"g","members":[{"value":"u9"}]}`},
		{"Okta changes", "okta", threeMembers, `{"op":"remove","path":"members[value eq \"u1\"]"},{"op":"add","path":"members","value":[{"value":"u4","display":null}]}`,
			`{"displayName":"g","members":[{"value":"u2"},{"value":"u3"},{"value":"u4"}]}`},
		{"there already", "rfc", threeMembers, `{"op":"add","path":"members","value":[{"value":"u1","display":"other","$ref":"x"}]}`, threeMembers},
		{"added and removed", "rfc", threeMembers, `{"op":"add","path":"members","value":[{"value":"u4"}]},{"op":"remove","path":"members[value eq \"u4\"]"}`, threeMembers},
	}
	group := groupType(t)
	for _, tt := range tests {
		got, changed, err := applyJSON(t, group, dialect(t, tt.dialect), tt.before, tt.ops)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if d := cmp.Diff(object1(t, tt.want), object1(t, got)); d != "" || changed != (tt.want != tt.before) {
			t.Errorf("%s: changed %v %s", tt.name, changed, d)
		}
	}
}

// What a strict connection refuses, and with which word.
func TestPatchStrict(t *testing.T) {
	t.Parallel()
	tests := []struct{ dialect, before, ops, typ string }{
		{"rfc", plainUser, `{"op":"replace","path":"emails[type eq \"work\"].value","value":"a"}`, NoTarget},
		{"rfc", plainUser, `{"op":"replace","path":"active","value":"False"}`, InvalidValue},
		{"rfc", plainUser, ``, InvalidSyntax},
		{"rfc", plainUser, `{"op":"add","path":"` + ent + `.manager","value":{"value":"m"}}`, InvalidPath},
		{"rfc", plainUser, `{"op":"add","path":"` + ent + `:manager","value":"m"}`, InvalidValue},
		{"rfc", plainUser, `{"op":"add","path":"schemas","value":["urn:x:y"]}`, InvalidValue},
		{"rfc", plainUser, `{"op":"remove","path":"schemas[value eq \"` + URNUser + `\"]"}`, Mutability},
		{"rfc", withEmails, `{"op":"replace","path":"emails","value":[{"value":"a","primary":true},{"value":"b","primary":true}]}`, InvalidValue},
		{"interop", plainUser, `{"op":"replace","value":{"title":"x"}}`, InvalidSyntax},
		{"interop", plainUser, `{"op":"Replace","path":"title","value":"x"}`, InvalidSyntax},
		{"interop", plainUser, `{"op":"add","path":"name","value":{"nope":"x"}}`, InvalidSyntax},
		{"interop", withEmails, `{"op":"replace","path":"emails[type eq \"work\"]","value":{"value":"x"}}`, InvalidPath},
		{"interop", `{"userName":"x","emails":[{"value":"a","type":"work"},{"value":"b","type":"work"}]}`, `{"op":"replace","path":"emails[type eq \"work\"].display","value":"x"}`, InvalidFilter},
		{"interop", plainUser, `{"op":"add","path":"addresses","value":[{"country":"Belgium"}]}`, InvalidValue},
		{"interop", plainUser, `{"op":"add","path":"locale","value":"en_US"}`, InvalidValue},
	}
	for _, tt := range tests {
		_, _, err := applyJSON(t, userType(t), dialect(t, tt.dialect), tt.before, tt.ops)
		wantFault(t, tt.dialect+" "+tt.ops, err, tt.typ, "")
	}
	for _, name := range []string{"rfc", "interop", "okta"} {
		_, _, err := applyJSON(t, groupType(t), dialect(t, name), threeMembers, `{"op":"remove","path":"members","value":[{"value":"u2"}]}`)
		wantFault(t, name+": a remove that lists members", err, InvalidValue, "members")
	}
}
