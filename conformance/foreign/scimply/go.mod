// Apart, so that nothing of it enters the product's go.mod; run builds it in a checkout of scimply.
module github.com/scimhub/scimhub/conformance/foreign/scimply

go 1.26.0

require github.com/cerberauth/scimply v0.1.1
