// Package report puts findings into words, for a terminal and for the page.
// It is pure: findings and the present moment in, text out. How times, numbers
// and names are written is pkg/phrase's.
package report
