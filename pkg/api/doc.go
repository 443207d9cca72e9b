// Package api serves the agent's answers over HTTP: stuck flows, as JSON and as a
// page; the agent's own state; its profiles. It also has the client that the command
// line uses.
//
// /v1/flows, /v1/flows/{id}, /v1/status, /v1/stale and /v1/audit answer with
// JSON whose apiVersion is flow.APIVersion. Everything only reads.
package api
