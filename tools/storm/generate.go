package main

//go:generate go tool bpf2go -go-package main -tags linux -cc clang-19 -strip llvm-strip-19 -target bpfel comparator bpf/comparator.c -- -I../../bpf/lib -O2 -g -Wall -Wextra -Wno-unused-parameter -Werror
