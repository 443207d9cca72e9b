// Package house keeps the order of the packages: which room may import which, and which
// single room may import a dependency. It also keeps types small enough to read. Its
// tests read the source of the whole module, except its tests.
package house
