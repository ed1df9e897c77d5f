package main_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scimhub/scimhub/conformance/replay"
)

// hard is one hard case on its way: with a source of its own in one of three
// dialects.
type hard struct {
	*testing.T
	connection
	dialect string // rfc, lenient or interop
}

// due is what an answer must be.
type due struct {
	status int
	kind   string // scimType of an Error
}

var (
	dueFine   = due{status: http.StatusOK}
	badSyntax = due{400, "invalidSyntax"}
	badValue  = due{400, "invalidValue"}
	badFilter = due{400, "invalidFilter"}
)

// by chooses what is due in this dialect.
func (h *hard) by(rfc, lenient, interop due) due {
	return map[string]due{"rfc": rfc, "lenient": lenient, "interop": interop}[h.dialect]
}

func (h *hard) want(d due, method, target string, body any, header ...string) scimAnswer {
	h.Helper()
	a := h.must(h.T, d.status, method, target, body, header...)
	if d.kind != "" && a.doc["scimType"] != d.kind {
		h.Errorf("%s %.200s: %s, due is %s", method, target, a, d.kind)
	}
	return a
}

// matches compares an answer with a pattern of package replay.
func (h *hard) matches(a scimAnswer, pattern string, args ...any) {
	h.Helper()
	faults, err := replay.Match(fmt.Sprintf(pattern, args...), a.body, nil)
	if err != nil {
		h.Fatal(err)
	}
	for _, f := range faults {
		h.Error(f)
	}
}

// make creates a resource; text holds its attributes.
func (h *hard) make(endpoint, attributes string, args ...any) string {
	h.Helper()
	schemas := `"urn:ietf:params:scim:schemas:core:2.0:User"`
	if endpoint == "/Groups" {
		schemas = `"urn:ietf:params:scim:schemas:core:2.0:Group"`
	}
	body := fmt.Sprintf(attributes, args...)
	if strings.Contains(body, enterpriseURN) {
		schemas += `,"` + enterpriseURN + `"`
	}
	a := h.must(h.T, http.StatusCreated, http.MethodPost, endpoint, `{"schemas":[`+schemas+`],`+body+`}`)
	return text(a.doc, "id")
}

func (h *hard) get(target string) scimAnswer {
	h.Helper()
	return h.must(h.T, http.StatusOK, http.MethodGet, target, nil)
}

// patch sends operations. A refused request must leave everything as it was.
func (h *hard) patch(d due, target, operations string, args ...any) scimAnswer {
	h.Helper()
	before := h.get(target)
	a := h.want(d, http.MethodPatch, target, patchHead+"["+fmt.Sprintf(operations, args...)+"]}")
	if after := h.get(target); d.status >= 400 {
		if diff := cmp.Diff(string(before.body), string(after.body)); diff != "" {
			h.Errorf("a refused PATCH has changed something:\n%s", diff)
		}
	}
	return a
}

// found lists what a filter finds, by userName or displayName, sorted.
func (h *hard) found(endpoint, text string) []string {
	h.Helper()
	a := h.get(endpoint + "?count=100&filter=" + url.QueryEscape(text))
	names := []string{}
	for _, r := range a.list("Resources") {
		o, _ := r.(map[string]any)
		name, ok := o["userName"].(string)
		if !ok {
			name, _ = o["displayName"].(string)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (h *hard) finds(endpoint, text string, want ...string) {
	h.Helper()
	if diff := cmp.Diff(append([]string{}, want...), h.found(endpoint, text)); diff != "" {
		h.Errorf("%s finds (-want +got):\n%s", text, diff)
	}
}

// hardCases are requests that services often get wrong, by the numbers under which
// they were collected.
func hardCases() map[int]func(h *hard) {
	return map[int]func(*hard){
		1: elementMadeByPath, 3: booleanAsText, 5: extensionWithoutPath, 7: membersRemovedByList, 9: memberAddedAgain,
		11: primaryMoves, 13: operationsInOrder, 15: readOnlyInPut, 17: partOfComplex, 19: severalElementsHit,
		21: namesCompared, 23: precedence, 25: filtersOnElements, 27: filtersRefused, 29: plusSigns,
		31: paging, 33: selection, 35: versions, 37: errorBodies, 39: discoveryIsTrue,
	}
}

// TestHardCases runs each of them in each dialect on each database.
//
//	go test ./cmd/scimhub -run 'TestHardCases/sqlite/7/'
func TestHardCases(t *testing.T) {
	t.Parallel()
	sources := map[string]string{}
	dialects := []string{"rfc", "lenient", "interop"}
	for number := range hardCases() {
		for _, dialect := range dialects {
			sources[fmt.Sprint("case-", number, "-", dialect)] = dialect
		}
	}
	eachProvider(t, sources, func(t *testing.T, p *provider) {
		for number, run := range hardCases() {
			for _, dialect := range dialects {
				t.Run(fmt.Sprint(number, "/", dialect), func(t *testing.T) {
					t.Parallel()
					run(&hard{t, p.connect(fmt.Sprint("case-", number, "-", dialect)), dialect})
				})
			}
		}
	})
}

// elementMadeByPath: add to a value path that matches nothing makes the element.
func elementMadeByPath(h *hard) {
	id := h.make("/Users", `"userName":"u"`)
	h.patch(h.by(dueFine, dueFine, badSyntax), "/Users/"+id, `{"op":"Add","path":"emails[type eq \"work\"].value","value":"a@x.test"}`)
	h.patch(dueFine, "/Users/"+id, `{"op":"add","path":"emails[type eq \"work\"].value","value":"a@x.test"}`)
	h.matches(h.get("/Users/"+id), `{"emails":[{"{{only}}":true,"type":"work","value":"a@x.test"}]}`)
}

// booleanAsText: "False" makes somebody inactive, or is refused; it is never stored
// as a text, which is true to whoever asks.
func booleanAsText(h *hard) {
	id := h.make("/Users", `"userName":"u","active":true`)
	d := h.by(badValue, dueFine, badValue)
	h.patch(d, "/Users/"+id, `{"op":"replace","path":"active","value":"False"}`)
	if d == dueFine {
		h.matches(h.get("/Users/"+id), `{"active":false}`)
		h.finds("/Users", "active eq false", "u")
		h.finds("/Users", "active eq true")
		return
	}
	h.finds("/Users", "active eq true", "u")
}

// extensionWithoutPath: an extension inside a value without path is merged; id,
// schemas and meta in it are ignored.
func extensionWithoutPath(h *hard) {
	id := h.make("/Users", `"userName":"u",%q:{"department":"Kept","costCenter":"1"}`, enterpriseURN)
	d := h.by(dueFine, dueFine, badSyntax)
	h.patch(d, "/Users/"+id, `{"op":"replace","value":{%q:{"costCenter":"7"},"id":%q,
		"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"meta":{"resourceType":"User","version":"W/\"77\""}}}`, enterpriseURN, id)
	if d == dueFine {
		h.matches(h.get("/Users/"+id), `{"id":%q,%q:{"{{only}}":true,"department":"Kept","costCenter":"7"},
			"schemas":["urn:ietf:params:scim:schemas:core:2.0:User",%[2]q]}`, id, enterpriseURN)
	}
}

// membersRemovedByList: those of the list go, or the request is refused; never does
// everybody go.
func membersRemovedByList(h *hard) {
	u1, u2, u3 := h.make("/Users", `"userName":"u1"`), h.make("/Users", `"userName":"u2"`), h.make("/Users", `"userName":"u3"`)
	id := h.make("/Groups", `"displayName":"g","members":[{"value":%q},{"value":%q},{"value":%q}]`, u1, u2, u3)
	a := h.patch(h.by(due{status: 400}, dueFine, due{status: 400}), "/Groups/"+id, `{"op":"Remove","path":"members","value":[{"$ref":null,"value":%q}]}`, u2)
	if a.status == http.StatusOK {
		h.matches(h.get("/Groups/"+id), `{"members":[{"value":%q},{"value":%q}]}`, u1, u3)
	}
	// A list that names nobody removes nobody, whether it is refused or not.
	for _, v := range []string{`[]`, `[{}]`, `[null]`, `[""]`, `[{"value":""}]`, `[{"value":null}]`, `[{"display":"u1"}]`, `{"value":""}`, `"nobody"`, `false`, `[["u1"]]`} {
		before := string(h.get("/Groups/" + id).body)
		a, err := h.send(h.Context(), http.MethodPatch, "/Groups/"+id, patchHead+`[{"op":"remove","path":"members","value":`+v+`}]}`)
		if err != nil || a.status >= 500 {
			h.Fatalf("remove members, value %s: %s %v", v, a, err)
		}
		if diff := cmp.Diff(before, string(h.get("/Groups/"+id).body)); diff != "" {
			h.Errorf("remove members, value %s:\n%s", v, diff)
		}
	}
}

// memberAddedAgain: nothing changes, not even the version.
func memberAddedAgain(h *hard) {
	u1 := h.make("/Users", `"userName":"u1"`)
	id := h.make("/Groups", `"displayName":"g","members":[{"value":%q}]`, u1)
	before := h.get("/Groups/" + id)
	h.patch(dueFine, "/Groups/"+id, `{"op":"add","path":"members","value":[{"value":%q}]}`, u1)
	after := h.get("/Groups/" + id)
	if diff := cmp.Diff(string(before.body), string(after.body)); diff != "" || before.header.Get("ETag") != after.header.Get("ETag") {
		h.Errorf("adding a member again changes the group:\n%s", diff)
	}
	h.matches(after, `{"members":[{"value":%q}]}`, u1)
}

// primaryMoves: a new primary element takes it from the old one.
func primaryMoves(h *hard) {
	id := h.make("/Users", `"userName":"u","emails":[{"value":"a@x.test","type":"work","primary":true}]`)
	h.patch(dueFine, "/Users/"+id, `{"op":"add","path":"emails","value":[{"value":"b@x.test","type":"home","primary":true}]}`)
	a := h.get("/Users/" + id)
	h.matches(a, `{"emails":[{"value":"b@x.test","primary":true},{"value":"a@x.test"}]}`)
	if n := strings.Count(string(a.body), `"primary":true`); n != 1 {
		h.Errorf("%d primary addresses: %s", n, a)
	}
	h.finds("/Users", `emails[value eq "a@x.test" and primary eq true]`)
}

// operationsInOrder: each operation sees what the one before it did.
func operationsInOrder(h *hard) {
	id := h.make("/Users", `"userName":"u","emails":[{"value":"old@x.test","type":"home"}]`)
	h.patch(dueFine, "/Users/"+id, `{"op":"remove","path":"emails"},{"op":"add","path":"emails","value":[{"value":"new@x.test","type":"home"}]},
		{"op":"replace","path":"emails[value eq \"new@x.test\"].type","value":"work"}`)
	h.matches(h.get("/Users/"+id), `{"emails":[{"{{only}}":true,"value":"new@x.test","type":"work"}]}`)
	// All or nothing: the last one fails, and the first two have not happened.
	h.patch(due{400, "mutability"}, "/Users/"+id, `{"op":"remove","path":"emails"},{"op":"replace","path":"displayName","value":"x"},{"op":"replace","path":"id","value":"x"}`)
}

// readOnlyInPut: another's id, a changed meta and made-up groups are ignored.
func readOnlyInPut(h *hard) {
	other, id := h.make("/Users", `"userName":"other"`), h.make("/Users", `"userName":"u"`)
	before := h.get("/Users/" + id)
	a := h.want(dueFine, http.MethodPut, "/Users/"+id, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"u","nickName":"n","id":"`+other+`",
		"meta":{"resourceType":"Group","created":"1999-01-01T00:00:00Z","location":"https://x.test/1","version":"W/\"9\""},"groups":[{"value":"made-up"}]}`)
	created := before.doc["meta"].(map[string]any)["created"]
	h.matches(a, `{"id":%q,"nickName":"n","groups":"{{absent}}","meta":{"resourceType":"User","created":%q,"location":%q}}`,
		id, created, h.base+"/scim/v2/Users/"+id)
	h.matches(h.get("/Users/"+other), `{"userName":"other","nickName":"{{absent}}"}`)
}

// partOfComplex: replace of a complex attribute keeps what it does not name, but
// under the interoperability profile.
func partOfComplex(h *hard) {
	id := h.make("/Users", `"userName":"u","name":{"givenName":"A","familyName":"F"}`)
	h.patch(dueFine, "/Users/"+id, `{"op":"replace","path":"name","value":{"givenName":"Z"}}`)
	family := `"F"`
	if h.dialect == "interop" {
		family = `"{{absent}}"`
	}
	h.matches(h.get("/Users/"+id), `{"name":{"givenName":"Z","familyName":%s}}`, family)
	h.patch(dueFine, "/Users/"+id, `{"op":"add","path":"name","value":{"middleName":"M"}}`)
	h.matches(h.get("/Users/"+id), `{"name":{"givenName":"Z","middleName":"M"}}`)
}

// severalElementsHit: all of them change, or, under the interoperability profile,
// none.
func severalElementsHit(h *hard) {
	id := h.make("/Users", `"userName":"u","phoneNumbers":[{"type":"fax","value":"1"},{"type":"pager","value":"2"},{"type":"work","value":"3"}]`)
	d := h.by(dueFine, dueFine, badFilter)
	h.patch(d, "/Users/"+id, `{"op":"replace","path":"phoneNumbers[type eq \"fax\" or type eq \"pager\"].value","value":"9"}`)
	if d == dueFine {
		h.matches(h.get("/Users/"+id), `{"phoneNumbers":[{"type":"fax","value":"9"},{"type":"pager","value":"9"},{"type":"work","value":"3"}]}`)
	}
}

// namesCompared: user names are compared as RFC 7613 prepares them.
func namesCompared(h *hard) {
	const user = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":%q}`
	taken := due{http.StatusConflict, "uniqueness"}
	made := due{status: http.StatusCreated}
	var jose string
	for _, c := range []struct {
		name string
		due  due
	}{
		{"Jos\u00e9@x.test", made}, {"JOSE\u0301@x.test", taken}, // composed, decomposed in capitals
		{"\uff21lice", made}, {"alice", taken}, {"ALICE", taken}, // a full-width letter
		{"Stra\u00dfe", made}, {"STRASSE", made}, {"stra\u00dfe", taken}, // sharp s is no double s
		{"a b", made}, {"A B", taken}, {"\ufb01x", made}, // spaces and ligatures are no names, and are sent
	} {
		a := h.want(c.due, http.MethodPost, "/Users", fmt.Sprintf(user, c.name))
		if jose == "" {
			jose = text(a.doc, "id")
		}
	}
	h.want(taken, http.MethodPut, "/Users/"+jose, fmt.Sprintf(user, "ALICE"))
	h.patch(taken, "/Users/"+jose, `{"op":"replace","path":"userName","value":"sTRASSE"}`)
	h.want(dueFine, http.MethodPut, "/Users/"+jose, fmt.Sprintf(user, "JOS\u00c9@X.TEST"))
	h.patch(dueFine, "/Users/"+jose, `{"op":"replace","path":"userName","value":"jos\u00e9@x.test"}`)
	h.finds("/Users", `userName eq "JOSE`+"\u0301"+`@x.test"`, "jos\u00e9@x.test")
	h.finds("/Users", `userName eq "alice"`, "\uff21lice")
}

// precedence: not binds tighter than and, and tighter than or.
func precedence(h *hard) {
	h.make("/Users", `"userName":"x","active":true`)
	h.make("/Users", `"userName":"xx","active":false`)
	h.make("/Users", `"userName":"y","active":false`)
	h.make("/Users", `"userName":"z","active":true`)
	h.finds("/Users", `userName eq "x" or userName eq "y" and active eq false`, "x", "y")
	h.finds("/Users", `userName eq "y" and active eq false or userName eq "x"`, "x", "y")
	h.finds("/Users", `(userName eq "x" or userName eq "y") and active eq false`, "y")
	h.finds("/Users", `not (userName sw "x") and active eq true`, "z")
	h.finds("/Users", `not (userName sw "x" and active eq true)`, "xx", "y", "z")
	h.finds("/Users", `NOT (userName sw "x" OR username EQ "y") AND Active eq true`, "z")
}
