// Package jsonscan reads JSON in one pass, and while it still comes. Package
// encoding/json reads a text three times, and only as a whole. Both accept exactly
// the same grammar.
package jsonscan
