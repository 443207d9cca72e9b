package tracer

//go:generate go tool bpf2go -go-package tracer -tags linux -cc clang-19 -strip llvm-strip-19 -target bpfel -type reading -type listener -type resident -type audited -type gone_key -type reading_kind -type reading_flag -type counter -type loss -type loss_total tcpstuck ../../bpf/tcpstuck.bpf.c -- -I../../bpf/lib -O2 -g -Wall -Wextra -Werror

// The random lives of the tests:
//
//go:generate go tool bpf2go -go-package tracer -output-suffix _test -tags linux -cc clang-19 -strip llvm-strip-19 -target bpfel -type act -type view histories ../../bpf/histories.bpf.c -- -I../../bpf/lib -O2 -g -Wall -Wextra -Wno-unused-parameter -Werror
