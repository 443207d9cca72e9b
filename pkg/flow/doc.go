// Package flow is tcpstuck's vocabulary as types: sockets as the kernel shows
// them, findings as users see them, and what stands between. It imports the
// standard library only, so that every other package can speak it.
//
// What has a JSON form has its json tags on the type itself. The form is the
// one that users build on: names never change, what is not known is null.
package flow
