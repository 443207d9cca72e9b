// Package house keeps the order of the packages: who may import whom, and
// which package alone knows a dependency. Its test reads the imports of the
// whole module, those of tests excepted.
package house
