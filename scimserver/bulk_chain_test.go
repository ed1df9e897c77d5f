package scimserver_test

import (
	"encoding/json"
	"fmt"
	"testing"
)

// TestBulkLongChain: a job whose every operation waits for the next one is not dear.
func TestBulkLongChain(t *testing.T) {
	t.Parallel()
	s := serve(t, "rfc")
	var ops, want []string
	const n = 1000
	for i := range n {
		boss := managedBy(fmt.Sprintf("bulkId:u%d", i+1))
		if i == n-1 {
			boss = ""
		}
		id := fmt.Sprintf("u%d", i)
		ops = append(ops, makeUser(id, id, boss))
		want = append(want, "POST "+id+" 201")
	}
	s.job(bulkJob("", ops...), want...)
}

// FuzzBulk sends jobs of operations that refer to one another at random: every one
// is answered once, in order, and no user is left without an answer.
func FuzzBulk(f *testing.F) {
	f.Add([]byte{0, 1, 1, 0}, 0)
	f.Add([]byte{0, 1, 1, 2, 2, 0, 9, 9}, 1)
	f.Add([]byte{4, 5, 5, 4, 3, 3, 130, 2, 200, 4}, 2)
	f.Fuzz(func(t *testing.T, plan []byte, failOnErrors int) {
		if len(plan) > 40 || failOnErrors < 0 {
			t.Skip()
		}
		s := serve(t, "rfc")
		var ops []string
		for i := 0; i+1 < len(plan); i += 2 {
			what, of := plan[i], plan[i+1]
			id := fmt.Sprintf("b%d", i/2)
			ref := fmt.Sprintf("bulkId:b%d", of%16)
			switch what % 6 {
			case 0, 1:
				ops = append(ops, makeUser(id, fmt.Sprintf("n%d", what), managedBy(ref)))
			case 2:
				ops = append(ops, makeGroup(id, id, ref))
			case 3:
				ops = append(ops, `{"method":"DELETE","path":"/Users/`+ref+`"}`)
			case 4:
				ops = append(ops, `{"method":"PATCH","path":"/Groups/`+ref+`","data":`+patchOp(`{"op":"add","path":"members","value":[{"value":"`+ref+`"}]}`)+`}`)
			case 5:
				ops = append(ops, makeUser(id, fmt.Sprintf("m%d", i), ""))
			}
		}
		a := s.do("POST", "/Bulk", bulkJob(fmt.Sprintf(`,"failOnErrors":%d`, failOnErrors), ops...))
		if len(ops) == 0 {
			return
		}
		a.want(200, "")
		var response struct {
			Operations []struct{ BulkID, Method, Status string }
		}
		if err := json.Unmarshal([]byte(a.raw), &response); err != nil {
			t.Fatal(err)
		}
		made, gone, failed := 0, 0, 0
		for _, o := range response.Operations {
			switch o.Status {
			case "201":
				made++
			case "204":
				gone++
			case "200":
			default:
				failed++
			}
		}
		if failOnErrors == 0 && len(response.Operations) != len(ops) {
			t.Fatalf("%d answers to %d operations\n%s", len(response.Operations), len(ops), a.raw)
		}
		if left := s.store.Len("User") + s.store.Len("Group"); left != made-gone {
			t.Fatalf("%d resources, %d made, %d deleted\n%s", left, made, gone, a.raw)
		}
	})
}
