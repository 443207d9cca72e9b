# The doors of tcpstuck. `make help` lists them. Building needs Go and git,
# nothing else; what a target needs beyond that, it says.

GO      ?= go
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unknown)

# cgo is for the race detector alone. -buildvcs=false: the version comes from
# git describe, also where git distrusts the owner of the folder.
BUILD := CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION)'
CC    := $(shell $(GO) env CC)
RACE  := $(if $(shell command -v $(CC) 2>/dev/null),-race)
TOOL  := $(GO) run -buildvcs=false

BIN      := bin
PROGRAMS := $(addprefix $(BIN)/,tcpstuck-agent tcpstuck reproducer chaos echo)
LINTER   := .tools/golangci-lint

# The packages whose tests take longest begin first: one that begins last would
# run alone at the end.
LONGEST := ./reproducer/internal/accuracy ./pkg/tracer ./pkg/inspector ./reproducer/internal/scenario ./tools/storm ./test/programs

# What to test; which scenarios to play (empty: all), in which address families
# (4 6 mapped; empty: each in its own), how often, how many at once; which
# mutants to try, how many of them (0: all), and which faults to play; what decides
# an accuracy run (0: a new seed), how many flows it has, and which one's story
# to tell.
# On which kernels to test, parted by blanks (5.10 6.1 6.12 newest), and which
# document gets the table.
PACKAGES  ?= $(LONGEST) ./...
SCENARIOS ?=
FAMILIES  ?=
TIMES     ?= 1
PARALLEL  ?= 4
MUTANTS   ?= .
SOME      ?= 0
CHAOS     ?= .
FUZZTIME  ?= 500000x
SEED      ?= 0
FLOWS     ?= 2000
ONLY      ?=
REPORT    ?=
KERNELS   ?= 6.1 6.12
TABLE     ?=

# The images: their tag, and for which architectures.
TAG    ?= dev
ARCHES ?= amd64 arm64

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: $(PROGRAMS) $(BIN)/kubectl-tcpstuck ## build every program into bin/, statically

$(BIN)/tcpstuck-agent: SOURCE = ./cmd/agent
$(BIN)/tcpstuck: SOURCE = ./cmd/tcpstuck
$(BIN)/reproducer: SOURCE = ./reproducer/cmd/reproducer
$(BIN)/chaos: SOURCE = ./reproducer/cmd/chaos
$(BIN)/echo: SOURCE = ./reproducer/echo

.PHONY: $(PROGRAMS)
$(PROGRAMS):
	$(BUILD) -o $@ $(SOURCE)

# By this name it is a plugin of kubectl.
$(BIN)/kubectl-tcpstuck: $(BIN)/tcpstuck
	ln -sf tcpstuck $@

.PHONY: demo
demo: build ## the Calico hang, made and found on this kernel, in namespaces of its own (root)
	bin/reproducer demo

# conntrack(8) is for one privileged test. Where it cannot be installed, that
# test is left out, and this is said. `make lint` vets, and does more of it.
# Packages that wait for timers leave the processors to others: twice as many
# packages at once as there are processors.
.PHONY: test
test: ## unit and privileged tests; without root it says what was left out (under CI=true that fails)
	@[ "$$(id -u)" -ne 0 ] || tools/install-packages.sh conntrack=conntrack || true
	@$(if $(RACE),,echo "no C compiler ($(CC)): without the race detector")
	$(TOOL) ./tools/test $(RACE) -vet=off -p $$((2 * $$(nproc))) -timeout 10m $(PACKAGES)

.PHONY: scenarios
scenarios: build ## play the scenarios and compare the verdicts (root); SCENARIOS="calico lossy" FAMILIES="4 6" TIMES=10
	$(TOOL) ./tools/scenarios -times $(TIMES) -parallel $(PARALLEL) -families "$(FAMILIES)" $(SCENARIOS)

.PHONY: accuracy
accuracy: build ## how often the agent is right, over thousands of labelled flows (root); SEED=, FLOWS=, ONLY=flow, REPORT=file
	bin/reproducer accuracy -seed "$(SEED)" -flows "$(FLOWS)" -only "$(ONLY)" -report "$(REPORT)"

.PHONY: chaos
chaos: build ## faults while thousands of connections hang; nothing may be lost (root); CHAOS=REGEXP
	bin/chaos -run '$(CHAOS)'

.PHONY: kube-assets
kube-assets: .tools/kube/kube-apiserver .tools/kube/etcd ## a Kubernetes API server and etcd for tests, built from Go modules (once, five minutes)

.tools/kube/kube-apiserver: PACKAGE = k8s.io/kubernetes/cmd/kube-apiserver
.tools/kube/etcd: PACKAGE = go.etcd.io/etcd/server/v3

.tools/kube/kube-apiserver .tools/kube/etcd: tools/kube/go.mod tools/kube/go.sum
	CGO_ENABLED=0 $(GO) -C tools/kube build -trimpath -buildvcs=false -ldflags '-s -w -X k8s.io/component-base/version.gitVersion=v1.34.4' -o $(CURDIR)/$@ $(PACKAGE)

# Where KUBEBUILDER_ASSETS names a folder, its programs are taken.
KUBE_TEST = KUBEBUILDER_ASSETS=$(or $(KUBEBUILDER_ASSETS),$(CURDIR)/.tools/kube) $(GO) -C test/kube test -buildvcs=false -count=1

# The scenarios run programs alone, beside an API that has to keep their pace:
# without the race detector.
KUBE_SCENARIOS = ^Test(Calico|Controls)$$

.PHONY: test-kube
test-kube: build $(if $(KUBEBUILDER_ASSETS),,kube-assets) ## tests against a real Kubernetes API, started for them (root for the scenarios)
	$(KUBE_TEST) $(RACE) -timeout 20m -skip '$(KUBE_SCENARIOS)' ./...
	$(KUBE_TEST) -timeout 20m -run '$(KUBE_SCENARIOS)' ./...

.PHONY: bench-cluster
bench-cluster: build $(if $(KUBEBUILDER_ASSETS),,kube-assets) ## the whole agent against an API with 10,000 and 100,000 endpoints (root): memory, time to sync, CPU
	$(KUBE_TEST) -timeout 20m -run '^$$' -bench Cluster -benchtime 1x .

.PHONY: image
image: ## container images into bin/image, with buildah (root); TAG=dev ARCHES="amd64 arm64"
	tools/image.sh $(TAG) $(ARCHES)

.PHONY: test-image
test-image: image ## the agent from its image under a container runtime, as the DaemonSet runs it (root)
	tools/install-packages.sh runc=runc
	$(GO) -C test/deploy test $(RACE) -buildvcs=false -count=1 ./image

.PHONY: test-monitoring
test-monitoring: build ## the alert rules and the dashboard, with a real Prometheus that scrapes an agent in the Calico hang (root)
	tools/install-packages.sh prometheus=prometheus conntrack=conntrack
	$(GO) -C test/deploy test $(RACE) -buildvcs=false -count=1 ./monitoring

.PHONY: test-kernels
test-kernels: build ## the privileged tests and four scenarios on Debian's kernels, emulated; KERNELS="6.1 newest"
	tools/install-kernel-tools.sh
	$(TOOL) ./tools/kernels -kernels '$(KERNELS)' -table '$(TABLE)'

.PHONY: test-arm64
test-arm64: ## build for arm64; the kernel side read and its records decoded by an emulated arm64 processor
	tools/install-packages.sh qemu-aarch64-static=qemu-user-static
	GOARCH=arm64 $(MAKE) --no-print-directory BIN=bin/arm64 build
	GOARCH=arm64 CGO_ENABLED=0 $(GO) test -exec qemu-aarch64-static -count=1 -run 'TheObject|Decode' ./pkg/tracer

# Each kernel has defects of its own: what it lacks, taken for granted.
BROKEN_KERNELS := $(addprefix mutants-kernel-,6.1 6.12)

.PHONY: mutants-kernels $(BROKEN_KERNELS)
mutants-kernels: $(BROKEN_KERNELS) ## break what makes the kernel side fit 6.1 and 6.12; it must turn red there
$(BROKEN_KERNELS): mutants-kernel-%:
	tools/install-kernel-tools.sh
	tools/install-bpf-tools.sh
	CGO_ENABLED=0 $(GO) build -buildvcs=false -o .tools/kernels/run ./tools/kernels
	CGO_ENABLED=0 $(TOOL) ./tools/mutants -run '$(MUTANTS)' -parallel 2 -exec '$(CURDIR)/.tools/kernels/run -cache $(CURDIR)/.tools/kernels -exec $*' mutants/kernels/$*.txt

.PHONY: storm
storm: bin/tcpstuck-agent bin/tcpstuck ## the agent among 15,000 sockets that stick at once, beside what it is compared with, and among 100,000 (root); SIZE=15000 or SIZE=100000: one of them; DOC=1 writes docs/performance.md
	tools/install-packages.sh bpftrace=bpftrace ss=iproute2
	$(GO) build -buildvcs=false -o bin/storm ./tools/storm
	bin/storm $(if $(SIZE),-size '$(SIZE)') $(if $(DOC),-doc docs/performance.md)

.PHONY: mutants
mutants: ## break the code in small ways, each must turn a test red (root); MUTANTS=REGEXP, SOME=number of them
	tools/install-bpf-tools.sh
	$(TOOL) ./tools/mutants -run '$(MUTANTS)' -some $(SOME) mutants/*.txt

.PHONY: lint
lint: $(LINTER) ## golangci-lint, built from Go modules (the first time takes minutes); the C code as clang-format 19 writes it
	$(LINTER) run ./...
	tools/format.sh --check

$(LINTER): tools/lint/go.mod tools/lint/go.sum
	CGO_ENABLED=0 $(GO) -C tools/lint build -buildvcs=false -o $(CURDIR)/$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.PHONY: format
format: ## write the C code as clang-format 19 does
	tools/format.sh

.PHONY: fuzz
fuzz: ## run every fuzz target in turn; FUZZTIME=500000x (executions) each
	tools/fuzz.sh $(FUZZTIME)

.PHONY: vulncheck
vulncheck: .tools/govulncheck ## known vulnerabilities in what is called (needs https://vuln.go.dev, or GOVULNDB=file:///FOLDER)
	tools/vulncheck.sh

.tools/govulncheck: tools/vulncheck/go.mod tools/vulncheck/go.sum
	CGO_ENABLED=0 $(GO) -C tools/vulncheck build -buildvcs=false -o $(CURDIR)/$@ golang.org/x/vuln/cmd/govulncheck

.PHONY: generate
generate: ## compile the kernel side again (clang-19, libbpf-dev; installed with apt-get when missing)
	tools/install-bpf-tools.sh
	$(GO) generate ./pkg/tracer/... ./pkg/drops ./tools/storm

.PHONY: generate-check
generate-check: generate ## fail unless the generated files are committed as they come out
	tools/generate-check.sh

.PHONY: clean
clean: ## remove what was built here
	rm -rf bin .tools
