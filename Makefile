# tidemark: make with no target prints this help.
GO        ?= go
BIN       := .bin
LINT      := $(BIN)/golangci-lint
LINT_VER  := v2.15.0
# Folders called testdata are not part of ./..., so tests in there are named.
PKGS      := ./... ./testdata/reference ./testdata/simulation ./testdata/mutants ./testdata/kafka ./testdata/fuzzing ./testdata/witness ./testdata/writes
# -race needs a C compiler; without one the tests run without it and the last lines say so.
RACE      := $(shell command -v $${CC:-cc} >/dev/null 2>&1 && echo -race)

.DEFAULT_GOAL := help

.PHONY: help
help: ## Print this help.
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build ./tidemark.
	$(GO) build -o tidemark ./cmd/tidemark

.PHONY: demo
demo: build ## One process, everything embedded, seeded traffic; Ctrl-C verifies and ends. ARGS="--for 60s" for a bounded one.
	./tidemark demo $(ARGS)

.PHONY: test
test: ## Every test that this machine can run; the last lines say what was left out and why.
	@GO="$(GO)" RACE="$(RACE)" ./testdata/run-tests.sh $(PKGS)

.PHONY: lint
lint: $(LINT) ## Run the linters.
	$(LINT) run $(PKGS)

$(LINT):
	@mkdir -p $(BIN)
	GOBIN=$(CURDIR)/$(BIN) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VER)

.PHONY: bench
bench: build ## Measure each floor beside its yardstick, in one run; see BENCHMARKS.md.
	./testdata/bench.sh

.PHONY: sim
sim: ## Simulate the protocol in SEEDS (default 1000000) random worlds from seed FROM on, and small worlds to DEPTH (default 10).
	GOGC=800 $(GO) test ./testdata/simulation -count=1 -timeout 0 -v -run '^(TestSeeds|TestExhaustive)$$' \
	  -seeds $(or $(SEEDS),1000000) -from $(or $(FROM),0) -depth $(or $(DEPTH),10)

.PHONY: mutants
mutants: ## Break one line of the code at a time and see a test catch each. ARGS="-run 'join|hop'" chooses; make test runs a third.
	$(GO) run ./testdata/mutants $(ARGS)

.PHONY: crash
crash: ## Let a process die at every named place, and what is left go on; RUN=<regexp> for some of them.
	$(GO) test -tags crashpoints ./shared/crash ./cmd/tidemark -count=1 -timeout 30m -parallel 4 -v -run '^(TestNames|TestPass|TestCrashPoints)$$/$(RUN)'

.PHONY: writes
writes: ## Write WRITES (default 100000000) tiles into a real Redis through faults of the network, and count what was lost or done twice.
	$(GO) test ./testdata/writes -count=1 -timeout 0 -v -writes $(or $(WRITES),100000000) -seed $(or $(SEED),0) -onein $(or $(ONEIN),200)

.PHONY: processes
processes: ## Every role its own process, on a real Kafka and Redis, each killed again and again; SEED=<n> repeats a run. make test runs a part.
	$(GO) test -tags crashpoints ./cmd/tidemark -count=1 -timeout 60m -v -run '^TestProcesses$$' -processes.full -processes.seed $(or $(SEED),0)

.PHONY: fuzz
fuzz: ## Fuzz all that reads bytes from outside, FUZZTIME (default 30s) each, or each seed in bulk for FUZZBULK; the last line counts executions.
	@GO="$(GO)" FUZZTIME="$(or $(FUZZTIME),30s)" ./testdata/fuzz.sh
