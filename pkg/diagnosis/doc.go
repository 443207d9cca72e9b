// Package diagnosis turns evidence about one flow into a verdict: symptom,
// cause, a plain sentence and advice. It is one ordered table of rules over pure
// predicates. The first rule that holds decides, and the same evidence always
// gives the same verdict.
//
// Decide gives the decision alone, which costs no more than the predicates.
// Judge adds the words.
package diagnosis
