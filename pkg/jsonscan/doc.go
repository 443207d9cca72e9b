// Package jsonscan reads JSON in one pass, and as it comes: what encoding/json
// reads three times, and only whole. It takes the grammar exactly as encoding/json
// does. It is pure.
package jsonscan
