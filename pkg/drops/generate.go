package drops

//go:generate go tool bpf2go -go-package drops -tags linux -cc clang-19 -strip llvm-strip-19 -target bpfel -type segment -type watch -type drops drops ../../bpf/drops.bpf.c -- -I../../bpf/lib -O2 -g -Wall -Wextra -Werror
