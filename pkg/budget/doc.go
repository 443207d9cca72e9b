// Package budget holds work to shares of a core. A Budget runs the work that it
// pays for, so that nobody has to measure it; work that another budget pays for
// inside is not paid for twice. Nothing here is safe for concurrent use: the
// budgets of one loop share one Books.
package budget
