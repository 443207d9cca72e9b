// Package budget holds work to shares of a core. A Budget runs the work that it
// pays for, so no caller has to measure it. If another budget pays for a part of
// that work, the part is not paid for twice. Nothing here is safe for concurrent
// use: the budgets of one loop share one Books.
package budget
