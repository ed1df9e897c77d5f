package app

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
)

// keptResponse keeps an answer.
type keptResponse struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (k *keptResponse) Header() http.Header { return k.header }

func (k *keptResponse) WriteHeader(code int) {
	if k.status == 0 {
		k.status = code
	}
}

func (k *keptResponse) Write(p []byte) (int, error) {
	k.WriteHeader(http.StatusOK)
	return k.body.Write(p)
}

// send passes the answer on.
func (k *keptResponse) send(w http.ResponseWriter) {
	k.WriteHeader(http.StatusOK)
	maps.Copy(w.Header(), k.header)
	w.WriteHeader(k.status)
	_, _ = w.Write(k.body.Bytes()) // the client may have gone
}

// cut announces the whole answer, sends half of it and drops the connection. An
// answer without body is dropped before it begins.
func (k *keptResponse) cut(w http.ResponseWriter) {
	half := k.body.Len() / 2
	if half == 0 {
		drop(w)
		return
	}
	maps.Copy(w.Header(), k.header)
	w.Header().Set("Content-Length", strconv.Itoa(k.body.Len()))
	w.WriteHeader(k.status)
	_, _ = w.Write(k.body.Bytes()[:half])     // the end is the same
	_ = http.NewResponseController(w).Flush() // as above
	panic(http.ErrAbortHandler)               // the server's own way of ending a connection
}

// untag takes every trace of versions out of an answer.
func (k *keptResponse) untag() {
	k.header.Del("ETag")
	var body map[string]any
	if json.Unmarshal(k.body.Bytes(), &body) != nil {
		return
	}
	if body["etag"] != nil {
		body["etag"] = map[string]any{"supported": false}
	}
	unversioned(body)
	list, _ := body["Resources"].([]any)
	for _, r := range list {
		if m, ok := r.(map[string]any); ok {
			unversioned(m)
		}
	}
	text, err := json.Marshal(body)
	if err != nil {
		return
	}
	k.header.Del("Content-Length")
	k.body.Reset()
	k.body.Write(text)
}

func unversioned(resource map[string]any) {
	if meta, ok := resource["meta"].(map[string]any); ok {
		delete(meta, "version")
	}
}
